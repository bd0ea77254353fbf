# SPDX-License-Identifier: Apache-2.0
"""The directory of one run: made, written step by step, found again, and read even when it was cut off in the middle.

    20261120T140311Z-tap-bridge-3-udp-same-a1b2c3/
      run.json          the document (`store.document`), replaced in one step at every change
      samples.raw       while measuring; afterwards samples.parquet
      env-before.json  env-after.json  commands.jsonl  logs/  trace/

While a run is being written its directory is locked with flock(2). The kernel drops the lock when the writer dies, so
a directory that says "running" and is not locked was interrupted: no clean-up is needed for that to be true.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from latlab.errors import StoreError
from latlab.scenario import points
from latlab.stats.clocks import NOT_COMPARED, Clocks
from latlab.store.disk import os_errors, replace_file, sync_directory
from latlab.store.document import BenchFacts, RunDocument, now, parse_document
from latlab.store.samples import PARQUET_NAME, RAW_NAME, RawWriter, Samples, open_samples

DOCUMENT_NAME = "run.json"
_ID = re.compile(r"\d{8}T\d{6}Z-[a-z0-9]")
_MOST_IN_ONE_SECOND = 10_000


class RunDirectory:
    """One run on disk. `document` is what run.json holds, or will hold after the next `save`."""

    def __init__(self, path: Path, document: RunDocument, lock_fd: int | None = None) -> None:
        self.path = path
        self.document = document
        self._lock_fd = lock_fd

    @classmethod
    def create(
        cls,
        root: Path,
        *,
        slug: str,
        scenario: str,
        point: Mapping[str, Any],
        point_id: str,
        attachment: str,
        load: str,
        bench: BenchFacts,
        repeat: int = 1,
        created: datetime | None = None,
    ) -> RunDirectory:
        """Make a new directory under `root` (made too, if absent), and lock it until `close`.

        `slug` goes into the name: what is not a-z, 0-9 or a hyphen in it becomes a hyphen. Two runs of the same point
        that begin in the same second get different names. Raises StoreError.
        """
        moment = created or now()
        words = points.slug(slug) or "run"
        name = f"{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}-{words}-{point_id[:6]}"
        with os_errors(root, "creating"):
            root.mkdir(parents=True, exist_ok=True)
            path = _make_unique(root, name)
        document = RunDocument(
            id=path.name,
            created=moment,
            scenario=scenario,
            point=dict(point),
            point_id=point_id,
            repeat=repeat,
            attachment=attachment,
            load=load,
            bench=bench,
        )
        run = cls(path, document, _lock(path))
        run.save()
        sync_directory(root)
        return run

    def save(self) -> None:
        """Write run.json. Raises StoreError, with the previous run.json still there."""
        replace_file(self.path / DOCUMENT_NAME, self.document.to_json())

    def close(self) -> None:
        """Give up the lock. A run whose status still is `running` counts as interrupted from now on."""
        if self._lock_fd is not None:
            os.close(self._lock_fd)
            self._lock_fd = None

    def __enter__(self) -> RunDirectory:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def id(self) -> str:
        return self.path.name

    @property
    def env_before(self) -> Path:
        return self.path / "env-before.json"

    @property
    def env_after(self) -> Path:
        return self.path / "env-after.json"

    @property
    def commands(self) -> Path:
        return self.path / "commands.jsonl"

    @property
    def trace(self) -> Path:
        return self.path / "trace"

    def log(self, name: str) -> Path:
        """Path of a log file; the folder is made when it is first asked for."""
        logs = self.path / "logs"
        with os_errors(logs, "creating"):
            logs.mkdir(exist_ok=True)
        return logs / name

    def raw_writer(self) -> RawWriter:
        return RawWriter(self.path / RAW_NAME)

    def samples(self) -> Samples | None:
        """The samples, of either kind; None if there are none. Raises StoreError if they cannot be read."""
        return open_samples(self.path)

    def convert_samples(self, clocks: Clocks = NOT_COMPARED) -> Path:
        """samples.raw -> samples.parquet. Raises StoreError, with samples.raw untouched."""
        from latlab.store.parquet import convert  # duckdb takes 0.1 s to load, and many commands need none

        return convert(self.path, clocks)

    def files(self) -> list[Path]:
        """All files of the run, sorted, relative to it."""
        found = (Path(folder, name) for folder, _, names in os.walk(self.path) for name in names)
        return sorted(file.relative_to(self.path) for file in found)


@dataclass(frozen=True)
class BrokenRun:
    """A run directory without a readable run.json. `salvage` says what of it can still be used."""

    path: Path
    reason: str
    salvage: str = ""

    @property
    def id(self) -> str:
        return self.path.name


def open_run(path: Path) -> RunDirectory:
    """The run in the directory `path`. Raises StoreError, which says what is left, if it cannot be read.

    A run whose writer died while it was running is given the status `interrupted`; nothing on disk is changed.
    """
    document = read_document(path)
    if document.status == "running" and not is_locked(path):
        document.status = "interrupted"
    return RunDirectory(path, document)


def read_document(path: Path) -> RunDocument:
    """What run.json in the directory `path` says. Raises StoreError, which says what is left, if it cannot be read."""
    if not path.is_dir():
        raise StoreError(f"{path} is not a directory", hint="`latlab list` shows the runs")
    file = path / DOCUMENT_NAME
    if not file.exists():
        raise StoreError(f"{path} has no {DOCUMENT_NAME}", hint=_salvage(path))
    with os_errors(file, "reading"):
        data = file.read_bytes()
    try:
        return parse_document(data, str(file))
    except StoreError as error:
        raise StoreError(error.message, hint=error.hint or _salvage(path)) from error


def iter_runs(root: Path) -> Iterator[RunDirectory | BrokenRun]:
    """Every run under `root`, oldest first, each read when it is asked for; none if there is no such directory."""
    for path in run_paths(root):
        try:
            yield open_run(path)
        except StoreError as error:
            yield BrokenRun(path, error.message, error.hint)


def run_paths(root: Path) -> list[Path]:
    """The directories of runs under `root`, readable or not, oldest first."""
    with os_errors(root, "reading"):
        if not root.is_dir():
            return []
        with os.scandir(root) as found:  # knows what is a directory without asking for each
            names = sorted(entry.name for entry in found if entry.is_dir() and _is_run(root, entry.name))
    return [root / name for name in names]


def is_run(path: Path) -> bool:
    """True for a directory that has the name, or the document, of a run."""
    return path.is_dir() and _is_run(path.parent, path.name)


def _is_run(root: Path, name: str) -> bool:
    return _ID.match(name) is not None or (root / name / DOCUMENT_NAME).exists()


def is_locked(path: Path) -> bool:
    """True while a living process writes the run in `path`."""
    with os_errors(path, "reading"):
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def _make_unique(root: Path, name: str) -> Path:
    """mkdir is what decides between two that want the same name."""
    for number in range(1, _MOST_IN_ONE_SECOND):
        path = root / (name if number == 1 else f"{name}-{number}")
        try:
            path.mkdir()
            return path
        except FileExistsError:
            continue
    raise StoreError(f"{root} already holds {_MOST_IN_ONE_SECOND} runs named {name}")


def _lock(path: Path) -> int:
    with os_errors(path, "locking"):
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(fd, fcntl.LOCK_EX)
    return fd


def _salvage(path: Path) -> str:
    """What is left in a directory whose run.json is gone, for the hint of an error."""
    if not (path / RAW_NAME).exists() and not (path / PARQUET_NAME).exists():
        return "it holds no samples: it may be deleted"
    try:
        samples = open_samples(path)
    except StoreError as error:
        return f"its samples cannot be read either: {error.message}"
    return f"its samples can still be read: {samples.records if samples else 0} whole records"
