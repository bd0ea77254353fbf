# SPDX-License-Identifier: Apache-2.0
"""Two groups of runs -> rows of differences with intervals, each `worse`, `better` or `undecided`. Pure.

The rows of a metric, from its smallest value to its largest, are its shift function (Doksum 1974; Wilcox 1995;
Rousselet, Pernet & Wilcox 2017): by how much each quantile moved. One row, or a few, is the question that was asked:
the gate, which decides the exit code. All others are looked at besides, and the more one looks at, the more often
chance shows something; so their noise is that of all of them together (Bonferroni).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from latlab.errors import NotComparableError, UsageError
from latlab.stats.comparing.comparable import comparable
from latlab.stats.comparing.difference import ASSUMED_SPREAD, Difference, differ
from latlab.stats.comparing.observing import EXTREMES, LOST, LOST_UNIT, QUANTITIES, observe
from latlab.stats.comparing.question import (
    Question,
    check,
    check_believable,
    check_one_point,
    gates_of,
    has_numbers,
    metrics_of,
)
from latlab.stats.summary import Summary
from latlab.store.document import BenchFacts, RunDocument

Word = Literal["worse", "better", "undecided"]

GATE_CHANCE = 0.03
"""That a gate calls a difference between two groups of runs of the same thing. With what the others may call, below one
in twenty, which leaves room for runs that are not as normal as the method hopes."""
OTHERS_CHANCE = 0.01
"""That any of the other rows does."""
FEW_RUNS = 5
AS_LONG = 0.02
"""Extremes of runs are compared that differ by less than this share in their packets."""


@dataclass(frozen=True)
class Row:
    """One number of one metric. `found` is None where a side has no number, and `why` says so."""

    metric: str
    quantity: str
    unit: str
    found: Difference | None
    word: Word
    gate: bool = False
    why: str = ""


@dataclass(frozen=True)
class Side:
    """A group of runs of one point. `ids` are theirs; `packets` how many each sent at least, and at most."""

    attachment: str
    load: str
    point_id: str
    ids: tuple[str, ...]
    packets: tuple[int, int]

    @property
    def label(self) -> str:
        return f"{self.attachment}, {'no load' if self.load == 'none' else self.load}"


@dataclass(frozen=True)
class Comparison:
    """`rows` in the order of tables; `refused`: metric -> why it was not compared; `notes`: what a reader must know."""

    a: Side
    b: Side
    bench: BenchFacts
    rows: tuple[Row, ...]
    refused: dict[str, str]
    notes: tuple[str, ...]
    tolerance: float = 0.0

    @property
    def gates(self) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.gate)

    @property
    def failed(self) -> bool:
        """Whether a gate is worse, and surely by more than the tolerance."""
        return any(verdict(row, self.tolerance) == "too much" for row in self.gates)

    @property
    def exit_code(self) -> int:
        return 1 if self.failed else 0


Allowance = Literal["", "too much", "within", "undecided"]


def verdict(row: Row, tolerance: float) -> Allowance:
    """How a row stands to the tolerance: worse by more, beyond the noise; surely within; or not decided.

    "" without a tolerance, of a row that is not worse.
    """
    found = row.found
    if found is None or found.noise is None:
        return ""
    allowed = tolerance * max(found.a, 0.0)
    if row.word == "worse" and found.difference - found.noise > allowed:
        return "too much"
    if not tolerance:
        return ""
    return "within" if found.difference + found.noise <= allowed else "undecided"


def compare_groups(a: Sequence[RunDocument], b: Sequence[RunDocument], question: Question | None = None) -> Comparison:
    """Compares two groups of runs, each of one point.

    Raises NotComparableError when they must not be compared, MeasurementError when a run is not to be believed or has
    no number for what was asked, UsageError for a question that makes no sense.
    """
    asked = question or Question()
    check(asked)
    check_believable("A", a)
    check_believable("B", b)
    check_one_point("A", a)
    check_one_point("B", b)
    shared = sorted({d.id for d in a} & {d.id for d in b})
    if shared:
        raise UsageError(f"run {shared[0]} is on both sides", hint="compare a run with another one")
    if reasons := comparable(a[0], b[0], asked.under_test):
        raise NotComparableError(reasons)
    metrics, refused = metrics_of(a, b, asked)
    gates = gates_of(a, b, asked, metrics, refused)
    others = [(m, q) for m in metrics for q in ((LOST,) if m == LOST else QUANTITIES) if (m, q) not in gates]
    with_numbers = sum(has_numbers(a, b, metric, quantity) for metric, quantity in others)
    chances = dict.fromkeys(gates, GATE_CHANCE / max(1, len(gates) * asked.gates))
    chances |= dict.fromkeys(others, OTHERS_CHANCE / max(1, with_numbers * asked.gates))
    rows = tuple(
        _row(a, b, metric, quantity, chances[metric, quantity], (metric, quantity) in gates)
        for metric in metrics
        for quantity in ((LOST,) if metric == LOST else QUANTITIES)
    )
    return Comparison(
        a=_side(a), b=_side(b), bench=a[0].bench, rows=rows, refused=refused, notes=tuple(_notes(a, b, rows)),
        tolerance=asked.tolerance,
    )  # fmt: skip


def _row(
    a: Sequence[RunDocument], b: Sequence[RunDocument], metric: str, quantity: str, chance: float, gate: bool
) -> Row:
    measured = a[0].metrics.get(metric)
    unit = measured.unit if isinstance(measured, Summary) else LOST_UNIT
    seen = [[run for document in group if (run := observe(document, metric, quantity)) is not None] for group in (a, b)]
    if len(seen[0]) < len(a) or len(seen[1]) < len(b):
        return Row(metric, quantity, unit, None, "undecided", gate, "no number in all runs")
    found = differ(seen[0], seen[1], chance)
    why = ""
    if metric == LOST and found.method == "one run a side":
        found, why = replace(found, noise=None), "losses come in bursts: one run a side decides nothing of them"
    elif quantity in EXTREMES and found.method != "runs":
        found, why = replace(found, noise=None), "an extreme is one packet: of a single run it says nothing"
    elif quantity in EXTREMES and not _as_long(_packets(a), _packets(b)):
        found, why = replace(found, noise=None), "the sides sent different numbers of packets"
    elif found.noise is None:
        why = "one run a side has no interval for it"
    word: Word = "undecided"
    if found.beyond_noise:
        word = "worse" if found.difference > 0 else "better"
    return Row(metric, quantity, unit, found, word, gate, why)


def _packets(group: Sequence[RunDocument]) -> tuple[int, int]:
    sent = [document.counts.sent for document in group]
    return min(sent), max(sent)


def _as_long(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether the sides' runs have about as many packets."""
    return max(one[1], other[1]) * (1 - AS_LONG) <= min(one[0], other[0])


def _side(group: Sequence[RunDocument]) -> Side:
    first = group[0]
    return Side(first.attachment, first.load, first.point_id, tuple(d.id for d in group), _packets(group))


def _notes(a: Sequence[RunDocument], b: Sequence[RunDocument], rows: Sequence[Row]) -> Iterator[str]:
    """What a reader must know before believing the rows."""
    methods = {row.found.method for row in rows if row.found}
    if "one run a side" in methods:
        yield (
            "one run a side cannot tell how much runs of the same thing differ: "
            f"{ASSUMED_SPREAD * 100:g} % of the value is assumed as their standard deviation. "
            f"{FEW_RUNS} runs a side or more would tell"
        )
    elif "one run against several" in methods:
        yield "the single run is taken to vary as those of the other side do"
    elif min(len(a), len(b)) < FEW_RUNS:
        yield f"fewer than {FEW_RUNS} runs on a side: intervals are wide; more runs make them narrower"
    for name, group in (("A", a), ("B", b)):
        doubted = [document for document in group if document.verdict.value == "suspect"]
        if doubted:
            yield f"{len(doubted)} of {len(group)} runs of {name} are suspect: {'; '.join(doubted[0].verdict.reasons)}"
        without = sum(document.timing.suspect for document in group if document.metrics_trusted)
        if without:
            yield f"one-way times of {name} are without {without} packets that were measured while a clock was wrong"
    if len(a) + len(b) > 2 and max(d.created for d in a) < min(d.created for d in b):
        yield "all runs of A came before those of B: what changed on the bench meanwhile is in the difference"
    lost = next((row.found for row in rows if row.metric == LOST), None)
    if lost is not None and lost.difference > 0 and any(row.word == "better" and row.metric != LOST for row in rows):
        yield "B lost more packets: what was lost has no latency, so its quantiles look better than they are"
