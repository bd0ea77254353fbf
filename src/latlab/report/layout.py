# SPDX-License-Identifier: Apache-2.0
"""Text tables as latlab prints them: a title with the units, right-aligned numbers, at most 100 columns.

Not rich's own tables: a row here may hold a sentence in place of its numbers, and must look the same in a mail.
Styles are only added on top (`rich.text.Text`); `.plain` of what these functions return is the whole content.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TextIO

from rich.console import Console
from rich.text import Text

WIDTH = 100
_GAP = 2
_NARROWEST_LABEL = 24

MARKS = {"valid": "  ", "suspect": "⚠ ", "invalid": "✗ "}
STYLES = {"valid": "", "suspect": "yellow", "invalid": "red"}


@dataclass(frozen=True)
class Row:
    """`cells`: one text for each column, or one sentence instead of them all, or "": the label says everything.
    `verdict` chooses mark and colour.
    """

    label: str
    cells: Sequence[str] | str
    verdict: str = "valid"


@dataclass(frozen=True)
class Block:
    """Rows under one title. A block whose `message` is set has that in place of all rows."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Row]
    message: str = ""


def tables(blocks: Sequence[Block]) -> Text:
    """The blocks below each other, their columns in line."""
    count = max((len(block.columns) for block in blocks), default=0)
    widths = [max(_cell_widths(blocks, column), default=0) for column in range(count)]
    label_width = _label_width(blocks, sum(widths) + _GAP * count)
    text = Text()
    for number, block in enumerate(blocks):
        if number:
            text.append("\n")
        _append_block(text, block, label_width, widths)
    return text


def _cell_widths(blocks: Sequence[Block], column: int) -> list[int]:
    widths = []
    for block in blocks:
        if block.message:
            continue
        cells = [block.columns, *(row.cells for row in block.rows if not isinstance(row.cells, str))]
        widths += [len(texts[column]) for texts in cells if column < len(texts)]
    return widths


def _label_width(blocks: Sequence[Block], numbers: int) -> int:
    wanted = [len(block.title) + 1 for block in blocks if not block.message]
    wanted += [len(row.label) + 3 for block in blocks for row in block.rows]
    return max(_NARROWEST_LABEL, min(max(wanted, default=0), WIDTH - numbers))


def _append_block(text: Text, block: Block, label_width: int, widths: Sequence[int]) -> None:
    if block.message:
        text.append(" ").append(printable(block.title), "bold").append(f": {printable(block.message)}\n")
        return
    *above, last = textwrap.wrap(printable(block.title), label_width - 1) or [""]
    for line in above:
        text.append(f" {line}\n", "bold")
    text.append(f" {last}".ljust(label_width), "bold").append(f"{_numbers(block.columns, widths)}\n", "bold")
    for row in block.rows:
        first, *below = textwrap.wrap(printable(row.label), label_width - 3) or [""]
        style = STYLES[row.verdict]
        label = f" {MARKS[row.verdict]}{first}"
        if row.cells != "":
            label = label.ljust(label_width)
        cells = (
            f"{' ' * _GAP}{printable(row.cells)}".rstrip()
            if isinstance(row.cells, str)
            else _numbers(row.cells, widths)
        )
        text.append(label, style).append(f"{cells}\n", "" if row.verdict == "valid" else style)
        for line in below:
            text.append(f"     {line}\n", style)


def _numbers(cells: Sequence[str], widths: Sequence[int]) -> str:
    line = "".join(" " * _GAP + cell.rjust(width) for cell, width in zip(cells, widths, strict=False))
    return line.rstrip()  # a mail folds what ends with spaces


def paragraph(text: Text, first: str, body: str, style: str = "") -> None:
    """Append `first` and `body`, folded to the width, further lines indented below the body."""
    width = max(_NARROWEST_LABEL, WIDTH - len(first))  # a label may be as long as its writer liked
    lines = textwrap.wrap(printable(body), width, break_long_words=False, break_on_hyphens=False) or [""]
    text.append(f"{first}{lines[0]}\n", style)
    for line in lines[1:]:
        text.append(f"{' ' * len(first)}{line}\n", style)


def printable(words: str) -> str:
    """`words` without control characters: they may come from a program or a guest, and go to a terminal."""
    return "".join(letter if letter.isprintable() else " " for letter in words)


def microseconds(value_ns: float | None) -> str:
    """Three significant digits below 100 us, whole microseconds above; `-` for None."""
    if value_ns is None:
        return "-"
    value_us = value_ns / 1_000
    decimals = 2 if abs(value_us) < 9.995 else 1 if abs(value_us) < 99.95 else 0
    return f"{value_us:.{decimals}f}"


def bit_rate(bps: float) -> str:
    """Three significant digits and the unit: "14.9 Mbit/s"."""
    for size, name in ((1e9, "Gbit/s"), (1e6, "Mbit/s"), (1e3, "kbit/s")):
        if bps >= size * 0.9995:
            scaled = bps / size
            return f"{scaled:.0f} {name}" if scaled >= 999.5 else f"{scaled:.3g} {name}"
    return f"{bps:.0f} bit/s"


def print_text(text: Text, file: TextIO) -> None:
    """Write `text` to `file`: with colours on a terminal unless NO_COLOR is set, plainly elsewhere; never re-folded."""
    if isinstance(file, io.TextIOWrapper) and not _can_encode(text.plain, file.encoding):
        file.reconfigure(errors="replace")
    console = Console(file=file, highlight=False, soft_wrap=True)
    if console.is_terminal:
        console.print(text, end="")
    else:
        file.write(text.plain)  # 10,000 lines: a second sooner


def _can_encode(content: str, encoding: str) -> bool:
    try:
        content.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True
