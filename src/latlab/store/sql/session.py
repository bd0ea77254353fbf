# SPDX-License-Identifier: Apache-2.0
"""Asking DuckDB about runs so that nothing can be written and nothing but the runs can be read.

What stands between a query and the disk, each tested alone:
- DuckDB may open no file but those of the runs' tables (`enable_external_access`, `allowed_paths`), nor load an
  extension, nor change these settings (`lock_configuration`);
- it is one SELECT statement;
- and its plan has no step that writes: since DuckDB 2.0 a SELECT may hold `WITH x AS (COPY ... TO ...)`.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt

from latlab.errors import StoreError, UsageError
from latlab.store.entry import Entry
from latlab.store.parquet import UNREADABLE, connect, quoted, readable
from latlab.store.sql.tables import Made, make

MEMORY = "1GB"
"""Beyond it, DuckDB uses a temporary directory, which goes when the query ends."""
FETCHED_ROWS = 10_000
_WRITING = re.compile(r"COPY|INSERT|UPDATE|DELETE|MERGE|CREATE|DROP|ALTER|ATTACH|EXPORT|WRITE|LOAD|PRAGMA|VACUUM")
_OF_FILES = (
    UnicodeDecodeError,
    duckdb.Error,
    duckdb.IOException,
    duckdb.InvalidInputException,
    duckdb.InternalException,
)
"""What DuckDB raises for a damaged file. It does not always say which."""


@dataclass(frozen=True)
class Answer:
    """Rows as they come; `types` are DuckDB's names. `remarks` are of runs that could not be read."""

    columns: list[str]
    types: list[str]
    chunks: Iterator[list[tuple[Any, ...]]]
    remarks: list[str]
    _found: duckdb.DuckDBPyConnection

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """All of it, in memory: an array for each column, masked where there are NULLs. Instead of `chunks`."""
        found = self._found.fetchnumpy().values()
        return {name: _lists(column) for name, column in zip(self.columns, found, strict=True)}

    def rows(self) -> list[tuple[Any, ...]]:
        """All of them, in memory."""
        return [row for chunk in self.chunks for row in chunk]


@contextmanager
def asking(entries: Sequence[Entry], sql: str) -> Iterator[Answer]:
    """The answer to `sql` over these runs; it is read inside the block, in memory that its size does not matter to.

    UsageError for a query that cannot be understood or that may write; StoreError when a file cannot be read.
    """
    query = one_select(sql)
    with session(entries, sql) as (connection, made):
        _lock(connection, made)
        try:
            check_plan(connection, query)
            found = connection.execute(query)
            described = found.description or []
            columns, types = _different([str(column[0]) for column in described]), [str(kind[1]) for kind in described]
            yield Answer(columns, types, _chunks(found, made), made.remarks, found)
        except UNREADABLE as error:
            raise _told(error, made) from error


@contextmanager
def session(entries: Sequence[Entry], names: str) -> Iterator[tuple[duckdb.DuckDBPyConnection, Made]]:
    """A DuckDB connection that has those tables of these runs whose names occur in the text `names`. Not locked."""
    with tempfile.TemporaryDirectory(prefix="latlab-sql-") as folder:
        spill = Path(folder, "spill")
        connection = connect(threads="2", memory_limit=MEMORY, temp_directory=str(spill))
        try:
            connection.execute("SET TimeZone = 'UTC'")
            yield connection, make(connection, entries, names, Path(folder))
        finally:
            connection.close()


def one_select(sql: str) -> str:
    """`sql`, if it is one SELECT statement (or one that DuckDB takes for one: FROM, VALUES, DESCRIBE, SHOW, SUMMARIZE).

    UsageError else.
    """
    try:
        statements = duckdb.extract_statements(sql)
    except duckdb.Error as error:
        raise _told(error, None) from error
    if len(statements) != 1:
        raise UsageError(
            f"one query at a time; these are {len(statements)}" if statements else "there is no query",
            hint='such as: latlab sql "SELECT run, p99_ns FROM runs"; DESCRIBE runs, samples, ... show the columns',
        )
    if statements[0].type != duckdb.StatementType.SELECT:
        raise UsageError(
            f"a query is one SELECT; this is {statements[0].type.name}", hint="runs and samples can only be read"
        )
    return statements[0].query


def check_plan(connection: duckdb.DuckDBPyConnection, query: str) -> None:
    """UsageError if a step of the query's plan writes."""
    explained = connection.execute(f"EXPLAIN (FORMAT json) {query}").fetchall()
    for step in _steps(json.loads(explained[0][1])):
        if _WRITING.search(step.upper()):
            raise UsageError(f"a query may only read; this one has the step {step}")


def _lists(column: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """`column`, with lists where DuckDB has arrays in it."""
    if column.dtype.kind == "O":
        for place, value in enumerate(column):
            if isinstance(value, np.ndarray):
                column[place] = value.tolist()
    return column


def _different(names: Sequence[str]) -> list[str]:
    """Columns of the same name get numbers, as DuckDB gives them in a table: lost, lost_1."""
    found: list[str] = []
    for name in names:
        number, unique = 0, name
        while unique in found:
            number += 1
            unique = f"{name}_{number}"
        found.append(unique)
    return found


def _steps(plan: Any) -> Iterator[str]:
    for part in plan if isinstance(plan, list) else [plan]:
        yield str(part.get("name", ""))
        yield from _steps(part.get("children", []))


def _lock(connection: duckdb.DuckDBPyConnection, made: Made) -> None:
    # A path with *, ? or [ in it is looked up as the pattern that it is written as, too.
    allowed = dict.fromkeys(form(path) for path in made.files for form in (quoted, readable))
    connection.execute(f"SET allowed_paths = [{', '.join(allowed)}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def _chunks(found: duckdb.DuckDBPyConnection, made: Made) -> Iterator[list[tuple[Any, ...]]]:
    try:
        while rows := found.fetchmany(FETCHED_ROWS):
            yield rows
    except UNREADABLE as error:
        raise _told(error, made) from error


def _told(error: Exception, made: Made | None) -> UsageError | StoreError:
    """DuckDB's error in one line, with the names that it proposes as the hint."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    message = re.sub(r"^[A-Z][A-Za-z ]*Error: ", "", lines[0] if lines else type(error).__name__)
    proposed = next((line for line in lines[1:] if line.startswith(("Candidate", "Did you mean"))), "")
    if made is not None and type(error) in _OF_FILES and (broken := made.damaged()):
        return StoreError(broken[0], hint="show and list still have what its run.json says")
    if isinstance(error, duckdb.PermissionException):
        return UsageError(f"sql: {message}", hint="a query can read the runs' own tables, and write nothing")
    return UsageError(f"sql: {message}", hint=proposed or "DESCRIBE runs shows the columns of a table")
