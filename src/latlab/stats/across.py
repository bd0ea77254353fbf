# SPDX-License-Identifier: Apache-2.0
"""Several runs of one point: what differs from run to run, which no number of packets in one run can tell.

Packets of one run share its boot, its placement of threads and memory, its neighbours: they are not independent, and
an interval computed from them says only how well *this run's* quantile is known. So the run is the unit of comparison:
each gives one value, and how these differ is what a next run will differ by.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from statistics import median

from latlab.stats.intervals import sure_ranks
from latlab.stats.summary import QUANTILES, Summary

_MIDDLE = Fraction(1, 2)


@dataclass(frozen=True)
class Across:
    """One number of `n` runs, in its own unit.

    `low` and `high` are the 95 % interval of the median over all such runs, by order statistics as in
    `stats.intervals`: None for fewer than six runs, of which there is none. `least` and `most` are what occurred.
    """

    n: int
    median: float
    low: float | None
    high: float | None
    least: float
    most: float

    @property
    def spread(self) -> float | None:
        """From the least to the most, as a share of the median; None if that is 0."""
        return (self.most - self.least) / abs(self.median) if self.median else None


def across(values: Sequence[float]) -> Across:
    """Of one value from each run. ValueError for no runs."""
    if not values:
        raise ValueError("a spread of no runs")
    ordered = sorted(values)
    (ranks,) = sure_ranks(len(ordered), [_MIDDLE])
    low, high = (ordered[ranks[0] - 1], ordered[ranks[1] - 1]) if ranks else (None, None)
    return Across(len(ordered), float(median(ordered)), low, high, ordered[0], ordered[-1])


def quantiles_across(runs: Sequence[Summary]) -> dict[str, Across | None]:
    """Each quantile over several runs' summaries of one metric; None where one of them is too short for it."""
    found: dict[str, Across | None] = {}
    for name in QUANTILES:
        values = [value for run in runs if (value := run.quantiles_ns.get(name)) is not None]
        found[name] = across(values) if values and len(values) == len(runs) else None
    return found
