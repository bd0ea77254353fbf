# SPDX-License-Identifier: Apache-2.0
"""How often the shapes in time are found, how often one is told that is not there, how exact they are, and how long it
takes.

    .venv/bin/python -m benchmarks.shapes [--series 600] [--nothing 200] [--worlds 160] [--first 0] [--json FILE]

`series` of one metric are as the study's (tests/stats/labelled_series.py): 900,000 packets each, with none to three
shapes in them over five kinds of noise; `nothing`: others with no shape in them. `worlds` are whole runs of exchanges
between two clocks (tests/stats/labelled_worlds.py), of which a clock, the network, both or neither went wrong.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from latlab.stats.analysis import analyse
from latlab.stats.shapes.collector import Collector
from latlab.stats.shapes.finding import find_shapes
from tests.stats.exchanges_maker import make
from tests.stats.labelled_series import KINDS, NOISES, Labelled, labelled, shapes_of
from tests.stats.labelled_worlds import TWO_CLOCKS, labelled_world

SPEED_PACKETS = 100_000_000


@dataclass
class Score:
    """Of each kind: how often it was there and was found, was found and was not there, was there and was not found."""

    right: Counter[str] = field(default_factory=Counter)
    false: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    errors: dict[str, list[float]] = field(default_factory=dict)

    def count(self, name: str, labels: frozenset[str], found: set[str]) -> None:
        self.right.update(labels & found)
        self.false.update(found - labels)
        self.missed.update(labels - found)
        if labels != found:
            print(f"   {name}: told {sorted(found - labels)}, missed {sorted(labels - found)}", file=sys.stderr)

    def error(self, name: str, value: float) -> None:
        self.errors.setdefault(name, []).append(value)

    def rows(self) -> list[dict[str, Any]]:
        return [
            {
                "kind": kind,
                "there": self.right[kind] + self.missed[kind],
                "recall": _share(self.right[kind], self.right[kind] + self.missed[kind]),
                "told": self.right[kind] + self.false[kind],
                "precision": _share(self.right[kind], self.right[kind] + self.false[kind]),
            }
            for kind in KINDS
        ]


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def judge(score: Score, series: Labelled) -> None:
    found = shapes_of(series)
    score.count(series.name, series.labels, {shape.kind for shape in found})
    truth = series.truth
    for shape in found:
        if shape.kind == "periodic" and "period_s" in truth and shape.details["keeps_phase"] and truth["keeps_phase"]:
            score.error("period of a timer", abs(shape.value / 1e9 / truth["period_s"] - 1))
            named, true = np.array(shape.members), series.members
            near = np.abs(named[:, None] - true[None, :]).min(axis=1) <= 25 if len(true) else np.zeros(len(named))
            score.error("members named wrongly", float(1 - np.mean(near)))
        elif shape.kind == "drift" and "rise_ns" in truth and "ns_a_minute" in shape.details:
            score.error("rise of the level", abs(shape.value / truth["rise_ns"] - 1))
        elif shape.kind == "drift" and "change_ns" in truth and "doubt_ns" in shape.details:
            score.error("change of the level", abs(shape.value / truth["change_ns"] - 1))
        elif shape.kind == "ripple" and "ripple_s" in truth:
            score.error("period of a ripple", abs(shape.details["period_ns"] / 1e9 / truth["ripple_s"] - 1))
            score.error("height of a ripple", abs(shape.value / truth["ripple_ns"] - 1))
        elif shape.kind == "two modes" and "apart_ns" in truth:
            score.error("distance of two modes", abs(shape.value / truth["apart_ns"] - 1))


def nothing(count: int, first: int) -> dict[str, Any]:
    """Series with nothing in them: how many have a shape told."""
    told: Counter[str] = Counter()
    by_kind: Counter[str] = Counter()
    for number in range(first, first + count):
        found = {shape.kind for shape in shapes_of(labelled(number, kinds=()))}
        told[NOISES[number % len(NOISES)]] += bool(found)
        by_kind.update(found)
    return {
        "series": count,
        "with_a_shape": told.total(),
        "share": _share(told.total(), count),
        "by_noise": {noise: f"{told[noise]} of {count // len(NOISES)}" for noise in NOISES},
        "by_kind": dict(by_kind),
    }


def worlds(count: int, first: int) -> dict[str, Any]:
    """Runs between two clocks: what is told as the network's, and whether it is."""
    score, clock_as_network, of_clocks = Score(), 0, 0
    for number in range(first, first + count):
        case = labelled_world(number)
        made = make(case.world)
        found = analyse(made.chunks, case.world.header, "up", TWO_CLOCKS).shapes
        network: set[str] = {shape.kind for shape in found if shape.verdict == "network"}
        score.count(case.name, case.network, network)
        of_clocks += case.clocks
        clock_as_network += bool(case.clocks and network - case.network)
    rows = [row for row in score.rows() if row["there"]]
    return {"runs": count, "clock_faults": of_clocks, "clock_as_network": clock_as_network, "kinds": rows,
            "false": dict(score.false)}  # fmt: skip


def speed() -> dict[str, Any]:
    """One metric of 10^8 packets, whose values are made before: one pass and the search."""
    rng = np.random.default_rng(1)
    pieces = [(60_000 + rng.gamma(4, 7_000, 1_000_000)).astype(np.int64) for _ in range(4)]
    collector = Collector(PERIOD_NS, SPEED_PACKETS)
    numbers, passed = np.arange(1_000_000), 0.0
    for number in range(SPEED_PACKETS // 1_000_000):
        seq = numbers + number * 1_000_000
        started = time.perf_counter()
        collector.add(seq, pieces[number % 4])
        passed += time.perf_counter() - started
    started = time.perf_counter()
    find_shapes(collector.series(), "up", 0)
    return {"packets": SPEED_PACKETS, "pass_s": round(passed, 2), "search_s": round(time.perf_counter() - started, 2)}


PERIOD_NS = 1_006_000


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--series", type=int, default=600)
    parser.add_argument("--nothing", type=int, default=200)
    parser.add_argument("--worlds", type=int, default=160)
    parser.add_argument("--first", type=int, default=0, help="number of the first: others are other series")
    parser.add_argument("--json", type=Path, help="also write the results to this file")
    options = parser.parse_args()
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    score = Score()
    for number in range(options.first, options.first + options.series):
        judge(score, labelled(number))
    result = {
        "commit": commit.stdout.strip(),
        "first": options.first,
        "series": options.series,
        "kinds": score.rows(),
        "median_errors": {name: round(float(np.median(values)), 5) for name, values in sorted(score.errors.items())},
        "p95_errors": {
            name: round(float(np.quantile(values, 0.95)), 5) for name, values in sorted(score.errors.items())
        },
        "nothing": nothing(options.nothing, options.first),
        "worlds": worlds(options.worlds, options.first),
        "speed": speed(),
    }
    print(json.dumps(result, indent=1))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
