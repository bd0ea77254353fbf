# SPDX-License-Identifier: Apache-2.0
"""Writing so that a crash, a full disk or a kill leaves either the old file or the new one, and a clear error."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from latlab.errors import StoreError

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def store_error(error: OSError, path: Path, doing: str) -> StoreError:
    """The error a user sees for `error`, met while `doing` something to `path`."""
    if error.errno in _NO_SPACE:
        return StoreError(
            f"no space left while {doing} {path}",
            hint="what was written before stays; free some space, or choose another directory for the runs",
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return StoreError(
            f"not allowed: {doing} {path}: {error.strerror}", hint="choose a directory that you may write to"
        )
    return StoreError(f"{doing} {path} failed: {error.strerror or error}")


@contextmanager
def os_errors(path: Path, doing: str) -> Iterator[None]:
    """Turn an OSError inside the block into a StoreError about `path`."""
    try:
        yield
    except OSError as error:
        raise store_error(error, path, doing) from error


def sync_directory(path: Path) -> None:
    """Make names created, renamed or removed in `path` survive a power cut."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_all(fd: int, data: bytes | memoryview) -> None:
    """os.write until nothing is left. Raises OSError; what fitted is then on disk."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]


def refuse_what_is_no_file(path: Path) -> None:
    """StoreError if `path` is there and is no ordinary file: root would put a file in the place of /dev/null."""
    with os_errors(path, "reading"):
        if path.exists() and not path.is_file():
            raise StoreError(f"{path} is not a file, and cannot become one", hint="name a file, new or old")


def replace_file(path: Path, data: bytes) -> None:
    """Give `path` the content `data` in one step. Raises StoreError; the old content is then still there."""
    refuse_what_is_no_file(path)
    temporary = path.with_name(path.name + ".tmp")
    try:
        with os_errors(path, "writing"):
            fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
            try:
                write_all(fd, data)
                os.fsync(fd)
            finally:
                os.close(fd)
            temporary.replace(path)
            sync_directory(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def damage(data: bytes, error: ValueError) -> str:
    """Where `error`, of json.loads, found `data` damaged, in words: "byte 120 (line 4, column 7)"."""
    if isinstance(error, UnicodeDecodeError):
        offset = error.start
    elif isinstance(error, json.JSONDecodeError):
        offset = len(error.doc[: error.pos].encode())
    else:
        return "a number with too many digits"  # the only other ValueError of json.loads
    before = data[:offset]
    line, column = before.count(b"\n") + 1, offset - (before.rfind(b"\n") + 1) + 1
    return f"byte {offset} of {len(data)} (line {line}, column {column})"
