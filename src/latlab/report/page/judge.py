# SPDX-License-Identifier: Apache-2.0
"""Whether a latency keeps a budget: `within`, `over`, or `undecided` where the measurement cannot tell.

A lost packet is later than any budget: if more of them were lost than may lie beyond the quantile, it is over. Else the
quantile's interval, widened by the bound of the clocks, is on one side of the budget, or it is not. assets/judge.js
judges by the same rule when a budget is typed into the page; a test holds the two against each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from latlab.stats.summary import QUANTILES, Summary
from latlab.store.document import RunDocument

Judgement = Literal["within", "over", "undecided", "unknown"]
MAXIMUM = "max"
STATISTICS = (*QUANTILES, MAXIMUM)
"""What of a distribution may be held against a budget."""

Interval = tuple[int, int] | None


@dataclass(frozen=True)
class Value:
    """One statistic of one metric of a run, with its 95 % interval."""

    value_ns: int | None
    interval_ns: Interval
    bound_ns: int

    @property
    def low_ns(self) -> int | None:
        return None if self.value_ns is None else (self.interval_ns or (self.value_ns,))[0] - self.bound_ns

    @property
    def high_ns(self) -> int | None:
        return None if self.value_ns is None else (self.interval_ns or (self.value_ns,))[-1] + self.bound_ns


def beyond(statistic: str) -> Fraction:
    """The share of packets that may be later than this statistic."""
    return Fraction(0) if statistic == MAXIMUM else 1 - QUANTILES[statistic]


def value_of(result: Summary, intervals: dict[str, Interval], statistic: str) -> Value:
    if statistic == MAXIMUM:
        return Value(result.max_ns, (result.max_ns, result.max_ns), result.bound_ns)
    return Value(result.quantiles_ns.get(statistic), intervals.get(statistic), result.bound_ns)


def believed(document: RunDocument) -> bool:
    """Whether its numbers stand in tables."""
    return document.status == "done" and document.verdict.value != "invalid"


def judge(value: Value, lost: int, sent: int, statistic: str, budget_ns: int) -> Judgement:
    if lost > beyond(statistic) * sent:
        return "over"
    if value.low_ns is None or value.high_ns is None:
        return "unknown"
    if value.high_ns <= budget_ns:
        return "within"
    return "over" if value.low_ns > budget_ns else "undecided"


def together(judgements: Sequence[Judgement]) -> Judgement:
    """Of the runs of one point: over if one is, within if all are."""
    if "over" in judgements:
        return "over"
    if "undecided" in judgements or {"within", "unknown"} <= set(judgements):
        return "undecided"
    return "within" if "within" in judgements else "unknown"
