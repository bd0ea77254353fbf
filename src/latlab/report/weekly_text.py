# SPDX-License-Identifier: Apache-2.0
"""The weekly report as plain text, at most 100 columns: for a mail, and for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from latlab.report.journal import SECTIONS, Told
from latlab.report.layout import paragraph, printable, tables
from latlab.report.notes import append_notes, append_proofs
from latlab.report.weekly import SEVERAL, BenchPart, PublishedPart, Weekly

BEFORE = ("topics", "progress", "patches")
"""Sections of the journal that stand before the tables; the others follow them."""
TITLES = {name: name for name in SECTIONS} | {"questions": "open questions"}


def weekly_text(report: Weekly) -> Text:
    text = Text()
    text.append(f" latency report {report.number} · {report.today.isoformat()}\n", "bold")
    paragraph(text, " ", report.headline)
    for section in BEFORE:
        _section(text, section, report.journal.get(section, ()))
    for part in report.benches:
        _bench(text, part)
    if report.broken:
        text.append("\n")
    for reason in report.broken:
        paragraph(text, " ✗ ", reason, "red")
    for section in SECTIONS:
        if section not in BEFORE and section != "references":
            _section(text, section, report.journal.get(section, ()))
    _section(text, "references", report.journal.get("references", ()), report.sources)
    return text


def _section(text: Text, section: str, told: Sequence[Told], others: Sequence[str] = ()) -> None:
    if not told and not others:
        return
    text.append(f"\n {TITLES[section]}\n", "bold")
    width = max((len(one.item.state) for one in told), default=0)
    for one in told:
        state = printable(f"[{one.item.state}] ").ljust(width + 3) if width else ""
        if width and not one.item.state:
            state = " " * (width + 3)
        first = f"   - {state}"
        lines = one.item.text.split("\n")
        if one.carried and one.item.on is not None:
            lines[0] += f" (since {one.item.on.isoformat()})"
        _lines(text, first, lines)
    for source in others:
        paragraph(text, "   - ", source)


def _lines(text: Text, first: str, lines: Sequence[str]) -> None:
    """The lines of an item: those of one paragraph together, what is indented or code as it is."""
    code, gathered, indent = False, "", first
    below = " " * len(first)
    for line in [*lines, ""]:
        fence = line.lstrip().startswith(("```", "~~~"))
        plain = not (code or fence or line.startswith("  ")) and line.strip()
        if plain:
            gathered = f"{gathered} {line.strip()}".strip()
            continue
        if gathered:
            paragraph(text, indent, gathered)
            gathered, indent = "", below
        if line.strip():
            text.append(f"{indent}{printable(line)}\n")
            indent = below
        code ^= fence


def _bench(text: Text, part: BenchPart) -> None:
    text.append("\n")
    if part.title:
        text.append(f" bench {printable(part.title)}\n", "bold")
    text.append_text(tables(part.blocks))
    if part.instruments:
        text.append("\n").append_text(tables(part.instruments))
    documents, labels = part.told
    append_proofs(text, part.refuted)
    append_notes(text, documents, labels, part.blocks)
    if part.proven:
        count = sum(len(row.documents) for row in part.rows)
        paragraph(text, "   ", f"{part.proven} of {count} runs prove that their packets went the way they claim", "dim")
    if any(len(row.documents) > 1 for row in part.rows):
        paragraph(text, "   ", SEVERAL, "dim")
    _published(text, part.published)


def _published(text: Text, part: PublishedPart) -> None:
    if not part.values:
        return
    text.append("\n").append_text(tables(part.blocks))
    width = max((len(letter) for letter in part.letters.values()), default=0)
    for reason, letter in part.letters.items():
        paragraph(text, f" {letter:>{width}} ", reason, "dim")
