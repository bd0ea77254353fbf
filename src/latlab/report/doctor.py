# SPDX-License-Identifier: Apache-2.0
"""What `latlab doctor` prints: attachment x bench, what is missing with the command that mends it, and this machine."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.text import Text

from latlab.doctor import Diagnosis
from latlab.doctor.benches import AttachmentState, BenchState
from latlab.doctor.finding import Finding
from latlab.needs import Missing
from latlab.report.layout import WIDTH, paragraph, printable

ASIDE = 3
"""Benches beside each other; more of them follow below."""
_NARROWEST = 24


def doctor_json(found: Diagnosis) -> dict[str, Any]:
    """`ready` per attachment; `missing` and the options that cannot be had, each with its reason and command."""
    return {
        "benches": [
            {
                "name": bench.name,
                "kind": bench.kind,
                "about": bench.about,
                "attachments": {state.kind: _state_json(state) for state in bench.attachments},
            }
            for bench in found.benches
        ],
        "machine": [asdict(finding) for finding in found.machine],
    }


def _state_json(state: AttachmentState) -> dict[str, Any]:
    return {
        "ready": state.ready,
        "missing": [asdict(m) for m in state.missing],
        "without": [{"option": option, **asdict(m)} for option, m in state.limits],
    }


def doctor_text(found: Diagnosis) -> Text:
    """The same for a person."""
    text = Text()
    numbers = _numbers(found.benches)
    for start in range(0, len(found.benches), ASIDE):
        _table(text, found.benches[start : start + ASIDE], numbers)
    _remedies(text, numbers)
    text.append("\n benches\n", "bold")
    width = max(len(bench.name) for bench in found.benches) + 2
    for bench in found.benches:
        paragraph(text, f"   {printable(bench.name):<{width}}", bench.about)
    _machine(text, found)
    return text


def _numbers(benches: Sequence[BenchState]) -> dict[Missing, int]:
    """Each missing thing once, in the order in which the table names them."""
    numbers: dict[Missing, int] = {}
    for row in zip(*(bench.attachments for bench in benches), strict=True):
        for state in row:
            for lacking in (*state.missing, *(m for _, m in state.limits)):
                numbers.setdefault(lacking, len(numbers) + 1)
    return numbers


def _table(text: Text, benches: Sequence[BenchState], numbers: dict[Missing, int]) -> None:
    kinds = [state.kind for state in benches[0].attachments]
    label = max(len(kind) for kind in ("attachment", *kinds)) + 5
    width = max(_NARROWEST, (WIDTH - label) // len(benches))
    head = "".join(f"{clip(bench.name, width - 2):<{width}}" for bench in benches)
    text.append(f"{' attachment':<{label}}{head}".rstrip() + "\n", "bold")
    for row, kind in enumerate(kinds):
        states = [bench.attachments[row] for bench in benches]
        cells = [textwrap.wrap(_cell(state, numbers), width - 2) or [""] for state in states]
        mark = "  " if all(state.ready for state in states) else "✗ " if not any(s.ready for s in states) else "⚠ "
        for line in range(max(map(len, cells))):
            first = f" {mark}{kind}" if line == 0 else ""
            parts = [f"{(cell[line] if line < len(cell) else ''):<{width}}" for cell in cells]
            text.append(f"{first:<{label}}{''.join(parts)}".rstrip() + "\n")


def clip(words: str, width: int) -> str:
    words = printable(words)
    return words if len(words) <= width else words[: width - 1] + "…"


def _cell(state: AttachmentState, numbers: dict[Missing, int]) -> str:
    if not state.ready:
        return "needs " + ", ".join(f"{printable(m.what)} ({numbers[m]})" for m in state.missing)
    without = ", ".join(f"{option} ({numbers[m]})" for option, m in state.limits)
    return f"ready, but not {without}" if without else "ready"


def _remedies(text: Text, numbers: dict[Missing, int]) -> None:
    if not numbers:
        return
    text.append("\n what mends it\n", "bold")
    for lacking, number in numbers.items():
        paragraph(text, f"   {number:>2}  ", f"{lacking.what}: {lacking.why}")
        _command(text, "       ", lacking.command)


def _machine(text: Text, found: Diagnosis) -> None:
    text.append("\n this machine", "bold").append(f"  {printable(found.headline)}\n")
    width = max((len(finding.what) for finding in found.machine), default=0) + 2
    for finding in found.machine:
        mark = " ⚠ " if finding.cost else "   "
        paragraph(text, f"{mark}{printable(finding.what):<{width}}", _told(finding), "yellow" if finding.cost else "")
        if finding.cost:
            _command(text, " " * (width + 3) + "Try: ", finding.remedy)


def _told(finding: Finding) -> str:
    return f"{finding.state}: {finding.cost}" if finding.cost else finding.state


def _command(text: Text, first: str, command: str) -> None:
    """Never folded: it is there to be copied."""
    if command:
        text.append(f"{first}{printable(command)}\n")
