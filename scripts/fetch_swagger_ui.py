#!/usr/bin/env python3
"""Fetches Swagger UI from PyPI into build/deps/swagger-ui, where the build embeds it; does nothing if it is there.

The package is flask-swagger-ui, of which only the files of Swagger UI itself are taken: its version 5 reads OpenAPI 3.1
(the package swagger-ui-bundle still has version 4, which refuses it). Version and hash are pinned.
"""

import pathlib
import shutil
import subprocess
import sys
import tempfile
import zipfile

PACKAGE = "flask-swagger-ui==5.34.0"
SHA256 = "63e4ecfee6345ca746c11c5341c6f2a1cbe271e518aac1659889cd3905b1110f"
FILES = ("swagger-ui-bundle.js", "swagger-ui.css", "LICENSE", "VERSION")
TARGET = pathlib.Path(__file__).resolve().parent.parent / "build" / "deps" / "swagger-ui"


def python_with_pip(folder: pathlib.Path) -> str:
    """This Python, or (Debian splits pip off) that of a virtual environment, which brings its own."""
    probe = subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True, check=False)
    if probe.returncode == 0:
        return sys.executable
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True, timeout=60)
    return str(folder / "venv" / "bin" / "python")


def download(folder: pathlib.Path) -> pathlib.Path:
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{PACKAGE} --hash=sha256:{SHA256}\n")
    command = [python_with_pip(folder), "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
    command += ["--retries", "1", "--timeout", "15", "--no-deps"]
    command += ["--only-binary", ":all:", "--require-hashes", "-r", str(requirements), "-d", str(folder)]
    subprocess.run(command, check=True, timeout=100)
    return next(folder.glob("*.whl"))


def main() -> int:
    if (TARGET / "swagger-ui-bundle.js").exists():
        return 0
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=TARGET.parent) as temporary:
        folder = pathlib.Path(temporary)
        try:
            wheel = download(folder)
        except (subprocess.SubprocessError, StopIteration) as error:
            print(f"Swagger UI could not be fetched ({error}): /docs will only link /openapi.json", file=sys.stderr)
            return 1
        unpacked = folder / "swagger-ui"
        unpacked.mkdir()
        with zipfile.ZipFile(wheel) as archive:
            for name in FILES:
                (unpacked / name).write_bytes(archive.read(f"flask_swagger_ui/dist/{name}"))
        try:
            unpacked.rename(TARGET)  # whole or not at all, also when two builds fetch at once
        except OSError:
            if not (TARGET / "swagger-ui-bundle.js").exists():
                shutil.rmtree(TARGET, ignore_errors=True)
                unpacked.rename(TARGET)
    return 0


if __name__ == "__main__":
    sys.exit(main())
