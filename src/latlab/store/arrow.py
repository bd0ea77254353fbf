# SPDX-License-Identifier: Apache-2.0
"""The rows of a DuckDB query as numpy arrays, batch by batch, without a copy and without pyarrow.

DuckDB gives a result as a stream of batches in memory that both understand (Arrow C data and stream interface,
https://arrow.apache.org/docs/format/CStreamInterface.html), and computes them while they are asked for: a result of any
length takes the memory of two batches. Fetching a batch holds no lock of Python's.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt

_FEW = 64
"""A column with one NULL in so many values, or fewer, is put right in these alone."""


class _Array(ctypes.Structure):
    """`struct ArrowArray` of that interface."""


_Array._fields_ = [
    ("length", ctypes.c_int64),
    ("null_count", ctypes.c_int64),
    ("offset", ctypes.c_int64),
    ("n_buffers", ctypes.c_int64),
    ("n_children", ctypes.c_int64),
    ("buffers", ctypes.POINTER(ctypes.c_void_p)),
    ("children", ctypes.POINTER(ctypes.POINTER(_Array))),
    ("dictionary", ctypes.POINTER(_Array)),
    ("release", ctypes.CFUNCTYPE(None, ctypes.POINTER(_Array))),
    ("private_data", ctypes.c_void_p),
]


class _Stream(ctypes.Structure):
    """`struct ArrowArrayStream` of that interface."""


_Stream._fields_ = [
    ("get_schema", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(_Stream), ctypes.c_void_p)),
    ("get_next", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(_Stream), ctypes.POINTER(_Array))),
    ("get_last_error", ctypes.CFUNCTYPE(ctypes.c_char_p, ctypes.POINTER(_Stream))),
    ("release", ctypes.CFUNCTYPE(None, ctypes.POINTER(_Stream))),
    ("private_data", ctypes.c_void_p),
]

_pointer_in = ctypes.pythonapi.PyCapsule_GetPointer
_pointer_in.restype, _pointer_in.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]


class _Batch:
    """Memory of DuckDB's, given back when nothing refers to it any more."""

    def __init__(self) -> None:
        self.array = _Array()

    def __del__(self) -> None:
        if self.array.release:
            self.array.release(ctypes.byref(self.array))


class _View:
    """A buffer of a batch, as numpy takes it; it keeps the batch."""

    def __init__(self, batch: _Batch, address: int, length: int, kind: str) -> None:
        self._batch = batch
        self.__array_interface__ = {"data": (address, True), "shape": (length,), "typestr": kind, "version": 3}


class Column:
    """One column of a batch: `length` values, of which `nulls` are NULL."""

    def __init__(self, batch: _Batch, place: int, dtype: np.dtype[Any]) -> None:
        self._array = batch.array.children[place].contents
        self._batch, self._dtype = batch, dtype
        self.length, self.nulls = int(self._array.length), int(self._array.null_count)

    def values(self) -> npt.NDArray[Any]:
        """Read only; 0 where NULL."""
        offset = int(self._array.offset)
        values = self._buffer(1, self._dtype.str, offset + self.length)[offset:]
        if not self.nulls:
            return values
        bits = self._buffer(0, "|u1", (offset + self.length + 7) // 8)
        values = values.copy()
        if self.nulls < self.length // _FEW:
            bytes_ = np.flatnonzero(bits != 0xFF)  # that of the last byte may be of no row
            places = (8 * bytes_[:, None] + np.flatnonzero(np.ones(8))).ravel()
            known = np.unpackbits(bits[bytes_], bitorder="little").view(bool)
            places = places[~known] - offset
            values[places[(places >= 0) & (places < self.length)]] = 0
        else:
            known = np.unpackbits(bits, bitorder="little", count=offset + self.length)[offset:].view(bool)
            values *= known
        return values

    def _buffer(self, number: int, kind: str, length: int) -> npt.NDArray[Any]:
        address = self._array.buffers[number]
        if not address or not length:
            return np.empty(0, kind)
        return np.asarray(_View(self._batch, address, length, kind))


def batches(result: duckdb.DuckDBPyRelation, dtypes: dict[str, np.dtype[Any]]) -> Iterator[dict[str, Column]]:
    """The columns of each batch of rows; `dtypes` names all of the columns, in their order, and what they hold.

    Raises duckdb.Error when the query fails on the way.
    """
    capsule = result.__arrow_c_stream__()  # it ends the stream when it goes
    stream = ctypes.cast(_pointer_in(capsule, b"arrow_array_stream"), ctypes.POINTER(_Stream))
    while True:
        batch = _Batch()
        if stream.contents.get_next(stream, ctypes.byref(batch.array)):
            told = stream.contents.get_last_error(stream) or b"no reason given"
            raise duckdb.Error(told.decode(errors="replace"))
        if not batch.array.release:
            return
        yield {name: Column(batch, place, dtype) for place, (name, dtype) in enumerate(dtypes.items())}
