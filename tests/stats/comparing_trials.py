# SPDX-License-Identifier: Apache-2.0
"""Trials of `latlab compare` on made-up runs, of which the truth is known: for its tests, and for `benchmarks.compare`.

The networks are those of `tests.runs_maker`: a lognormal queue whose level wanders, with stalls, and runs that differ
as a whole. How much they do is taken from `benchmarks/results/probe_vs_others.json`: the medians of five rounds of the
probe have a standard deviation of 1.3 to 1.8 % with both ends on one busy CPU, of 4.3 to 6.5 % as the scheduler likes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from latlab.stats.comparing import Comparison, Observed, Question, compare_groups, differ
from latlab.stats.comparing.comparison import GATE_CHANCE
from latlab.store.document import RunDocument
from tests.runs_maker import Network, Values, latencies, run, summary

SHIFT = 0.05
RUNS = 20
NETWORKS = {
    "quiet": Network(spread=0.005),
    "pinned": Network(),
    "shared": Network(spread=0.05),
    "disturbed": Network(disturbed=0.1),
    "p99 in stalls": Network(stalls=0.012),
}
SIZES = ((10, 10), (5, 5), (3, 3), (17, 3), (19, 1), (1, 1))
NEEDED = (2, 3, 5, 10, 15, 20, 30, 50)
SHIFTED_SIZES = SIZES[:2]
SHIFTS = ("all packets", "tail only")


@dataclass
class Score:
    """Of one network, sizes of the sides, and kind of shift ("" for A/A)."""

    network: str
    a: int
    b: int
    shift: str
    pairs: int = 0
    called: int = 0
    """`worse` or `better`, of the gate."""
    right: int = 0
    """`worse`, of the gate."""
    others: int = 0
    """Pairs in which any row beside the gate was called."""
    any: int = 0
    with_interval: int = 0
    covered: int = 0
    """Intervals of the gate that hold the true difference."""


@dataclass(frozen=True)
class Truth:
    """Quantiles of all runs of a network together, at the middle of its runs."""

    p90_ns: int
    p99_ns: int
    spread_p99: float
    """Standard deviation of p99 between runs, as a share of it, chance within the runs included."""
    within_p99: float
    """The same of runs that do not differ as a whole."""


def truth(network: Network, rng: np.random.Generator) -> Truth:
    alike = replace(network, spread=0.0, disturbed=0.0)
    values = np.concatenate([latencies(alike, rng) for _ in range(400)])
    differing, same = ([_p99(latencies(each, rng)) for _ in range(400)] for each in (network, alike))
    p90, p99 = (int(np.quantile(values, q)) for q in (0.9, 0.99))
    return Truth(p90, p99, float(np.std(differing, ddof=1)) / p99, float(np.std(same, ddof=1)) / p99)


def _p99(values: Values) -> float:
    return float(np.quantile(values, 0.99))


def shifted(values: Values, kind: str, of: Truth) -> Values:
    """The same packets with a p99 that is `SHIFT` of the true p99 higher."""
    more = SHIFT * of.p99_ns
    if kind == "all packets":
        return values + int(more)
    beyond = np.maximum(values - of.p90_ns, 0)
    return values + (beyond * (more / (of.p99_ns - of.p90_ns))).astype(np.int64)


def pairs(network: Network, of: Truth, count: int, rng: np.random.Generator) -> Iterator[dict[str, list[RunDocument]]]:
    """For each pair: 20 runs as they are, and with each shift."""
    for _ in range(count):
        values = [latencies(network, rng) for _ in range(RUNS)]
        made = {"": [run(number, {"round_trip": summary(each)}) for number, each in enumerate(values)]}
        for kind in SHIFTS:
            made[kind] = [
                run(number, {"round_trip": summary(shifted(each, kind, of))}) for number, each in enumerate(values)
            ]
        yield made


def measure(name: str, network: Network, count: int, seed: int) -> tuple[Truth, list[Score]]:
    rng = np.random.default_rng([seed, list(NETWORKS).index(name)])
    of = truth(network, rng)
    scores = [Score(name, a, b, "") for a, b in SIZES]
    scores += [Score(name, a, b, shift) for shift in SHIFTS for a, b in SHIFTED_SIZES]
    for made in pairs(network, of, count, rng):
        for score in scores:
            # A from the front, B from the back: no run is on both sides
            found = compare_groups(
                made[""][: score.a], made[score.shift][RUNS - score.b :], Question(quantiles=("p99",))
            )
            _add(score, found, SHIFT * of.p99_ns if score.shift else 0.0)
    return of, scores


def _add(score: Score, found: Comparison, true: float) -> None:
    (gate,) = found.gates
    difference = gate.found
    assert difference is not None
    others = any(row.word != "undecided" for row in found.rows if not row.gate)
    score.pairs += 1
    score.called += gate.word != "undecided"
    score.right += gate.word == "worse"
    score.others += others
    score.any += others or gate.word != "undecided"
    if difference.low is not None and difference.high is not None:
        score.with_interval += 1
        score.covered += difference.low <= true <= difference.high


def smallest(runs: int, rng: np.random.Generator, trials: int = 400) -> float:
    """The difference that so many runs a side find in 95 % of cases, in standard deviations between normal runs."""
    drawn = rng.normal(1_000, 1, (trials, 2, runs))
    low, high = 0.0, 100.0
    while high - low > 0.02:
        step = (low + high) / 2
        found = sum(
            differ([Observed(value) for value in a], [Observed(value + step) for value in b], GATE_CHANCE).beyond_noise
            for a, b in drawn
        )
        low, high = (step, high) if found < 0.95 * trials else (low, step)
    return high


def table(scores: Sequence[Score]) -> str:
    heads = ["network | runs | pairs | p99 called | any row called | interval holds 0"]
    heads += ["network | runs | 5 % slower | pairs | called worse | interval holds the truth"]
    parts = []
    for head, chosen in zip(heads, ([s for s in scores if not s.shift], [s for s in scores if s.shift]), strict=True):
        lines = [head, "|".join(["---"] * (head.count("|") + 1)), *map(_line, chosen)]
        parts.append("\n".join(f"| {line} |" for line in lines))
    return "\n\n".join(parts)


def _line(score: Score) -> str:
    runs = f"{score.network} | {score.a} against {score.b}"
    if score.shift:
        return f"{runs} | {score.shift} | {score.pairs} | {_share(score.right, score)} | {_held(score)}"
    return f"{runs} | {score.pairs} | {_share(score.called, score)} | {_share(score.any, score)} | {_held(score)}"


def _held(score: Score) -> str:
    return f"{100 * score.covered / score.with_interval:.1f} %" if score.with_interval else "-"


def _share(count: int, score: Score) -> str:
    return f"{100 * count / score.pairs:.1f} %"
