# SPDX-License-Identifier: Apache-2.0
"""The sync log of a run: a line for each `Reading` while it comes, timing.parquet when the run has ended."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, fields
from pathlib import Path

import numpy as np

from latlab.errors import StoreError
from latlab.stats.clock_path import ClockPath
from latlab.stats.clocks import FromReadings
from latlab.store.disk import os_errors
from latlab.timing.reading import Reading

TIMING_NAME = "timing.parquet"
LINES_NAME = "timing.jsonl"
EVERY_NS = 1_000_000_000
"""Between two rows that the exchanges give."""

_TYPES = {"time_ns": "BIGINT", "offset_ns": "BIGINT", "error_ns": "BIGINT", "path_delay_ns": "BIGINT",
          "frequency_ppb": "DOUBLE"}  # fmt: skip
COLUMNS = {field.name: _TYPES.get(field.name, "VARCHAR") for field in fields(Reading)}


class SyncLog:
    """In a run's directory. What was appended is on disk, however the run ends; nothing is kept in memory."""

    def __init__(self, directory: Path) -> None:
        self._lines, self._table = directory / LINES_NAME, directory / TIMING_NAME

    def append(self, readings: Iterable[Reading]) -> None:
        """StoreError when they cannot be written."""
        text = "".join(json.dumps(asdict(reading)) + "\n" for reading in readings)
        if text:
            with os_errors(self._lines, "writing"), self._lines.open("a", encoding="utf-8") as file:
                file.write(text)

    def readings(self) -> Iterator[Reading]:
        """Those that were appended; a last line that is not whole is none."""
        if not self._lines.exists():
            return
        with os_errors(self._lines, "reading"), self._lines.open("rb") as file:
            offset = 0
            for line in file:
                if line.endswith(b"\n"):
                    try:
                        yield Reading(**json.loads(line))
                    except (ValueError, TypeError) as error:
                        raise StoreError(
                            f"{self._lines} is damaged in the line that begins at byte {offset}"
                        ) from error
                offset += len(line)

    def comparison(self) -> FromReadings | None:
        """The readings of the reflector's clock against the sender's, if there are any with a bound."""
        found = [
            (reading.time_ns, reading.offset_ns, reading.error_ns)
            for reading in self.readings()
            if (reading.host, reading.reference) == ("reflector", "sender") and reading.error_ns is not None
        ]
        if not found:
            return None
        time, offset, error = np.array(sorted(found), np.int64).T
        return FromReadings(time, offset, error)

    def finish(self) -> None:
        """The lines become timing.parquet. StoreError, with the lines untouched, when that fails."""
        if self._lines.exists():
            from latlab.store.parquet import from_json_lines  # duckdb takes 0.1 s to load, and many commands need none

            from_json_lines(self._lines, self._table, COLUMNS)
            with os_errors(self._lines, "removing"):
                self._lines.unlink()


def from_path(path: ClockPath) -> Iterator[Reading]:
    """What the exchanges say of the clocks, once a second."""
    bins = path.bins
    if not len(bins):
        return
    # By the packets' numbers: the sender's clock may have been set.
    since_ns = (bins.first_seq - bins.first_seq[0]) * bins.period_ns
    seconds = (since_ns // EVERY_NS).astype(np.int64)
    for place in np.flatnonzero(np.diff(seconds, prepend=-1)).tolist():
        yield Reading(
            time_ns=int(bins.time_ns[place]),
            host="reflector",
            source="exchange",
            reference="sender",
            offset_ns=int(path.offset_ns[place]),
            error_ns=int(path.error_ns[place]),
        )
