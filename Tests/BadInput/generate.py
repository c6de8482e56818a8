#!/usr/bin/env python3
"""Writes the folders of bad input and what is expected of each file. Needs Python's `cryptography`.

Every folder has a file `expected.tsv`: the file, the code of the typed rejection (or "accepted"), the place that the
rejection names, and words of its reason. The files are committed; this program is run after a change to the cases.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.dont_write_bytecode = True

import notes  # noqa: E402

kinds = notes.all_kinds()
for module in ("documents", "tables", "wire"):
    if (Path(__file__).parent / f"{module}.py").exists():
        kinds += __import__(module).all_kinds()
total = sum(kind.write() for kind in kinds)
bad = sum(1 for kind in kinds for case in kind.cases.values() if case[1] != "accepted")
size = sum(len(case[0]) for kind in kinds for case in kind.cases.values())
print(f"{total} files, {bad} of them bad, in {len(kinds)} folders: {size} bytes")
