# SPDX-License-Identifier: Apache-2.0
"""A table in memory: numpy columns with their units, and from there to pandas and polars where they are installed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from latlab.errors import UsageError


@dataclass(frozen=True, repr=False)
class Table:
    """`columns`: an array for each, all of one length, masked (numpy.ma) where a value is missing. Times are int64.

    `units`: of the columns that have one; "ns TAI" is a time of a clock, in ns since 1970, leap seconds included.
    `remarks`: what was left out of it, and why.
    """

    columns: dict[str, npt.NDArray[Any]]
    units: dict[str, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def __repr__(self) -> str:
        return f"<{len(self)} rows of {', '.join(self.columns)}>"

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        """A column. UsageError if there is no such."""
        if name not in self.columns:
            raise UsageError(f"there is no column {name!r}", hint=f"there are {', '.join(self.columns)}")
        return self.columns[name]

    def rows(self) -> Iterator[dict[str, Any]]:
        """A dict for each row, in Python's own types; None where a value is missing."""
        lists = [column.tolist() for column in self.columns.values()]
        for values in zip(*lists, strict=True):
            yield dict(zip(self.columns, values, strict=True))

    def pandas(self) -> Any:
        """A pandas.DataFrame: integers stay integers where values are missing (Int64). `attrs["units"]` has the units.

        UsageError if pandas is not installed.
        """
        pandas = _installed("pandas")
        series = {}
        for name, column in self.columns.items():
            values, missing = _parts(column)
            if missing is None:
                series[name] = values
            elif values.dtype.kind in "iu":
                series[name] = pandas.arrays.IntegerArray(values.copy(), missing.copy())
            elif values.dtype.kind == "b":
                series[name] = pandas.arrays.BooleanArray(values.copy(), missing.copy())
            else:
                series[name] = pandas.Series(values).mask(missing)
        frame = pandas.DataFrame(series)
        frame.attrs["units"] = dict(self.units)
        return frame

    def polars(self) -> Any:
        """A polars.DataFrame; null where a value is missing. UsageError if polars is not installed."""
        polars = _installed("polars")
        series = []
        for name, column in self.columns.items():
            values, missing = _parts(column)
            if values.dtype.kind == "O":
                series.append(polars.Series(name, column.tolist()))
                continue
            whole = polars.Series(name, values)
            if missing is not None:
                present = polars.Series(~missing)
                whole = polars.select(polars.when(present).then(whole).alias(name)).to_series()
            series.append(whole)
        return polars.DataFrame(series)


def _parts(column: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_] | None]:
    """Values, and where they are missing; None if nowhere."""
    missing = np.ma.getmaskarray(column)
    return np.ma.getdata(column), missing if missing.any() else None


def _installed(name: str) -> Any:
    from importlib import import_module

    try:
        return import_module(name)
    except ImportError as error:
        raise UsageError(f"{name} is not installed", hint=f"pip install {name}; numpy arrays need nothing") from error


def units_of(columns: Mapping[str, Any], known: Mapping[str, str]) -> dict[str, str]:
    """The units of those columns that have one: as known, or "ns" where the name ends so."""
    return {name: unit for name in columns if (unit := known.get(name, "ns" if name.endswith("_ns") else ""))}
