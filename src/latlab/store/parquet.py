# SPDX-License-Identifier: Apache-2.0
"""samples.raw -> samples.parquet, and reading it back, in memory that does not grow with the run's length.

One row per record: seq, flags, the stamps in ns of TAI (NULL = not taken), and how the clocks compared for that packet:
offset_ns, error_ns (NULL = unknown) and by which method.
The stream's header goes into the file's key-value metadata, as JSON under `latlab`. The file is written in parts of
`CHUNK_RECORDS` rows which DuckDB then joins: it can take numpy arrays only whole.
"""

from __future__ import annotations

import errno
import glob
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from functools import cached_property
from pathlib import Path

import duckdb
import numpy as np

from latlab.errors import StoreError
from latlab.stats.ahead import ahead, readers
from latlab.stats.clocks import NOT_COMPARED, Clocks
from latlab.stats.columns import Columns
from latlab.stats.records import CLOCK_SUSPECT, RECORD, STREAM_VERSION, Records, StreamHeader
from latlab.stats.stamps import STAMPS
from latlab.stats.ways import Times
from latlab.store.arrow import Column, batches
from latlab.store.disk import os_errors, store_error, sync_directory
from latlab.store.samples import CHUNK_RECORDS, PARQUET_NAME, RAW_NAME, RawReader

ROW_GROUP_RECORDS = 122_880
"""Larger ones take more memory; smaller ones more time, since every query reads the list of all of them."""

_SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "threads": 1,
    "memory_limit": "64MB",
    "autoinstall_known_extensions": False,  # DuckDB never fetches anything from the network
}
UNREADABLE = (duckdb.Error, UnicodeDecodeError)
"""What DuckDB raises for a damaged file: the second where its own message has a damaged name in it."""
_MAGIC = b"PAR1"
_STAMP_COLUMNS = [stamp.column for stamp in STAMPS]
_FIELDS = {"seq": "seq", "flags": "flags", **{stamp.field: stamp.column for stamp in STAMPS}}
"""Of a record, and the column of each."""
_CLOCKS = ("offset_ns", "error_ns")

_ENCODING = "FORMAT parquet, COMPRESSION snappy, PARQUET_VERSION v2"
"""Version 2 keeps integers as their differences: a third smaller than zstd alone makes them, and read five times as
fast. On top of that zstd saves nothing that snappy does not, and takes longer."""


def convert(directory: Path, clocks: Clocks = NOT_COMPARED) -> Path:
    """Turn the samples.raw of a run directory into samples.parquet and remove it; returns the new file.

    `clocks` says of each packet how far they were apart, and which were measured while one was not to be trusted.
    samples.raw goes only when the new file is whole and on disk. Raises StoreError, with samples.raw untouched.
    """
    raw, parquet = directory / RAW_NAME, directory / PARQUET_NAME
    reader = RawReader(raw)
    write_parquet(reader, parquet, clocks)
    with os_errors(raw, "removing"):
        raw.unlink()
    return parquet


def write_parquet(reader: RawReader, path: Path, clocks: Clocks = NOT_COMPARED) -> None:
    """The records of `reader` as the samples.parquet `path`, in one step. Raises StoreError."""
    temporary, parts = path.with_name(path.name + ".tmp"), path.with_name("samples.parts")
    try:
        with os_errors(path, "writing"):
            shutil.rmtree(parts, ignore_errors=True)
            parts.mkdir()
            _write(reader, clocks, parts, temporary)
            _sync(temporary)
            temporary.replace(path)
            sync_directory(path.parent)
    except duckdb.Error as error:
        raise translated(error, path, "writing") from error
    finally:
        shutil.rmtree(parts, ignore_errors=True)
        temporary.unlink(missing_ok=True)


def _write(reader: RawReader, clocks: Clocks, parts: Path, destination: Path) -> None:
    stamps = ", ".join(f"nullif({name}, 0) AS {name}" for name in _STAMP_COLUMNS)
    compared = "offset_ns, error_ns" if clocks.compared else "NULL::BIGINT AS offset_ns, NULL::BIGINT AS error_ns"
    rows = f"SELECT seq, flags, {stamps}, {compared}, {quoted(clocks.method)} AS method FROM chunk"
    header = json.dumps({**reader.header.as_dict(), "cut_bytes": reader.cut_bytes})
    with connect(temp_directory=str(parts)) as connection:
        for number, chunk in enumerate(_at_least_one(reader.chunks())):
            offset, error = clocks.of(chunk)
            suspect = np.where(clocks.suspect(chunk, error), CLOCK_SUSPECT, 0).astype(np.uint32)
            columns = {"seq": chunk["seq"], "flags": chunk["flags"] | suspect, "offset_ns": offset, "error_ns": error}
            columns |= {stamp.column: chunk[stamp.field] for stamp in STAMPS}
            connection.register("chunk", {name: np.ascontiguousarray(values) for name, values in columns.items()})
            connection.execute(f"COPY ({rows}) TO {quoted(parts / f'{number:08}.parquet')} (FORMAT parquet)")
            connection.unregister("chunk")
        connection.execute(
            f"COPY (SELECT * FROM read_parquet({readable(parts)[:-1]}/*.parquet')) TO {quoted(destination)} "
            f"({_ENCODING}, ROW_GROUP_SIZE {ROW_GROUP_RECORDS}, "
            f"KV_METADATA {{latlab: {quoted(header)}}})"
        )


def _at_least_one(chunks: Iterator[Records]) -> Iterator[Records]:
    """`chunks`, or one empty chunk: a run without records still gets a file with its columns."""
    first = next(chunks, None)
    yield np.empty(0, RECORD) if first is None else first
    yield from chunks


def from_json_lines(lines: Path, path: Path, columns: Mapping[str, str]) -> Path:
    """A file of JSON objects, one a line, as a Parquet file, with DuckDB's names for the types of its columns.

    StoreError, with no such Parquet file, when that fails.
    """
    temporary = path.with_name(path.name + ".tmp")
    kinds = ", ".join(f"{quoted(name)}: {quoted(kind)}" for name, kind in columns.items())
    read = f"read_json({readable(lines)}, format = 'newline_delimited', columns = {{{kinds}}})"
    try:
        with os_errors(path, "writing"), connect(temp_directory=str(path.parent)) as connection:
            connection.execute(f"COPY (FROM {read} ORDER BY time_ns) TO {quoted(temporary)} ({_ENCODING})")
            _sync(temporary)
            temporary.replace(path)
    except duckdb.Error as error:
        raise translated(error, path, "writing") from error
    finally:
        temporary.unlink(missing_ok=True)
    return path


class ParquetReader:
    """Reads samples.parquet. Raises StoreError for a file that is damaged or not latlab's."""

    def __init__(self, path: Path) -> None:
        self.path = path
        rows = self._query(
            f"SELECT decode(value) FROM parquet_kv_metadata({readable(path)}) WHERE decode(key) = 'latlab'"
        )
        counted = self._query(f"SELECT num_rows FROM parquet_file_metadata({readable(path)})")
        if not rows or not counted:
            raise StoreError(f"{path} was not written by latlab: it lacks the stream's header")
        try:
            values = json.loads(str(rows[0][0]))
            self.cut_bytes = int(values.pop("cut_bytes"))
            newer = int(values.get("version", 1)) > STREAM_VERSION
            known = {field.name: values[field.name] for field in fields(StreamHeader) if field.name in values}
            self.header = StreamHeader(**known)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise StoreError(f"{path}: the stream's header in it is damaged: {error}") from error
        if newer:
            raise StoreError(
                f"{path} has the stream's version {values['version']}; this latlab reads up to {STREAM_VERSION}",
                hint="upgrade latlab to the version that wrote it, or a later one",
            )
        self.records = int(str(counted[0][0]))

    def chunks(self) -> Iterator[Records]:
        for columns in self.columns():
            for piece in columns.pieces(CHUNK_RECORDS):
                yield piece.records()

    def columns(self) -> Iterator[Columns]:
        there = [name for name, column in _FIELDS.items() if column not in self._nowhere]
        selected = ", ".join(_FIELDS[name] for name in there)
        dtypes = {name: RECORD[name] for name in there}
        try:
            with connect() as connection:
                connection.execute(f"SET threads = {readers()}")  # the rows keep their order all the same
                found = connection.sql(f"SELECT {selected} FROM read_parquet({readable(self.path)})")
                for batch in ahead(batches(found, dtypes)):
                    yield from _columns(batch).pieces()
        except UNREADABLE as error:
            raise translated(error, self.path, "reading") from error

    def with_clocks(self, fields: Sequence[str]) -> Iterator[tuple[Columns, Times, Times]]:
        there = {str(row[0]) for row in self._query(f"DESCRIBE SELECT * FROM read_parquet({readable(self.path)})")}
        clocks = [name for name in _CLOCKS if name in there]  # older versions did not know them
        columns = {name: _FIELDS[name] for name in fields} | dict(zip(clocks, clocks, strict=True))
        dtypes = {name: RECORD[name] for name in fields} | dict.fromkeys(clocks, np.dtype("<i8"))
        try:
            with connect() as connection:
                found = connection.sql(f"SELECT {', '.join(columns.values())} FROM read_parquet({readable(self.path)})")
                for batch in ahead(batches(found, dtypes)):
                    length = batch[fields[0]].length
                    nothing = np.zeros(length, np.int64)
                    offset, error = (batch[name].values() if name in batch else nothing for name in _CLOCKS)
                    yield Columns.held(length, {name: batch[name].values() for name in fields}), offset, error
        except UNREADABLE as error:
            raise translated(error, self.path, "reading") from error

    @cached_property
    def _nowhere(self) -> set[str]:
        """Columns that are NULL in each row; to read them takes time."""
        return {
            str(name)
            for name, empty in self._query(
                "SELECT path_in_schema, bool_and(stats_null_count = num_values) "
                f"FROM parquet_metadata({readable(self.path)}) GROUP BY path_in_schema"
            )
            if empty
        }

    def _query(self, sql: str) -> list[tuple[object, ...]]:
        try:
            with connect() as connection:
                return connection.execute(sql).fetchall()
        except UNREADABLE as error:
            raise translated(error, self.path, "reading") from error


def _columns(batch: dict[str, Column]) -> Columns:
    length = batch["seq"].length
    nowhere = [name for name in _FIELDS if name not in batch or batch[name].nulls == length]
    return Columns(length, lambda name: batch[name].values(), nowhere)


def connect(**settings: str) -> duckdb.DuckDBPyConnection:
    """DuckDB in memory, with one thread and 64 MB unless `settings` say otherwise; it never asks the network."""
    connection = duckdb.connect(":memory:", config={**_SETTINGS, **settings})
    # Where Python has no main file, DuckDB takes it for interactive and prints a bar to stdout for slow statements.
    connection.execute("SET enable_progress_bar = false")
    return connection


def quoted(text: Path | str) -> str:
    """`text` as an SQL string."""
    return "'" + str(text).replace("'", "''") + "'"


def readable(path: Path) -> str:
    """`path` as an SQL string for DuckDB's readers, which take a name for a pattern."""
    return quoted(glob.escape(str(path)))


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def translated(error: Exception, path: Path, doing: str) -> StoreError:
    """DuckDB gives the operating system's reason only as text."""
    text = str(error)
    if "No space left" in text or "Disk quota" in text:
        return store_error(OSError(errno.ENOSPC, "no space left"), path, doing)
    if doing == "reading" and (where := damage(path)):
        return StoreError(f"{path} is damaged {where}")
    return StoreError(f"{doing} {path} failed: {text.splitlines()[0]}")


def whole(path: Path) -> bool:
    """Whether a Parquet file begins and ends as one: quick, and enough to see that it was cut off."""
    return _ends(path)[1] is None


def _ends(path: Path) -> tuple[int, str | None]:
    """Size of the footer, and what is wrong with the file's two ends."""
    with os_errors(path, "reading"), path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        begins = file.read(len(_MAGIC)) == _MAGIC
        file.seek(max(0, size - 8))
        tail = file.read()
    if not begins:
        return 0, "at byte 0: it does not begin as a Parquet file"
    if size < 12 or not tail.endswith(_MAGIC):
        return 0, f"at byte {size}: it ends in the middle, without its footer"
    return int.from_bytes(tail[:4], "little"), None


def damage(path: Path) -> str | None:
    """Where a Parquet file cannot be read, in words, with the offset of the part that is damaged; None if it can be."""
    footer, wrong = _ends(path)
    if wrong is not None:
        return wrong
    size = path.stat().st_size
    first = begin = before = 0
    with connect() as connection:
        try:
            parts = connection.execute(
                "SELECT row_group_id, row_group_num_rows, path_in_schema, "
                f"least(data_page_offset, coalesce(dictionary_page_offset, data_page_offset)) "
                f"FROM parquet_metadata({readable(path)}) ORDER BY row_group_id, column_id"
            ).fetchall()
        except UNREADABLE:
            return f"at byte {max(0, size - 8 - footer)}: its footer, of {footer} bytes, cannot be read"
        for group, rows, column, offset in parts:
            if group != first:
                first, begin = group, begin + before
            before = rows
            name = '"' + str(column).replace('"', '""') + '"'
            try:
                connection.execute(
                    f"SELECT bit_xor(hash({name})) FROM read_parquet({readable(path)}, file_row_number=true) "
                    f"WHERE file_row_number >= {begin} AND file_row_number < {begin + rows}"
                ).fetchall()
            except UNREADABLE:
                last = begin + rows - 1
                return f"in the part that begins at byte {offset} of {size}: {column} of rows {begin} to {last}"
    return None
