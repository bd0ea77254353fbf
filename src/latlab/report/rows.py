# SPDX-License-Identifier: Apache-2.0
"""The rows of an SQL answer as text, CSV or JSON, piece by piece: the answer may be larger than the memory."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from latlab.report.layout import printable

MOST_SHOWN = 1_000
_WIDEST = 60
_NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT",
            "UHUGEINT", "FLOAT", "DOUBLE", "DECIMAL", "NUMBER")  # fmt: skip

Chunks = Iterable[Sequence[tuple[Any, ...]]]


def as_text(columns: Sequence[str], types: Sequence[str], chunks: Chunks) -> Iterator[str]:
    """A table of the first `MOST_SHOWN` rows, numbers to the right; NULL is "-", control characters are spaces."""
    rows: list[tuple[Any, ...]] = []
    more = False
    for chunk in chunks:
        rows += chunk[: MOST_SHOWN - len(rows) + 1]
        if len(rows) > MOST_SHOWN:
            rows, more = rows[:MOST_SHOWN], True
            break
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max([len(name), *(len(row[place]) for row in cells)]) for place, name in enumerate(columns)]
    right = [kind.partition("(")[0] in _NUMBERS for kind in types]
    for line in [[printable(name) for name in columns], *cells]:
        padded = (
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(line, widths, right, strict=True)
        )
        yield f" {'  '.join(padded)}".rstrip() + "\n"
    if more:
        yield f" ... and more than these {MOST_SHOWN} rows: --csv and --json have them all\n"


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.10g}"
    text = printable(value if isinstance(value, str) else str(plain(value)))
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 3]}..."


def as_csv(columns: Sequence[str], chunks: Chunks) -> Iterator[str]:
    """RFC 4180 with a header; NULL is an empty field, a list is JSON."""
    yield _csv_lines([columns])
    for chunk in chunks:
        yield _csv_lines([[_field(value) for value in row] for row in chunk])


def _csv_lines(rows: Iterable[Sequence[Any]]) -> str:
    """Lines that end as the system's do. Written with \\r\\n first: of the two, csv quotes only what ends its lines."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    lines = []
    for row in rows:
        writer.writerow(row)
        lines.append(text.getvalue().removesuffix("\r\n") + "\n")
        text.seek(0)
        text.truncate()
    return "".join(lines)


def _field(value: Any) -> Any:
    value = plain(value)
    return json.dumps(value) if isinstance(value, list | dict) else value


def as_json(columns: Sequence[str], chunks: Chunks) -> Iterator[str]:
    """A list of objects, one a line. What JSON has no word for is text; what is no number is null."""
    before = "[\n"
    for chunk in chunks:
        for row in chunk:
            values = dict(zip(columns, (plain(value) for value in row), strict=True))
            yield f"{before}{json.dumps(values, allow_nan=False)}"
            before = ",\n"
    yield "[]\n" if before == "[\n" else "\n]\n"


def plain(value: Any) -> Any:
    """`value` of DuckDB's Python client in JSON's types."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, bool | int | str) or value is None:
        return value
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set):
        return [plain(inner) for inner in value]
    return str(value)
