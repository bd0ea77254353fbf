# SPDX-License-Identifier: Apache-2.0
"""Finished runs made up for tests of what is said over several of them: a network with a known way to vary by run.

A packet's round trip is a floor and a queue (lognormal) whose level wanders within the run (AR(1), a time constant of
`wander_packets`), with a stall now and then. A run is as a whole slower or faster than the next by a factor whose
logarithm is Student-t with 4 degrees of freedom and the standard deviation `spread`; one in so many is `disturbed`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter

from latlab.stats.quantiles import Distribution
from latlab.stats.summary import Counts, MetricResult, Summary, summary_of
from latlab.store.document import BenchFacts, RunDocument, Timing, Verdict

Values = npt.NDArray[np.int64]
BENCH = BenchFacts(kind="local", name="local", accelerator="kvm", nic="enp1s0 (igb)", cable="cable")
POINT: dict[str, Any] = {"attachment": {"kind": "tap-bridge"}, "flow": {"direction": "down", "count": 10_000}}
CREATED = datetime(2026, 11, 20, 14, 3, 11, tzinfo=UTC)
_TAIL_FREEDOM = 4


@dataclass(frozen=True)
class Network:
    """How packets vary, and how runs do."""

    spread: float = 0.015
    disturbed: float = 0.0
    """Share of runs that are a fifth slower."""
    packets: int = 10_000
    floor_ns: int = 40_000
    queue_ns: int = 20_000
    white: float = 0.4
    wander: float = 0.2
    wander_packets: int = 50
    stalls: float = 0.0005


def latencies(network: Network, rng: np.random.Generator) -> Values:
    """The round trips of one run."""
    factor = np.exp(network.spread * rng.standard_t(_TAIL_FREEDOM) / np.sqrt(_TAIL_FREEDOM / (_TAIL_FREEDOM - 2)))
    factor *= 1.2 if rng.random() < network.disturbed else 1.0
    keep = np.exp(-1 / network.wander_packets)
    steps = rng.standard_normal(network.packets) * network.wander * np.sqrt(1 - keep**2)
    steps[0] = rng.standard_normal() * network.wander
    level = lfilter([1.0], [1.0, -keep], steps) + network.white * rng.standard_normal(network.packets)
    values = network.floor_ns + network.queue_ns * np.exp(level)
    late = rng.random(network.packets) < network.stalls
    values[late] += rng.exponential(300_000, int(late.sum()))
    found: Values = (values * factor).astype(np.int64)
    return found


def summary(values: Values, bound_ns: int = 0) -> Summary:
    distribution = Distribution()
    distribution.add(values)
    found = summary_of(distribution)
    assert isinstance(found, Summary)
    found.__dict__["bound_ns"] = bound_ns
    return found


def run(
    number: int, metrics: dict[str, MetricResult], *, attachment: str = "tap-bridge", load: str = "none", lost: int = 0,
    bench: BenchFacts = BENCH, point: dict[str, Any] | None = None, method: str = "shared", **values: Any,
) -> RunDocument:  # fmt: skip
    """A finished, valid run; runs of higher numbers came later. `values` are further fields of run.json."""
    created = CREATED + timedelta(minutes=number)
    sent = max((result.n for result in metrics.values() if isinstance(result, Summary)), default=0) + lost
    fields: dict[str, Any] = {
        "id": f"{created:%Y%m%dT%H%M%SZ}-{attachment}-a1b2c3", "created": created, "scenario": "made-up",
        "point": POINT if point is None else point, "point_id": "a1b2c3d4e5f6", "attachment": attachment, "load": load,
        "bench": bench, "status": "done", "verdict": Verdict(value="valid"), "metrics": metrics,
        "counts": Counts(sent=sent, replied=sent - lost, lost=lost), "timing": Timing(method=method),
    }  # fmt: skip
    return RunDocument(**(fields | values))


def values_around(p99_ns: int, count: int = 10_000) -> Values:
    """Round trips whose p99 is about that, without any chance in them."""
    share = np.linspace(0.0, 1.0, count)
    found: Values = (p99_ns * (0.4 + 0.6 * share**4 / 0.99**4)).astype(np.int64)
    return found
