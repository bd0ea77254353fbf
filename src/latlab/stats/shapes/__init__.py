# SPDX-License-Identifier: Apache-2.0
"""Shapes in time: what an engineer sees when looking at the graph of a run, said in sentences with a number each.

    spikes       a few packets far above what the tail of all others allows (`tails`, `spikes`)
    periodic     spikes or losses that come on a beat, or each so long after the last (`beats`)
    drift        the level creeps, or changes and stays (`levels`)
    ripple       the level goes up and down, evenly (`ripple`)
    two modes    packets that take one of two times (`modes`)
    loss bursts  packets lost together (`losses`)

One pass over the samples fills a `series.Collector` for each metric: the level of each slot of time, the largest
exceedances, and a random sample, whatever the run's length. The rest works on those. What a shape is due to (`verdict`)
is judged in `blame`, from the anomalies and from the clocks' bound, so that a clock's drift is not the network's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from latlab.stats.anomalies import Blame

Kind = Literal["spikes", "periodic", "drift", "ripple", "two modes", "loss bursts"]
LOSS = "loss"
"""In place of a metric."""


@dataclass(frozen=True)
class Shape:
    """`value` in `unit` (`ns` or `packets`): the worst spike's height above its usual level, the period, by how much
    the level moved, from the ripple's bottom to its top, how far apart the modes are, how many were lost in bursts. The
    true value is within `bound` of it, in 95 of 100 cases, if that is not None. `confidence`: 1 - the chance that
    something without this shape looks like it. Times are when packets were due, on the sender's clock, in ns of TAI.
    """

    kind: Kind
    metric: str
    """Its key in run.json, or `LOSS`."""
    sentence: str
    value: float
    unit: Literal["ns", "packets"]
    confidence: float
    start_ns: int
    """Of what comes on a beat: its phase, the time of its first beat."""
    end_ns: int
    packets: int
    """That belong to it, or that show it."""
    members: tuple[int, ...] = ()
    """Their numbers, if they can be named: of each spike the worst packet, of each burst the first. The largest 1,000,
    in order."""
    bound: float | None = None
    verdict: Blame = "unknown"
    details: dict[str, float] = field(default_factory=dict)
    """Further numbers, with their units in the names."""
