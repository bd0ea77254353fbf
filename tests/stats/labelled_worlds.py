# SPDX-License-Identifier: Apache-2.0
"""Runs of exchanges between two clocks with a fault of a clock in them, of the network, or of both: what is the
network's is known, and nothing else may be told as the network's."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from latlab.stats.stamps import Timescales
from tests.stats.exchanges_maker import Fault, FaultPlace, World

TWO_CLOCKS: Timescales = {"sender": "here", "reflector": "there"}
SECONDS = 60
NETWORKS = (
    World(queue_ns=(20_000, 20_000), floor_ns=(60_000, 60_000), host_ns=3_000),
    World(queue_ns=(60_000, 60_000)),
    World(queue_ns=(40_000, 40_000), heavy=0.01),
    World(queue_ns=(80_000, 20_000), floor_ns=(150_000, 50_000)),
)


@dataclass(frozen=True)
class LabelledWorld:
    """`network`: the kinds of shapes that are the network's; `clocks`: whether a clock went wrong."""

    name: str
    world: World
    network: frozenset[str]
    clocks: bool


def labelled_world(number: int) -> LabelledWorld:
    """Of four in a row: a clock's fault, the network's, both, neither."""
    rng = np.random.default_rng([number, 23])
    base = NETWORKS[number // 4 % len(NETWORKS)]
    clock, network = number % 4 in (0, 2), number % 4 in (1, 2)
    faults: list[Fault] = []
    kinds: set[str] = set()
    if clock:
        faults += _clock_fault(rng, number // 4 % 4)
    if network:
        found, kinds = _network_fault(rng, number // 4 % 3, sum(base.queue_ns))
        faults += found
    world = replace(
        base, count=SECONDS * 1_000, seed=number + 1, skew_ppb=float(rng.uniform(-1e5, 1e5)), drop=1e-4,
        faults=tuple(faults),
    )  # fmt: skip
    name = f"{number}: {', '.join(f'{fault.kind} {fault.place}' for fault in faults[:3]) or 'nothing'}"
    return LabelledWorld(name, world, frozenset(kinds), clock)


def _clock_fault(rng: np.random.Generator, which: int) -> list[Fault]:
    at = float(rng.uniform(10, 40))
    size = float(np.exp(rng.uniform(np.log(50e3), np.log(10e6))))
    if which == 0:
        return [Fault("step", at, 0, size)]
    if which == 1:
        return [Fault("ramp", at, float(rng.uniform(3, 15)), size)]
    if which == 2:  # a servo that swings: the study's floor that wanders by tens of us
        return [Fault("wander", 0, float(rng.uniform(4, 30)), float(rng.uniform(10e3, 200e3)))]
    return [Fault("sender-step", at, 0, size)]


def _network_fault(rng: np.random.Generator, which: int, queue_ns: int) -> tuple[list[Fault], set[str]]:
    place: FaultPlace = "forward" if rng.random() < 0.5 else "back"
    if which == 0:
        period = float(rng.uniform(4, 6))
        times = np.arange(rng.uniform(0, period), SECONDS, period)
        size = float(rng.uniform(3e6, 20e6))
        return [Fault("stall", float(at), 0, size, place) for at in times], {"spikes", "periodic"}
    if which == 1:
        at, size = float(rng.uniform(15, 45)), float(rng.uniform(0.7, 3)) * queue_ns
        return [Fault("delay", at, SECONDS, size, place)], {"drift"}
    return [Fault("loss", float(rng.uniform(5, 55)), 0.1, float(rng.uniform(0.3, 0.9)))], {"loss bursts"}
