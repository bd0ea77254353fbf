# SPDX-License-Identifier: Apache-2.0
"""The samples of a run as they arrive (samples.raw) and how they are read again, whole or cut off.

While a run goes on its samples are the probe's own bytes, appended to samples.raw: nothing is decoded on the way, so
nothing can be lost there. Afterwards they become samples.parquet (`store.parquet`). Both are read chunk by chunk.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from latlab.errors import StoreError
from latlab.stats.ahead import ahead
from latlab.stats.columns import Columns, columns_of
from latlab.stats.records import HEADER_BYTES, Records, StreamHeader, parse_header, records_in
from latlab.stats.ways import Times
from latlab.store.disk import os_errors, write_all

RAW_NAME = "samples.raw"
PARQUET_NAME = "samples.parquet"
CHUNK_RECORDS = 20_480
"""3 MB of records: large enough to be fast, small enough to stay small."""


class RawWriter:
    """Appends a probe's stream to a file. A context manager: leaving it syncs and closes the file.

    Any split of the stream into pieces will do. Raises StoreError, with what fitted kept on disk.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.bytes_written = 0
        with os_errors(path, "creating"):
            self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)

    def append(self, data: bytes | memoryview) -> None:
        with os_errors(self.path, "writing"):
            write_all(self._fd, data)
        self.bytes_written += len(data)

    def close(self) -> None:
        if self._fd < 0:
            return
        fd, self._fd = self._fd, -1
        with os_errors(self.path, "writing"):
            try:
                os.fsync(fd)
            finally:
                os.close(fd)

    def __enter__(self) -> RawWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Samples(Protocol):
    """Samples on disk, of either kind."""

    @property
    def header(self) -> StreamHeader: ...

    @property
    def records(self) -> int:
        """Whole records."""
        ...

    @property
    def cut_bytes(self) -> int:
        """Bytes of a last record that is not whole; 0 if the file ends where a record ends."""
        ...

    def chunks(self) -> Iterator[Records]:
        """All records in their order, in arrays of at most `CHUNK_RECORDS` rows."""
        ...

    def columns(self) -> Iterator[Columns]:
        """The same, column by column."""
        ...

    def with_clocks(self, fields: Sequence[str]) -> Iterator[tuple[Columns, Times, Times]]:
        """These columns alone, and of each record what the store knows of the clocks: `offset_ns` and `error_ns`, 0
        where that is nothing."""
        ...


class RawReader:
    """Reads samples.raw up to its last whole record. Raises StoreError for a file that has no readable header."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with os_errors(path, "reading"):
            with path.open("rb") as file:
                start = file.read(HEADER_BYTES)
            size = path.stat().st_size
        try:
            self.header = parse_header(start)
        except ValueError as error:
            newer = "reads up to" in str(error)
            hint = "upgrade latlab to the version that wrote it, or a later one" if newer else ""
            raise StoreError(f"{path}: {error}", hint=hint) from error
        self.records, self.cut_bytes = divmod(max(0, size - self.header.header_bytes), self.header.record_bytes)

    def chunks(self) -> Iterator[Records]:
        record_bytes = self.header.record_bytes
        left = self.records
        with os_errors(self.path, "reading"), self.path.open("rb") as file:
            file.seek(self.header.header_bytes)
            while left > 0:
                count = min(left, CHUNK_RECORDS)
                data = file.read(count * record_bytes)
                if len(data) < count * record_bytes:
                    raise StoreError(f"{self.path} became shorter while it was read")
                left -= count
                yield records_in(data, record_bytes)

    def columns(self) -> Iterator[Columns]:
        return columns_of(ahead(self.chunks()))

    def with_clocks(self, fields: Sequence[str]) -> Iterator[tuple[Columns, Times, Times]]:  # noqa: ARG002 - all are read
        for columns in self.columns():
            nothing = np.zeros(len(columns), np.int64)
            yield columns, nothing, nothing


def open_samples(directory: Path) -> Samples | None:
    """The samples in a run directory, from samples.parquet, else samples.raw; None if there are neither.

    Raises StoreError if they cannot be read.
    """
    if (directory / PARQUET_NAME).exists():
        from latlab.store.parquet import ParquetReader  # duckdb takes 0.1 s to load, and many commands need none

        return ParquetReader(directory / PARQUET_NAME)
    if (directory / RAW_NAME).exists():
        return RawReader(directory / RAW_NAME)
    return None
