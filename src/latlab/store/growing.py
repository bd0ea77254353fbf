# SPDX-License-Identifier: Apache-2.0
"""A run directory that another process writes, read while it grows.

Nothing here locks or changes anything. samples.raw is opened once and read to where it ends now; that its writer
removes it at last, when samples.parquet is whole, takes nothing from us. Whether the writer lives is told by its lock
(`run_dir.is_locked`). A lock does not reach through every file system that comes from another machine: there, a
directory in which nothing has changed for `UNCHANGED_S` is held to be left.
"""

from __future__ import annotations

import errno
import json
import os
import re
import time
from pathlib import Path

from latlab.errors import StoreError
from latlab.store.disk import os_errors, store_error
from latlab.store.document import RunDocument, Status, parse_document
from latlab.store.run_dir import DOCUMENT_NAME, is_locked
from latlab.store.samples import RAW_NAME
from latlab.store.timing_log import LINES_NAME
from latlab.timing.reading import Reading

UNCHANGED_S = 60.0
FROM_ELSEWHERE = re.compile(r"nfs4?|cifs|smb3|smbfs|9p|ceph|afs|glusterfs|lustre|virtiofs|fuse(\..*)?")
"""File systems whose locks may be known on the other machine only."""
LATEST_READINGS_BYTES = 65_536
"""Of the sync log, when it is opened: its last ones tell how the clocks stand."""


class GrowingFile:
    """One file that is appended to. StoreError when it cannot be read, or became shorter."""

    def __init__(self, path: Path, from_last: int | None = None) -> None:
        self.path, self._from_last = path, from_last
        self._fd = -1
        self.at = 0
        self.size = 0

    def read(self, most: int) -> bytes:
        """At most `most` bytes of what is new; b"" while there is nothing, or no file."""
        if self._fd < 0 and not self._opened():
            return b""
        try:
            self.size = os.fstat(self._fd).st_size
            data = os.pread(self._fd, most, self.at)
        except OSError as error:
            if error.errno == errno.ESTALE:  # removed on the machine that it is on
                return b""
            raise store_error(error, self.path, "reading") from error
        if self.size < self.at:
            raise store_error(OSError(0, "it became shorter"), self.path, "reading")
        self.at += len(data)
        return data

    def _opened(self) -> bool:
        try:
            self._fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise store_error(error, self.path, "reading") from error
        if self._from_last is not None:
            self.at = max(0, os.fstat(self._fd).st_size - self._from_last)
        return True

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class GrowingRun:
    """The run in the directory `path`. A context manager: leaving it closes the files.

    StoreError when they cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.samples = GrowingFile(path / RAW_NAME)
        self._readings = GrowingFile(path / LINES_NAME, LATEST_READINGS_BYTES)
        self._line, self._begun = b"", False
        self._seen: tuple[int, int, int] | None = None
        self._document: RunDocument | None = None
        self._changed = (0.0, time.monotonic())
        self._distant = FROM_ELSEWHERE.fullmatch(file_system(path)) is not None

    def document(self) -> RunDocument:
        """run.json as it is now; read again only when it has changed. Its status is the one on disk."""
        with os_errors(self.path / DOCUMENT_NAME, "reading"):
            found = (self.path / DOCUMENT_NAME).stat()
        version = found.st_ino, found.st_mtime_ns, found.st_size
        if self._document is None or version != self._seen:
            with os_errors(self.path / DOCUMENT_NAME, "reading"):
                data = (self.path / DOCUMENT_NAME).read_bytes()
            self._document, self._seen = parse_document(data, str(self.path / DOCUMENT_NAME)), version
        return self._document

    def status(self) -> Status:
        """`interrupted` for a run that goes on by its document only."""
        alive = is_locked(self.path) or (self._distant and self._changes())
        # In this order: a writer gives up its lock after it has written the document for the last time.
        written = self.document().status
        return "interrupted" if written == "running" and not alive else written

    def readings(self) -> list[Reading]:
        """Of the clocks, since the last call; at first, the latest ones."""
        found = []
        while data := self._readings.read(LATEST_READINGS_BYTES):
            begin = self._readings.at - len(data)
            if begin > 0 and not self._begun:  # it was opened within a line, most likely
                rest = data.partition(b"\n")[2]
                begin, data = begin + len(data) - len(rest), rest
            self._begun = True
            begin -= len(self._line)
            *whole, self._line = (self._line + data).split(b"\n")
            for line in whole:
                found.append(self._reading(line, begin))
                begin += len(line) + 1
        return found

    def _reading(self, line: bytes, offset: int) -> Reading:
        try:
            return Reading(**json.loads(line))
        except (ValueError, TypeError) as error:
            raise StoreError(f"{self.path / LINES_NAME}: damaged at byte {offset}: no reading of a clock") from error

    def _changes(self) -> bool:
        """Whether anything in the directory was written to within the last `UNCHANGED_S`, by our own clock."""
        with os_errors(self.path, "reading"):
            latest = max((entry.stat().st_mtime for entry in os.scandir(self.path)), default=0.0)
        if latest != self._changed[0]:
            self._changed = latest, time.monotonic()
        return time.monotonic() - self._changed[1] < UNCHANGED_S

    def __enter__(self) -> GrowingRun:
        return self

    def __exit__(self, *_: object) -> None:
        self.samples.close()
        self._readings.close()


def file_system(path: Path, mounts: str | None = None) -> str:
    """The type of the file system that `path` is on, as /proc/self/mounts names it; "" if it does not say."""
    whole = path.resolve()
    best, kind = -1, ""
    try:
        text = Path("/proc/self/mounts").read_text(errors="replace") if mounts is None else mounts
    except OSError:
        return ""
    for line in text.splitlines():
        words = line.split(" ")
        if len(words) < 3:
            continue
        place = Path(re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), words[1]))
        if (place == whole or place in whole.parents) and len(place.parts) >= best:
            best, kind = len(place.parts), words[2]
    return kind
