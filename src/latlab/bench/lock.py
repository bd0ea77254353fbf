# SPDX-License-Identifier: Apache-2.0
"""One user for each bench at a time. The kernel drops the lock when its holder dies, so none is ever stale."""

from __future__ import annotations

import fcntl
import os
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from latlab.errors import BenchError

ROOT_STATE = Path("/run/latlab")
"""Root's state folder. Open to root alone."""


def state_path() -> Path:
    """Where locks and undo journals are, if there are any; the same rule as in `probe/journal.c`."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if os.geteuid() == 0:
        return ROOT_STATE
    return Path(runtime) / "latlab" if runtime.startswith("/") else Path(f"/tmp/latlab-{os.geteuid()}")


def dead_journals() -> list[Path]:
    """Journals that nobody holds: what their agents changed is not undone yet. The next agent here does that."""
    found = []
    for path in state_path().glob("*.journal"):
        try:
            with path.open("rb") as f:
                fcntl.flock(f, fcntl.LOCK_SH | fcntl.LOCK_NB)
                found.append(path)
        except OSError:
            continue  # its agent lives, or has just ended
    return found


def state_folder() -> Path:
    """The folder of `state_path`, made if it is not there. BenchError when it is not ours alone."""
    folder = state_path()
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as e:
        raise BenchError(
            f"{folder}: cannot keep locks and undo journals there: {e.strerror}",
            hint="Set XDG_RUNTIME_DIR to a folder of yours, or unset it.",
        ) from None
    # In /tmp somebody else may have been there first.
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise BenchError(
            f"{folder}: not a folder that is yours alone, so no locks and undo journals are kept there",
            hint="Set XDG_RUNTIME_DIR to a folder of yours.",
        )
    return folder


LOOK_S = 0.2
"""Longer than anybody holds a lock only to look who has it (see `holder`)."""


def holder(name: str) -> str | None:
    """Who holds the lock (`process 1234 (latlab run ...)`), or `None` when nobody does."""
    path = state_path() / f"{name}.lock"
    if not path.exists():
        return None
    with path.open() as f:
        try:
            fcntl.flock(f, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return f.read().strip() or "another process"
    return None


def _taken(file: IO[str]) -> bool:
    limit = time.monotonic() + LOOK_S
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > limit:
                return False
            time.sleep(0.01)
        else:
            return True


@contextmanager
def locked(name: str, *, what: str) -> Iterator[None]:
    """Holds the lock inside the block. BenchError names who has it already."""
    path = state_folder() / f"{name}.lock"
    with path.open("a+") as f:
        if not _taken(f):
            f.seek(0)
            raise BenchError(
                f"{what} is already in use by {f.read().strip() or 'another process'}",
                hint="Wait until it ends, or end it.",
            )
        f.truncate(0)
        f.write(f"process {os.getpid()} (latlab {' '.join(sys.argv[1:])})")
        f.flush()
        yield
        f.truncate(0)
