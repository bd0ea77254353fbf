# SPDX-License-Identifier: Apache-2.0
"""Records column by column: what the statistics work on.

A record is 136 bytes, so a column of an array of records touches a cache line for each packet, and the statistics look
at each of eleven columns several times. `Columns` gives each column as an array of its own, taken when it is first
asked for; parts of it are taken column by column, too, and only those that are asked for. Rows that are all of them are
no copy. It is indexed like an array of records: `columns["w"]`, `columns[mask]`, `columns[10:20]`; it is read only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from latlab.stats.records import RECORD, Records

Column = npt.NDArray[Any]
Places = npt.NDArray[np.intp]
Rows = npt.NDArray[Any] | slice
"""A mask, places, or a slice."""

PIECE = 131_072
"""Rows that are worked on at a time: of fewer, Python takes more time for itself than the work."""


_NO_PLACES = np.empty(0, np.intp)
_FEW = 512
"""With no more than one row in so many left out, they are taken stretch by stretch."""


class Columns:
    """`find` gives a column by its field's name in `RECORD`: an array of `length`; it is asked once for each."""

    def __init__(self, length: int, find: Callable[[str], Column], nowhere: Iterable[str] = ()) -> None:
        """`nowhere`: the stamps that none of the rows carries, as far as that is known."""
        self._length, self._find = length, find
        self._taken: dict[str, Column] = {}
        self._edges: dict[str, tuple[int, int]] = dict.fromkeys(nowhere, (0, 0))
        self._absent: dict[str, Places] = {}
        self._lacking: dict[int, Places] = {}

    @classmethod
    def of(cls, records: Records | Columns) -> Columns:
        """The same rows; `Columns` as they are."""
        if isinstance(records, Columns):
            return records
        return cls(len(records), lambda name: np.ascontiguousarray(records[name]))

    @classmethod
    def held(cls, length: int, columns: Mapping[str, Column]) -> Columns:
        """Of columns that are there already. A field without one is nowhere."""
        none = [name for name in RECORD.names or () if name not in columns]
        return cls(length, columns.__getitem__, none)

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, wanted: str) -> Column: ...
    @overload
    def __getitem__(self, wanted: Rows) -> Columns: ...
    def __getitem__(self, wanted: str | Rows) -> Column | Columns:
        if isinstance(wanted, str):
            return self._column(wanted)
        if isinstance(wanted, slice):
            length = len(range(*wanted.indices(self._length)))
        else:
            length = int(np.count_nonzero(wanted)) if wanted.dtype == bool else len(wanted)
        if length == self._length and (isinstance(wanted, slice) or wanted.dtype == bool) and not _backward(wanted):
            return self
        nowhere = [name for name, edges in self._edges.items() if edges == (0, 0) and name != "seq"]
        if isinstance(wanted, slice) or wanted.dtype != bool:
            return Columns(length, lambda name: self._column(name)[wanted], nowhere)
        places = np.flatnonzero(~wanted)
        return Columns(length, lambda name: without(self._column(name), places), nowhere)

    def _column(self, name: str) -> Column:
        if name not in self._taken:
            if self._edges.get(name) == (0, 0):
                self._taken[name] = np.broadcast_to(np.zeros(1, RECORD[name]), self._length)
            else:
                self._taken[name] = self._find(name)
        return self._taken[name]

    def edges(self, name: str) -> tuple[int, int]:
        """The smallest and the largest of a column; zeros for no rows."""
        if name not in self._edges:
            column = self._column(name)
            self._edges[name] = (int(column.min()), int(column.max())) if self._length else (0, 0)
        return self._edges[name]

    def whole(self, stamp: str) -> bool:
        """Whether each row carries this stamp, as far as that is quickly told."""
        return self.edges(stamp)[0] > 0 or not self._length

    def none(self, stamp: str) -> bool:
        """Whether no row carries this stamp."""
        return self.edges(stamp) == (0, 0)

    def absent(self, stamp: str) -> Places:
        """The rows that do not carry this stamp, in order. Not to be asked of what is known to be in none of them."""
        if stamp not in self._absent:
            self._absent[stamp] = np.flatnonzero(self[stamp] == 0) if not self.whole(stamp) else _NO_PLACES
        return self._absent[stamp]

    def lacking(self, mask: int) -> Places:
        """The rows whose flags have none of these, in order."""
        if mask not in self._lacking:
            alike = self.alike is not None and self.alike & mask
            self._lacking[mask] = _NO_PLACES if alike else np.flatnonzero(self["flags"] & mask == 0)
        return self._lacking[mask]

    def having(self, mask: int) -> Columns:
        """The rows whose flags have one of these."""
        out = self.lacking(mask)
        if not len(out):
            return self
        nowhere = [name for name, edges in self._edges.items() if edges == (0, 0) and name != "seq"]
        return Columns(self._length - len(out), lambda name: without(self._column(name), out), nowhere)

    @property
    def alike(self) -> int | None:
        """The flags of all rows, if they are the same; None if they differ, or there are no rows."""
        low, high = self.edges("flags")
        return low if self._length and low == high else None

    @property
    def seq(self) -> npt.NDArray[np.int64]:
        """Numbers of the packets, signed."""
        return self["seq"].view(np.int64) if self["seq"].flags.c_contiguous else self["seq"].astype(np.int64)

    def records(self) -> Records:
        """The same rows as an array of records."""
        found = np.zeros(self._length, RECORD)
        for name in RECORD.names or ():
            if name != "reserved" and self._edges.get(name) != (0, 0):
                found[name] = self._column(name)
        return found

    def pieces(self, size: int = PIECE) -> Iterator[Columns]:
        """The rows in their order, so many at a time."""
        for start in range(0, self._length, size):
            yield self[start : start + size]


def without(values: npt.NDArray[Any], places: Places) -> npt.NDArray[Any]:
    """`values` but for those at these places, which are in order, each once. Fast where they are few."""
    if not len(places):
        return values
    if len(places) > len(values) // _FEW:
        kept = np.ones(len(values), bool)
        kept[places] = False
        return values[kept]
    ends = zip([0, *(places + 1).tolist()], [*places.tolist(), len(values)], strict=True)
    return np.concatenate([values[begin:end] for begin, end in ends])


def _backward(rows: Rows) -> bool:
    return isinstance(rows, slice) and (rows.step or 1) < 0


def columns_of(chunks: Iterable[Records | Columns]) -> Iterator[Columns]:
    for chunk in chunks:
        yield Columns.of(chunk)
