#!/usr/bin/env python3
"""Holds every #include in src/ against the tree's one-way dependencies, and every source against the house rules.

base <- order <- ports <- {pipeline, feed, api, hotkey} <- app, as ARCHITECTURE.md draws it. The tables below are that
picture; a new folder, adapter or public header is entered here first. Run it alone: python3 tests/unit/includes_test.py
"""

import re
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LINES_MAX = 500

# folder: the folders whose public headers it may include. Any folder may include its own headers.
USES = {
    "base": set(),
    "config": {"base"},
    "http": {"base"},
    "lmdb": {"base"},
    "cql": {"base"},
    "order": {"base"},
    "event_log": {"base"},
    "order_store": {"base", "order"},
    "order_cache": {"base", "order"},
    "pipeline": {"base", "order", "event_log", "order_store", "order_cache"},
    "feed": {"base", "order", "event_log", "order_store", "order_cache"},
    "api": {"base", "order", "event_log", "order_store", "order_cache", "http", "feed", "pipeline",
            "hotkey"},
    "hotkey": {"base"},
}
ALL = set(USES)
USES["app"] = ALL
USES["main.c"] = {"base", "app"}

# A port's folder holds <port>.h and <port>.c, and adapters: all files whose names begin with the adapter's.
PORTS = {"event_log", "order_store", "order_cache"}
ADAPTER_USES = {"embedded": {"lmdb"}, "memory": set(), "kafka": set(), "cassandra": {"cql"}, "redis": set()}

# The headers that other folders may include. Of a port: also its adapters' constructors, for app/ alone.
PUBLIC = {
    "base": {
        "advice.h", "arena.h", "buffer.h", "bytes.h", "clock.h", "histogram.h", "json.h", "log.h", "metrics.h", "queue.h", "random.h",
        "status.h", "uuid.h",
    },
    "config": {"config.h"},
    "http": {"http.h"},
    "lmdb": {"lmdb_env.h"},
    "cql": {"cql.h"},
    "order": {"command.h", "decide.h", "event.h", "input.h", "order.h"},
    "event_log": {"event_log.h"},
    "order_store": {"order_store.h"},
    "order_cache": {"order_cache.h"},
    "pipeline": {"pipeline.h"},
    "feed": {"feed.h"},
    "api": {"api.h"},
    "hotkey": {"lab.h", "parameters.h", "result.h", "run.h", "schedule.h", "space_saving.h"},
    "app": {"app.h", "command.h"},
}
CONSTRUCTORS = {
    "event_log/embedded.h", "event_log/kafka.h", "order_store/embedded.h", "order_store/cassandra.h",
    "order_cache/memory.h", "order_cache/redis.h",
}

# Libraries that one folder wraps, so that nobody else needs to know their traps.
LIBRARIES = {
    "lmdb.h": {"lmdb"}, "microhttpd.h": {"http"}, "librdkafka/rdkafka.h": {"event_log"},
    "hiredis/hiredis.h": {"order_cache", "hotkey"}, "hiredis/async.h": {"order_cache"},
}

INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]*)"|<([^>]*)>)')
UNFINISHED = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "X" * 3]) + r")\b")


def adapter_of(path):
    """The adapter a file of a port's folder belongs to ("embedded"), or None: it is the port's own."""
    folder, _, name = path.rpartition("/")
    stem = name.rsplit(".", 1)[0]
    return stem.split("_")[0] if folder in PORTS and stem != folder else None


def include_problem(path, header):
    """Why the file (path relative to src/) may not include the header, or None. Both are "folder/name.h"."""
    folder, target = path.split("/")[0], header.split("/")[0]
    if header.count("/") != 1 or target not in PUBLIC:
        return 'is not "folder/file.h" of a folder of src/'
    own, other = adapter_of(path), adapter_of(header)
    if folder == target:
        if other and other != own:
            return f"the port includes its adapter {other}" if own is None else f"the adapter {own} includes {other}"
        return None
    if folder not in USES:
        return f"{folder} is not in the table of dependencies"
    if target not in USES[folder] | ADAPTER_USES.get(own, set()):
        return f"{folder}/{' (' + own + ')' if own else ''} may not use {target}/"
    if header in CONSTRUCTORS:
        return None if folder == "app" else f"only app/ and tests name the adapter {other}"
    if header.split("/")[1] not in PUBLIC[target]:
        return f"a private header of {target}/"
    return None


def library_problem(path, header):
    folder = path.split("/")[0]
    if folder in LIBRARIES.get(header, {folder}):
        return None
    return f"only {', '.join(sorted(LIBRARIES[header]))}/ may use this library"


def include_problems(path, lines, exists):
    for number, line in enumerate(lines, 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        quoted, system = match.groups()
        problem = library_problem(path, system) if system else include_problem(path, quoted)
        if not problem and quoted and not exists(quoted):
            problem = "does not exist"
        if problem:
            yield f"src/{path}:{number}: includes {quoted or system}: {problem}"


def style_problems(path, lines):
    if path.endswith((".c", ".h")):
        if len(lines) > LINES_MAX:
            yield f"{path}: {len(lines)} lines, more than {LINES_MAX}: split it"
        if not lines or not lines[0].startswith("/*"):
            yield f"{path}:1: does not begin with a comment that says what the file is for"
    for number, line in enumerate(lines, 1):
        if found := UNFINISHED.search(line):
            yield f"{path}:{number}: {found.group()} is left"


def sources(folders, suffixes):
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in suffixes and path.is_file():
                yield path, path.read_text(encoding="utf-8").splitlines()


class Tree(unittest.TestCase):
    """The sources as they are."""

    def report(self, problems):
        if problems:
            self.fail("\n" + "\n".join(problems))

    def test_includes(self):
        problems, count = [], 0
        for path, lines in sources(["src"], {".c", ".h"}):
            count += 1
            problems += include_problems(
                path.relative_to(ROOT / "src").as_posix(), lines, lambda header: (ROOT / "src" / header).is_file()
            )
        self.assertGreater(count, 50)
        self.report(problems)

    def test_folders_are_in_the_tables(self):
        folders = {path.name for path in (ROOT / "src").iterdir() if path.is_dir()}
        self.assertLessEqual(folders, set(PUBLIC), "a new folder: say what it may use")

    def test_style(self):
        problems = []
        for path, lines in sources(["src", "tests", "bench"], {".c", ".h", ".py"}):
            problems += style_problems(path.relative_to(ROOT).as_posix(), lines)
        self.report(problems)


class Rules(unittest.TestCase):
    """The rules themselves: what they must let through and what they must stop."""

    def assert_allowed(self, path, header):
        self.assertIsNone(include_problem(path, header), f"{path} -> {header}")

    def assert_refused(self, path, header, reason):
        self.assertIn(reason, include_problem(path, header) or "allowed", f"{path} -> {header}")

    def test_allowed(self):
        for path, header in [
            ("base/log.c", "base/json.h"),
            ("base/json_read.c", "base/json_parts.h"),
            ("order/order.c", "base/uuid.h"),
            ("order_store/embedded.c", "order/order.h"),
            ("order_store/embedded_read.c", "order_store/embedded_store.h"),
            ("order_store/embedded.h", "lmdb/lmdb_env.h"),
            ("event_log/embedded.c", "event_log/event_log.h"),
            ("pipeline/batch.c", "order_store/order_store.h"),
            ("api/create.c", "feed/feed.h"),
            ("app/engine.c", "event_log/embedded.h"),
            ("main.c", "app/app.h"),
        ]:
            self.assert_allowed(path, header)

    def test_refused(self):
        for path, header, reason in [
            ("base/log.c", "order/order.h", "may not use order/"),
            ("order/order.c", "order_store/order_store.h", "may not use order_store/"),
            ("config/config.c", "http/http.h", "may not use http/"),
            ("http/server.c", "order/order.h", "may not use order/"),
            ("lmdb/lmdb_env.c", "order/order.h", "may not use order/"),
            ("lmdb/lmdb_env.c", "event_log/event_log.h", "may not use event_log/"),
            ("event_log/event_log.h", "lmdb/lmdb_env.h", "may not use lmdb/"),
            ("event_log/embedded.c", "order/order.h", "may not use order/"),
            ("event_log/embedded.c", "order_store/order_store.h", "may not use order_store/"),
            ("event_log/event_log.c", "event_log/embedded.h", "the port includes its adapter"),
            ("event_log/kafka.c", "event_log/embedded.h", "the adapter kafka includes embedded"),
            ("order_cache/memory.c", "lmdb/lmdb_env.h", "may not use lmdb/"),
            ("pipeline/batch.c", "order_store/embedded.h", "only app/ and tests"),
            ("feed/feed.c", "event_log/embedded.h", "only app/ and tests"),
            ("api/api.c", "order_cache/memory.h", "only app/ and tests"),
            ("pipeline/batch.c", "feed/feed.h", "may not use feed/"),
            ("feed/feed.c", "pipeline/pipeline.h", "may not use pipeline/"),
            ("api/api.c", "config/config.h", "may not use config/"),
            ("api/api.c", "lmdb/lmdb_env.h", "may not use lmdb/"),
            ("api/api.c", "app/app.h", "may not use app/"),
            ("app/engine.c", "lmdb/lmdb_internal.h", "a private header"),
            ("app/engine.c", "event_log/embedded_internal.h", "a private header"),
            ("main.c", "config/config.h", "may not use config/"),
            ("order/order.c", "order.h", "is not"),
            ("order/order.c", "../base/log.h", "is not"),
            ("strange/x.c", "base/log.h", "not in the table"),
        ]:
            self.assert_refused(path, header, reason)

    def test_lines_are_found(self):
        lines = ["/* x */", "#include <lmdb.h>", '  #  include "order/order.h"', '#include "base/none.h"', "// #include"]
        found = list(include_problems("base/x.c", lines, lambda header: False))
        self.assertEqual([line.split(": ")[0] for line in found], ["src/base/x.c:2", "src/base/x.c:3", "src/base/x.c:4"])
        self.assertFalse(list(include_problems("lmdb/lmdb_env.h", ["#include <lmdb.h>"], lambda header: True)))

    def test_style_rules(self):
        comment = "/* What it is for. */"
        self.assertFalse(list(style_problems("a.c", [comment] + ["x"] * 499)))
        self.assertTrue(list(style_problems("a.c", [comment] + ["x"] * 500)))
        self.assertTrue(list(style_problems("a.h", ["#ifndef A"])))
        self.assertTrue(list(style_problems("a.c", [])))
        self.assertFalse(list(style_problems("a.py", ["x"] * 600)))
        for word in ["TO" + "DO", "FIX" + "ME", "X" * 3]:
            self.assertTrue(list(style_problems("a.c", [comment, f"/* {word}: later */"])))
        self.assertFalse(list(style_problems("a.c", [comment, 'mkdtemp("/tmp/x-XXXXXX");'])))


if __name__ == "__main__":
    unittest.main()
