# SPDX-License-Identifier: Apache-2.0
"""The weekly report as Markdown, for a merge request: tables, verdicts in words, and what is long folded away."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.text import Text

from latlab.report.escaping import fenced, inline, plain
from latlab.report.journal import SECTIONS, Told
from latlab.report.layout import Block, Row
from latlab.report.notes import append_notes, append_proofs
from latlab.report.table import emulation
from latlab.report.weekly import NEW, SEVERAL, BenchPart, PublishedPart, Weekly
from latlab.report.weekly_text import BEFORE, TITLES

_VERDICTS = {"valid": "valid", "suspect": "⚠ suspect", "invalid": "✗ invalid"}


def weekly_markdown(report: Weekly) -> str:
    """GitHub's and GitLab's form; the same content as `weekly_text`."""
    parts = [
        f"## Latency report {report.number}, {report.today.isoformat()}",
        f"{report.headline}. {_verdicts(report)}",
    ]
    parts += [_section(section, report.journal.get(section, ())) for section in BEFORE]
    for part in report.benches:
        parts += _bench(part)
    if report.broken:
        parts.append("\n".join(f"- ✗ {plain(reason)}" for reason in report.broken))
    parts += [
        _section(section, report.journal.get(section, ()))
        for section in SECTIONS
        if section not in BEFORE and section != "references"
    ]
    parts.append(_section("references", report.journal.get("references", ()), report.sources))
    return "\n\n".join(part for part in parts if part) + "\n"


def _verdicts(report: Weekly) -> str:
    """How many rows may be believed, and whether anything of it is emulated."""
    counts = Counter[str](row.verdict for row in report.rows)
    words = [f"{counts[verdict]} {verdict}" for verdict in _VERDICTS if counts[verdict]]
    benches = {emulation(row.documents[0].bench) for row in report.rows}
    emulated = " and ".join(sorted(benches - {""}))
    told = f"Rows: {', '.join(words)}." if words else "No run can be read."
    if not emulated:
        return told
    return f"{told} **{'All numbers' if '' not in benches else 'Some numbers'}: {emulated}.**"


def _section(section: str, told: Sequence[Told], others: Sequence[str] = ()) -> str:
    if not told and not others:
        return ""
    lines = [f"### {TITLES[section].capitalize()}", ""]
    lines += [_item(one) for one in told] + [f"- {plain(source)}" for source in others]
    return "\n".join(lines)


def _item(one: Told) -> str:
    first, *below = one.item.text.split("\n")
    state = f"**{plain(one.item.state)}**: " if one.item.state else ""
    since = f" *(since {one.item.on.isoformat()})*" if one.carried and one.item.on is not None else ""
    if first.lstrip().startswith(("```", "~~~")):
        first, below = "", [first, *below]
    lines = [f"- {state}{inline(first)}{since}".rstrip()]
    code: list[str] | None = None
    for line in below:
        if line.lstrip().startswith(("```", "~~~")):
            if code is not None:
                lines.append(fenced(code, "  "))
            code = [] if code is None else None
        elif code is not None:
            code.append(line)
        else:
            words = line.strip()
            nested = line.startswith("  ") and words[:2] in ("- ", "* ", "+ ")
            lines.append(f"  - {inline(words[2:])}" if nested else f"  {inline(words)}".rstrip())
    return "\n".join([*lines, *([fenced(code, "  ")] if code else [])])


def _bench(part: BenchPart) -> list[str]:
    parts = [f"### Bench {plain(part.title)}"] if part.title else []
    parts += [_table(block) for block in (*part.blocks, *part.instruments)]
    if any(len(row.documents) > 1 for row in part.rows):
        parts.append(f"{SEVERAL[0].upper()}{SEVERAL[1:]}.")
    documents, labels = part.told
    text = Text()
    append_notes(text, documents, labels, part.blocks)
    parts.append(_folded("Notes: reasons of ⚠ and ✗, what the load achieved, what was odd", text.plain))
    text = Text()
    append_proofs(text, documents)
    count = sum(len(row.documents) for row in part.rows)
    proof = f"Which way the packets went: {part.proven} of {count} runs prove it"
    parts.append(_folded(f"{proof}, {len(part.refuted)} were refuted" if part.refuted else proof, text.plain))
    parts.append(_published(part.published))
    return parts


def _table(block: Block, *, verdicts: bool = True) -> str:
    if block.message:
        return f"**{plain(block.title)}**: {plain(block.message)}"
    columns = [column for column in block.columns if column]
    head = ["", *map(plain, columns), *(["verdict"] if verdicts else [])]
    lines = [f"**{plain(block.title)}**", "", _line(head), _line([":--", *["--:"] * len(columns), ":--"][: len(head)])]
    return "\n".join([*lines, *(_line(_cells(row, columns)[: len(head)]) for row in block.rows)])


def _cells(row: Row, columns: Sequence[str]) -> list[str]:
    """A sentence in place of numbers stands in the last column, where the verdict is."""
    verdict, label = _VERDICTS[row.verdict], plain(row.label.strip())
    if isinstance(row.cells, str):
        sentence = row.cells.removesuffix(f" · {NEW}")
        label = f"**{NEW}** {label}" if sentence != row.cells else label
        words = plain(sentence if not sentence or row.verdict == "valid" else f"{verdict}: {sentence}")
        return [label, *("" for _ in columns), words or verdict]
    numbers, mark = row.cells[: len(columns)], row.cells[len(columns) :]
    return [f"**{NEW}** {label}" if NEW in mark else label, *(plain(cell) for cell in numbers), verdict]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _published(part: PublishedPart) -> str:
    if not part.values:
        return ""
    tables = [_table(block, verdicts=False) for block in part.blocks]
    told = "\n".join(f"- {letter}: {plain(reason)}" for reason, letter in part.letters.items())
    return _details("Published by the study, on real machines", "\n\n".join([*tables, told]))


def _folded(summary: str, content: str) -> str:
    lines = [line.rstrip() for line in content.strip("\n").split("\n")]
    return _details(summary, fenced(lines)) if any(lines) else ""


def _details(summary: str, content: str) -> str:
    return f"<details><summary>{summary}</summary>\n\n{content}\n\n</details>"
