# SPDX-License-Identifier: Apache-2.0
"""The entries of all runs under a root, fast: what was read of a run is kept beside them until its files change.

The index is a help, never the truth. Each of its lines holds what the files of one run said, and which files those
were (inode, size, times); a line whose files are others now is not used. So runs may be added, changed and removed by
hand, and the index may be deleted at any time. It is one text file, replaced in one step; who cannot write it goes
without. Measured: see docs/store.md.

    {"latlab index": ["status", "verdict", ...], "by": "0.1.0"}
    ["20261120T140311Z-tap-bridge-3xudp-a1b2c3", [1234, 6280, ...], {"status": "done", ...}]
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from latlab.errors import StoreError
from latlab.store.entry import Entry, entry_of
from latlab.store.labels import LABELS_NAME
from latlab.store.run_dir import DOCUMENT_NAME, BrokenRun, RunDirectory, is_locked, read_document, run_paths
from latlab.version import latlab_version

INDEX_NAME = ".latlab-index"
WORTH_IT = 50
"""Fewer runs are read as fast without an index, and leave no file beside them."""
_SETTLED_NS = 3_000_000_000
"""A file that was changed less than this ago may change again without a change of its times: it is not kept yet."""

Signature = list[int]
"""Of run.json and labels.json: inode, size, times of content and of inode; 0 for a file that is not there."""


def entries(root: Path) -> list[Entry]:
    """One for each run directory under `root`, readable or not, oldest first; none if there is no such directory.

    Raises StoreError if the directory cannot be read.
    """
    paths = run_paths(root)
    kept = dict(_kept(root)) if len(paths) >= WORTH_IT else {}
    found: list[Entry] = []
    lines: list[bytes] = []
    changed = False
    settled_ns = time.time_ns() - _SETTLED_NS
    for path in paths:
        signature, changed_ns = _signature(path)
        known = kept.pop(path.name, None)
        if known is not None and known[0] == signature:
            entry, line = Entry(path, **known[1]), known[2]
        else:
            entry = _read(path)
            line = _line(entry, signature) if not entry.broken and changed_ns < settled_ns else b""
            changed = changed or bool(line) or known is not None
        found.append(entry if entry.status != "running" else _still_running(entry))
        lines.append(line)
    if len(paths) >= WORTH_IT and (changed or kept):
        _keep(root, lines)
    return found


def _still_running(entry: Entry) -> Entry:
    """`entry` of a run that says it is running, as `open_run` would see it: interrupted unless somebody writes it."""
    return entry if is_locked(entry.path) else replace(entry, status="interrupted")


def _read(path: Path) -> Entry:
    try:
        return entry_of(RunDirectory(path, read_document(path)))
    except StoreError as error:
        return entry_of(BrokenRun(path, error.message, error.hint))


def _signature(path: Path) -> tuple[Signature, int]:
    """Which files a run has, and when the last of them was changed."""
    signature: Signature = []
    changed_ns = 0
    for name in (DOCUMENT_NAME, LABELS_NAME):
        try:
            status = os.stat(f"{path}/{name}")  # noqa: PTH116 - twice as fast as Path.stat, for 10,000 runs
        except OSError:  # reading it will say why
            signature.append(0)
            continue
        signature += [status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns]
        changed_ns = max(changed_ns, status.st_mtime_ns, status.st_ctime_ns)
    return signature, changed_ns


def _header() -> bytes:
    kept = {"latlab index": sorted(Entry.__dataclass_fields__), "by": latlab_version()}
    return json.dumps(kept).encode() + b"\n"


def _line(entry: Entry, signature: Signature) -> bytes:
    return json.dumps([entry.id, signature, entry.as_json()], separators=(",", ":")).encode() + b"\n"


def _kept(root: Path) -> Iterator[tuple[str, tuple[Signature, dict[str, Any], bytes]]]:
    """By run: the signature, the entry's values and the line that holds them. Nothing of an index that is another
    version's, damaged or not there."""
    try:
        with (root / INDEX_NAME).open("rb") as file:
            if file.readline() != _header():
                return
            for line in file:
                name, signature, values = json.loads(line)
                yield name, (signature, values, line)
    except (OSError, ValueError, TypeError):
        return  # the runs themselves are read instead


def _keep(root: Path, lines: list[bytes]) -> None:
    """Replace the index, unless somebody else is just doing so, or it cannot be written: it is only a help."""
    temporary = root / (INDEX_NAME + ".tmp")
    try:
        fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with temporary.open("wb") as file:
            file.write(_header())
            file.writelines(lines)
        temporary.replace(root / INDEX_NAME)
    except OSError:
        return
    finally:
        os.close(fd)
