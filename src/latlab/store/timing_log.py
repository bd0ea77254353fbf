# SPDX-License-Identifier: Apache-2.0
"""timing.parquet: the sync log of a run, one row for each `Reading`, in order of time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np

from latlab.stats.clock_path import ClockPath
from latlab.store.parquet import table_file
from latlab.timing.reading import Reading

TIMING_NAME = "timing.parquet"
EVERY_NS = 1_000_000_000
"""Between two rows that the exchanges give."""

_TYPES = {"time_ns": "BIGINT", "offset_ns": "BIGINT", "error_ns": "BIGINT", "path_delay_ns": "BIGINT",
          "frequency_ppb": "DOUBLE"}  # fmt: skip
COLUMNS = {field.name: _TYPES.get(field.name, "VARCHAR") for field in fields(Reading)}


def write_timing(directory: Path, readings: Sequence[Reading]) -> Path:
    """Writes the sync log into a run's directory, whole or not at all. StoreError when that fails."""
    rows = sorted(readings, key=lambda reading: reading.time_ns)
    values = [tuple(getattr(row, name) for name in COLUMNS) for row in rows]
    return table_file(directory / TIMING_NAME, COLUMNS, values)


def from_path(path: ClockPath) -> Iterator[Reading]:
    """What the exchanges say of the clocks, once a second."""
    bins, last = path.bins, None
    for place in range(len(bins)):
        when = int(bins.time_ns[place])
        if last is not None and when - last < EVERY_NS:
            continue
        rate = None
        if place:
            gone = float(bins.time_ns[place] - bins.time_ns[place - 1])
            rate = float(np.diff(path.offset_ns[place - 1 : place + 1])[0]) / gone * 1e9 if gone > 0 else None
        last = when
        yield Reading(
            time_ns=when,
            host="reflector",
            source="exchange",
            reference="sender",
            offset_ns=int(path.offset_ns[place]),
            error_ns=int(path.error_ns[place]),
            frequency_ppb=rate,
        )
