# SPDX-License-Identifier: Apache-2.0
"""How often a verdict is right: faults of known kind, place and size, over networks and clocks that are made up.

    .venv/bin/python -m benchmarks.verdicts [--each 5] [--first 0] [--json FILE]

Each case is a run of 30 s at 1 kHz with one fault in it, between two free-running clocks, over one of several networks.
A fault is above the floor when it is larger than what the same network shows without any: the floor is the largest
anomaly of that kind and place in `A_A` runs without a fault, and at least three times the noise of the clocks' path
(for what lasts) or the time between three packets (for stalls). Right is: an anomaly of its kind, place and verdict at
its time, and no other that is not found without the fault, too. Below the floor, saying nothing is right.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from latlab.stats.analysis import Analysis, analyse
from latlab.stats.anomalies import Anomaly
from tests.stats.exchanges_maker import START_NS, Fault, FaultKind, FaultPlace, World, make

A_A = 4
SECONDS = 30
NETWORKS = {
    "quiet": World(queue_ns=(20_000, 20_000)),
    "loaded": World(queue_ns=(300_000, 300_000)),
    "heavy": World(queue_ns=(100_000, 100_000), heavy=0.01),
    "one-sided": World(floor_ns=(500_000, 50_000), queue_ns=(400_000, 20_000)),
    "bursts": World(queue_ns=(150_000, 100_000), bursts=True),
}
FACTORS = (0.5, 1.5, 3, 10, 100)


@dataclass(frozen=True)
class Class:
    """One kind of fault at one place, and what it has to be called."""

    kind: FaultKind
    place: FaultPlace
    verdict: str
    named: str
    at: str
    lasting_s: float = 0.0

    @property
    def name(self) -> str:
        return f"{self.kind} {self.place}".strip()


CLASSES = (
    Class("delay", "forward", "network", "delay", "forward", 3),
    Class("delay", "back", "network", "delay", "back", 3),
    Class("stall", "forward", "network", "stall", "forward"),
    Class("stall", "back", "network", "stall", "back"),
    Class("stall", "receiver", "network", "stall", "receiver"),
    Class("stall", "sender", "sender", "sender-stall", "sender"),
    Class("stall", "sender-read", "sender", "sender-stall", "sender"),
    Class("loss", "", "network", "loss", "", 2),
    Class("duplication", "", "network", "duplication", "", 2),
    Class("reordering", "", "network", "reordering", "", 2),
    Class("step", "", "clock", "step", "clock"),
    Class("ramp", "", "clock", "ramp", "clock", 8),
)
COUNTED = ("loss", "duplication", "reordering")
COUNTED_FLOOR = 0.01
"""Share of the packets of two seconds; besides, one in a thousand is lost all the time."""


@dataclass(frozen=True)
class Case:
    fault: str
    network: str
    size: float
    floor: float
    found: tuple[str, ...]
    """Verdict, kind and place of what was found at its time, and is not without it."""
    reported: float | None
    bound: float | None
    right: bool
    inside: bool | None
    """Whether the true size is within the bound of the reported one."""

    @property
    def above(self) -> bool:
        return self.size > self.floor


def analysed(world: World) -> Analysis:
    made = make(world)
    return analyse(made.chunks, world.header, "up", {"sender": "here", "reflector": "there"})


Floors = dict[tuple[str, str], float]


def floors_of(name: str) -> tuple[Floors, float]:
    """Largest size of each kind and place where nothing was wrong, and the noise of the clocks' path, in ns."""
    floors: Floors = {}
    noise = 0.0
    for seed in range(A_A):
        found = analysed(run_of(name, 1_000 + seed))
        noise = max(noise, float(found.timing.noise_ns))
        for anomaly in found.anomalies:
            key = (anomaly.kind, anomaly.place)
            floors[key] = max(floors.get(key, 0.0), size_of(anomaly))
    return floors, noise


def run_of(name: str, seed: int, *faults: Fault) -> World:
    skew = float(np.random.default_rng(seed).uniform(-100_000, 100_000))
    return replace(NETWORKS[name], count=SECONDS * 1_000, seed=seed, skew_ppb=skew, drop=0.001, faults=faults)


def size_of(anomaly: Anomaly) -> float:
    """In ns: of a ramp, what it added up to."""
    if anomaly.kind == "ramp":
        return abs(anomaly.size) * (anomaly.end_ns - anomaly.start_ns) / 1e9
    return abs(anomaly.size)


def floor_of(which: Class, floors: Floors, noise: float) -> float:
    if which.kind in COUNTED:
        return COUNTED_FLOOR
    if which.kind == "stall":
        # A stall is seen by the packets that it holds.
        return max(floors.get((which.named, which.at), 0.0), 2e6)
    return max(floors.get((which.named, which.at), 0.0), 3 * noise)


def cases(each: int, first: int) -> Iterator[Case]:
    for network in NETWORKS:
        floors, noise = floors_of(network)
        twins: dict[int, Twin] = {}
        for which in CLASSES:
            floor = floor_of(which, floors, noise)
            for number in range(first, first + each):
                rng = np.random.default_rng([number, len(network), CLASSES.index(which)])
                size = floor * FACTORS[number % len(FACTORS)]
                size = min(size, 0.5) if which.kind in COUNTED else min(size, 3e8)
                at = float(rng.uniform(8, 16))
                sign = -1 if which.kind in ("step", "ramp") and number % 2 else 1
                fault = Fault(which.kind, at, which.lasting_s, sign * size, which.place)
                twin = twins.get(number) or twins.setdefault(number, Twin.of(run_of(network, number)))
                yield judged(which, fault, network, floor, twin, analysed(run_of(network, number, fault)))


def judged(which: Class, fault: Fault, network: str, floor: float, twin: Twin, found: Analysis) -> Case:
    begin, end = START_NS + fault.at_s * 1e9, START_NS + (fault.at_s + fault.for_s) * 1e9
    if fault.kind == "stall":
        end += abs(fault.size)
    near = [
        anomaly
        for anomaly in found.anomalies
        if anomaly.start_ns <= end + 5e8 and anomaly.end_ns >= begin - 5e8 and not twin.also(anomaly)
    ]
    named = {(anomaly.verdict, anomaly.kind, anomaly.place) for anomaly in near}
    wanted = (which.verdict, which.named, which.at)
    own = [anomaly for anomaly in near if (anomaly.verdict, anomaly.kind, anomaly.place) == wanted]
    best = max(own, key=size_of, default=None)
    above = abs(fault.size) > floor
    right = named == {wanted} if above else named <= {wanted}
    reported = inside = None
    if best is not None and which.kind not in COUNTED:
        reported = best.size * (best.end_ns - best.start_ns) / 1e9 if which.kind == "ramp" else best.size
        # A ramp is a rate: what it really was is its size over its length.
        true, told = (fault.size / fault.for_s, best.size) if which.kind == "ramp" else (fault.size, best.size)
        inside = best.bound is not None and abs(told - true) <= best.bound
    return Case(
        which.name, network, abs(fault.size), floor, tuple(sorted("/".join(name) for name in named)), reported,
        best.bound if best else None, right, inside,
    )  # fmt: skip


@dataclass(frozen=True)
class Twin:
    """The same run without the fault: what was odd in it, and how long each packet really took, by place."""

    found: Analysis
    late_ns: dict[str, npt.NDArray[np.int64]]
    """By how much each packet was later than the median, on one clock."""

    @classmethod
    def of(cls, world: World) -> Twin:
        made = make(world)
        rows, offset = made.records, made.offset_ns
        took = {
            "sender": rows["w"] - rows["S"],
            "forward": rows["r"] - rows["t"] - offset,
            "receiver": rows["a"] - rows["r"],
            "back": rows["r2"] - rows["t2"] + offset,
        }
        replied = rows["a2"] != 0
        late = {
            place: np.where(replied, way - np.median(way[replied]), 0).astype(np.int64) for place, way in took.items()
        }
        return cls(analysed(world), late)

    def also(self, anomaly: Anomaly) -> bool:
        """Whether the packets were as late without the fault: then it is right to say so."""
        if anomaly.place not in self.late_ns:
            return any(other.kind == anomaly.kind and overlap(other, anomaly) for other in self.found.anomalies)
        late = self.late_ns[anomaly.place]
        period_ns = SECONDS * 1e9 / len(late)
        first, last = (int((when - START_NS) / period_ns) for when in (anomaly.start_ns, anomaly.end_ns))
        near = late[max(0, first - 2) : last + 3]
        if not len(near):
            return False
        if anomaly.kind == "delay":
            rise = float(np.quantile(near, 0.25) - np.quantile(late, 0.25))
            return rise > (anomaly.size - (anomaly.bound or 0)) / 2
        return float(near.max()) > 0.8 * anomaly.size


def overlap(one: Anomaly, other: Anomaly) -> bool:
    return one.start_ns <= other.end_ns and other.start_ns <= one.end_ns


def table(found: list[Case]) -> list[dict[str, Any]]:
    rows = []
    for which in CLASSES:
        own = [case for case in found if case.fault == which.name]
        above = [case for case in own if case.above]
        sized = [case for case in above if case.inside is not None]
        errors = [abs(abs(case.reported) - case.size) / case.size for case in sized if case.reported is not None]
        below = [case for case in own if not case.above]
        rows.append(
            {
                "fault": which.name,
                "injected": len(own),
                "above": len(above),
                "right": sum(case.right for case in above),
                "right_below": sum(case.right for case in below),
                "inside": sum(bool(case.inside) for case in sized),
                "sized": len(sized),
                "median_error": round(float(np.median(errors)), 4) if errors else None,
                "named": dict(Counter(name for case in above for name in (case.found or ("nothing",)))),
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--each", type=int, default=5, help="faults of each kind, place and network")
    parser.add_argument("--first", type=int, default=0, help="number of the first: others are other worlds")
    parser.add_argument("--json", type=Path, help="also write the results to this file")
    options = parser.parse_args()
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    found = list(cases(options.each, options.first))
    rows = table(found)
    clock = [case for case in found if case.fault in ("step", "ramp")]
    as_network = sum(any(name.startswith("network/") for name in case.found) for case in clock)
    network = [case for case in found if not case.fault.startswith(("step", "ramp"))]
    as_clock = sum(any(name.startswith("clock/") for name in case.found) for case in network)
    print(f" {'fault':<20} injected above  right  below right  inside bound  median error   named (above the floor)")
    for row in rows:
        inside = f"{row['inside']}/{row['sized']}" if row["sized"] else "-"
        error = f"{row['median_error']:.1%}" if row["median_error"] is not None else "-"
        print(
            f" {row['fault']:<20} {row['injected']:>8} {row['above']:>5} {row['right']:>6} {row['right_below']:>12} "
            f"{inside:>13} {error:>13}   {row['named']}"
        )
    wrong = [asdict(case) for case in found if not case.right or case.inside is False]
    for case in wrong:
        print(f"   {case}", file=sys.stderr)
    above = [case for case in found if case.above]
    summary = {
        "commit": commit.stdout.strip(),
        "injected": len(found),
        "above": len(above),
        "right": sum(case.right for case in above),
        "clock_as_network": as_network,
        "network_as_clock": as_clock,
    }
    print(f" {summary}")
    if options.json:
        options.json.write_text(
            json.dumps({**summary, "first": options.first, "classes": rows, "wrong": wrong}, indent=1) + "\n"
        )


if __name__ == "__main__":
    main()
