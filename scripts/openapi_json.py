#!/usr/bin/env python3
"""Turns openapi.yaml into the JSON that the program embeds: openapi_json.py <yaml> <json> <version>."""

import json
import sys

import yaml


def main() -> None:
    source, target, version = sys.argv[1:]
    with open(source, encoding="utf-8") as file:
        description = yaml.safe_load(file)
    description["info"]["version"] = version
    with open(target, "w", encoding="utf-8") as file:
        json.dump(description, file, ensure_ascii=False, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main()
