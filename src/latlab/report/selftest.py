# SPDX-License-Identifier: Apache-2.0
"""What `latlab selftest` prints: the criteria, the floor, every case, the confusion matrix, and what was left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from rich.text import Text

from latlab.report.layout import Block, Row, microseconds, paragraph, tables
from latlab.selftest.faults import Unit
from latlab.selftest.score import UNDECIDED, Case, Criterion, Score

SAID = {True: "holds", False: "does not hold", None: "not tested"}
STYLE = {True: "valid", False: "invalid", None: "valid"}


def selftest_json(score: Score) -> dict[str, Any]:
    """`floor`, `injections` (those that are worst first: a clock that was called network), `criteria`, `left_out`.

    `size`, `true_size`, `reported` and `bound` in the `unit` of the injection. `verdict` is `undecided` when nothing
    was claimed. `reported_kind` and `also` say what else was said about it.
    """
    floor = score.floor
    return {
        "floor": {
            "level_ns": floor.level_ns,
            "forward_ns": floor.forward_ns,
            "return_ns": floor.return_ns,
            "single_ns": dict(floor.single_ns),
            "packets": dict(floor.packets),
            "round_trip_ns": floor.round_trip_ns,
            "windows": floor.windows,
        },
        "passed": score.passed,
        "criteria": [{"what": c.what, "found": c.found, "holds": c.holds} for c in score.criteria],
        "injections": [_case_json(case) for case in worst_first(score.cases)],
        "elsewhere": score.elsewhere,
        "left_out": [{"kind": kind, "reason": reason} for kind, reason in score.left_out],
    }


def _case_json(case: Case) -> dict[str, Any]:
    injection, claim = case.injection, case.claim
    fault = injection.fault
    return {
        "number": fault.number,
        "kind": fault.kind,
        "way": fault.way,
        "unit": fault.of.unit,
        "size": fault.size,
        "true_size": injection.true_size,
        "true_error": injection.true_error,
        "floor": fault.floor,
        "above_floor": injection.above_floor,
        "start_ns": injection.start_ns,
        "end_ns": injection.end_ns,
        "reported": case.reported,
        "bound": case.bound,
        "verdict": case.verdict,
        "reported_kind": claim.kind if claim else None,
        "reported_way": claim.way if claim else None,
        "named": case.named,
        "inside": case.inside,
        "as_network": case.as_network,
        "right": case.right,
        "also": [f"{c.verdict} {c.kind}" for c in case.also],
    }


def worst_first(cases: Sequence[Case]) -> list[Case]:
    """A clock's fault that was called network, then what is wrong, then the rest; each in the order of injection."""
    return sorted(cases, key=lambda case: (not case.as_network, case.right, case.injection.fault.number))


def selftest_text(score: Score) -> Text:
    """The same for a person."""
    floor = score.floor
    text = Text()
    text.append_text(tables([_cases(score.cases)]))
    text.append("\n").append_text(tables([_confusion(score.cases)]))
    text.append("\n")
    paragraph(text, " floor   ", _floor_words(score))
    paragraph(text, "         ", f"of {floor.windows} quiet windows of 1 s; the median round trip is "
              f"{microseconds(floor.round_trip_ns)} us")  # fmt: skip
    if score.elsewhere:
        paragraph(text, " beside  ", f"{score.elsewhere} anomalies were reported where nothing was injected")
    for kind, reason in score.left_out:
        paragraph(text, " left out  ", f"{kind}: {reason}", "yellow")
    text.append("\n").append_text(tables([_criteria(score.criteria)]))
    right = sum(case.right for case in score.cases)
    text.append(f"\n {right} of {len(score.cases)} right: {'passed' if score.passed else 'not passed'}\n", "bold")
    return text


def _floor_words(score: Score) -> str:
    floor = score.floor
    counted = ", ".join(f"{count} {name}" for name, count in floor.packets.items())
    return (
        f"{microseconds(floor.level_ns)} us (forward {microseconds(floor.forward_ns)}, return "
        f"{microseconds(floor.return_ns)}); single packets {microseconds(floor.single_ns['sender'])} us at the sender, "
        f"{microseconds(floor.single_ns['receiver'])} us on their way; packets: {counted}"
    )


def _cases(cases: Sequence[Case]) -> Block:
    columns = ("injected", "floor", "reported", "bound", "verdict", "right")
    rows = [_case(case) for case in worst_first(cases)]
    return Block("faults (us, ppb, packets)", columns, rows)


def _case(case: Case) -> Row:
    fault, claim = case.injection.fault, case.claim
    label = " ".join(word for word in (f"{fault.number}", fault.kind, fault.way) if word)
    verdict = case.verdict if case.verdict == UNDECIDED or claim is None else f"{claim.verdict} {claim.kind}"
    cells = (
        quantity(case.injection.true_size, fault.of.unit),
        quantity(fault.floor, fault.of.unit),
        quantity(case.reported, fault.of.unit),
        quantity(case.bound, fault.of.unit),
        verdict,
        "right" if case.right else "clock as network" if case.as_network else "wrong",
    )
    return Row(label, cells, "valid" if case.right else "invalid")


def quantity(value: float | None, unit: Unit) -> str:
    """In us, or as a whole number."""
    if value is None:
        return "-"
    return microseconds(value) if unit == "ns" else f"{value:.0f}"


def _confusion(cases: Sequence[Case]) -> Block:
    """Rows: what was injected above the floor, and what was below it. Columns: what was reported."""
    counts: dict[str, Counter[str]] = {}
    for case in cases:
        row = case.injection.fault.kind if case.injection.above_floor else "below the floor"
        said = case.verdict if case.verdict == UNDECIDED or case.claim is None else case.claim.kind
        counts.setdefault(row, Counter())[said] += 1
    columns = sorted({said for row in counts.values() for said in row})
    rows = [Row(kind, [str(row[said] or "·") for said in columns]) for kind, row in sorted(counts.items())]
    return Block("injected \\ reported", columns, rows)


def _criteria(criteria: Sequence[Criterion]) -> Block:
    rows = [Row(c.what, (c.found, SAID[c.holds]), STYLE[c.holds]) for c in criteria]
    return Block("criteria", ("found", ""), rows)
