# SPDX-License-Identifier: Apache-2.0
"""Series of latencies with known shapes in them, of the sizes that the study of 2022 and 2023 met.

The study: one packet each 1006 us for 15 minutes, 900,000 of them; latencies of 39 to 91 us with a standard deviation
of 5 to 18 us; tails of 300 to 600 us in all series; spikes of 0.5 to 160 ms each 20 to 25 s, later each 60 s; an
average that creeps by tens of us; ripples. In half of the series packets are lost, in a quarter there are gaps in the
record.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from latlab.stats.shapes import Shape
from latlab.stats.shapes.collector import Collector
from latlab.stats.shapes.finding import find_shapes
from latlab.stats.shapes.losses import LossCollector
from latlab.stats.shapes.telling import losses_shape

Floats = npt.NDArray[np.float64]
Times = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

COUNT, PERIOD_NS = 900_000, 1_006_000
NOISES = ("gamma", "normal", "lognormal", "heavy", "load")
KINDS = ("spikes", "periodic", "drift", "ripple", "two modes", "loss bursts")


@dataclass(frozen=True)
class Labelled:
    """`seq` and `value_ns` of the packets that arrived; `lost` numbers of those that did not. `labels`: the kinds that
    are in it. `truth`: numbers by name (`period_s`, `rise_ns`, ...). `members`: worst packets of what is periodic."""

    name: str
    seq: Times
    value_ns: Times
    sent: int
    lost: Times
    labels: frozenset[str]
    truth: dict[str, float] = field(default_factory=dict)
    members: Times = field(default_factory=lambda: np.empty(0, np.int64))
    period_ns: int = PERIOD_NS
    count: int = COUNT


def labelled(number: int, *, count: int = COUNT, kinds: tuple[str, ...] | None = None) -> Labelled:
    """Series `number`: every eighth has nothing in it, half of the others one shape, the rest two or three."""
    rng = np.random.default_rng([number, 22])
    noise = NOISES[number % len(NOISES)]
    if kinds is None:
        many = 0 if number % 8 == 0 else 1 if number % 2 else int(rng.integers(2, 4))
        kinds = tuple(rng.permutation(KINDS)[:many])
    time: Floats = np.arange(count, dtype=np.float64) * (PERIOD_NS / 1e9)
    length = count * PERIOD_NS / 1e9
    sigma = float(rng.uniform(5e3, 18e3))
    usual = float(rng.uniform(40e3, 95e3))
    value = usual + _noise(rng, noise, sigma, time)
    lost, truth, members = np.zeros(count, bool), {}, np.empty(0, np.int64)
    labels = set(kinds)
    if "drift" in kinds:
        if rng.random() < 0.5:
            rise = float(rng.choice([-1, 1]) * np.exp(rng.uniform(np.log(0.4 * sigma), np.log(60e3))))
            value += rise * time / length
            truth["rise_ns"] = rise
        else:
            at, size = (
                float(rng.uniform(0.15, 0.85)) * length,
                float(rng.choice([-1, 1]) * rng.uniform(0.4 * sigma, 30e3)),
            )
            value += size * (time >= at)
            truth |= {"change_ns": size, "change_s": at}
    if "ripple" in kinds:
        period, height = (
            float(np.exp(rng.uniform(np.log(0.5), np.log(length / 6)))),
            float(rng.uniform(0.3 * sigma, 30e3)),
        )
        value += height / 2 * np.cos(2 * np.pi * (time / period - rng.random()))
        truth |= {"ripple_s": period, "ripple_ns": height}
    if "two modes" in kinds:
        apart, share = float(rng.uniform(5, 12)) * sigma, float(rng.uniform(0.06, 0.6))
        value += apart * (rng.random(count) < share)
        truth |= {"apart_ns": apart, "upper_share": share}
    if "periodic" in kinds:
        labels |= {"spikes"}
        members = _periodic(rng, value, length, truth)
    if "spikes" in kinds:
        size = float(np.exp(rng.uniform(np.log(0.5e6), np.log(160e6))))
        many = int(rng.integers(1, 40))
        for at in rng.integers(0, count, many):
            _spike(value, int(at), size * float(rng.uniform(0.7, 1.3)))
        truth |= {"random_ns": size, "random": float(many)}
    if number % 2:
        lost |= rng.random(count) < 10 ** rng.uniform(-5, -3)
    if "loss bursts" in kinds:
        for at in rng.integers(0, count - 500, int(rng.integers(1, 12))):
            long = int(np.exp(rng.uniform(np.log(8), np.log(500))))
            lost[at : at + long] |= rng.random(long) < float(rng.uniform(0.5, 1))
    recorded = np.ones(count, bool)
    if number % 4 == 1:
        for _ in range(int(rng.integers(1, 4))):
            at = int(rng.integers(0, count))
            recorded[at : at + int(rng.uniform(0.001, 0.05) * count)] = False
    seq = np.arange(count)
    there = recorded & ~lost
    members = members[there[members]] if len(members) else members
    name = f"{number} {noise}: {', '.join(sorted(labels)) or 'nothing'}"
    return Labelled(name, seq[there], np.round(value[there]).astype(np.int64), int(recorded.sum()),
                    seq[recorded & lost], frozenset(labels), truth, members, count=count)  # fmt: skip


def shapes_of(series: Labelled) -> list[Shape]:
    """What is found in it, as a run's metric is searched, its losses included."""
    collector, losses = Collector(series.period_ns, series.count), LossCollector()
    collector.add(series.seq, series.value_ns)
    losses.add_numbers(series.sent, series.lost)
    bursts = losses.bursts()
    found = find_shapes(collector.series(), "up", 0)
    return found + ([losses_shape(bursts, 0, series.period_ns)] if bursts is not None else [])


def _periodic(rng: np.random.Generator, value: Floats, length: float, truth: dict[str, float]) -> Times:
    """Spikes each 20 to 25 s, or each 60 s: with a fixed beat, or each so long after the last; some are missing."""
    period = 60.0 if rng.random() < 0.5 else float(rng.uniform(20, 25))
    period *= min(1.0, length / 905)
    size = float(np.exp(rng.uniform(np.log(0.5e6), np.log(160e6))))
    if rng.random() < 0.5:
        due = np.arange(rng.uniform(0, period), length, period)
        due = due + rng.normal(0, 10 ** rng.uniform(-4, -2) * period, len(due))
        due = due[rng.random(len(due)) > float(rng.choice([0, 0.1, 0.2]))]
        truth["keeps_phase"] = 1.0
    else:
        due = np.cumsum(rng.uniform(period * 20 / 22.5, period * 25 / 22.5, int(length / period * 1.5)))
        truth["keeps_phase"] = 0.0
    places = np.round(due * 1e9 / PERIOD_NS).astype(np.int64)
    places = places[(places >= 0) & (places < len(value))]
    for at in places.tolist():
        _spike(value, at, size * float(rng.uniform(0.8, 1.2)))
    truth |= {"period_s": period, "spike_ns": size}
    return places


def _spike(value: Floats, at: int, size: float) -> None:
    """What is held for longer than a period holds the packets after it, too: each one for less."""
    held = np.arange(at, min(len(value), at + max(1, int(size // PERIOD_NS))))
    value[held] += size - (held - at) * PERIOD_NS


def _noise(rng: np.random.Generator, kind: str, sigma: float, time: Floats) -> Floats:
    count = len(time)
    if kind == "gamma":
        return (rng.gamma(4, 0.5, count) - 2) * sigma
    if kind == "normal":
        return rng.normal(0, sigma, count)
    if kind == "lognormal":
        return (rng.lognormal(0, 0.6, count) - 1) * sigma
    if kind == "heavy":
        return rng.standard_t(3, count) * sigma / 1.7
    # Load comes and goes by the second, and waits are longer while it is there.
    turns = np.cumsum(rng.exponential(np.tile((1.4, 0.6), int(time[-1]) + 10)))
    busy = np.searchsorted(turns, time) % 2
    return rng.exponential(sigma * (0.4 + 1.2 * busy))
