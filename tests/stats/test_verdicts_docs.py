# SPDX-License-Identifier: Apache-2.0
"""docs/verdicts.md has the thresholds of the code. `python -m tests.stats.test_verdicts_docs` writes them anew."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from latlab.stats import anomalies, bins, clock_path, clocks, counts, delays, late, moves
from latlab.stats.anomalies import Blame, Kind

PAGE = Path(__file__).parent.parent.parent / "docs" / "verdicts.md"

MEANING = {
    bins: {
        "BIN_NS": "of packets are a bin, in ns",
        "MIN_PACKETS": "at least are a bin, of a slow flow",
        "FEW_BINS": "bins a short run is cut into, if it has the packets",
        "MOST_BINS": "bins at most; a longer run has longer ones",
    },
    clock_path: {
        "MIN_BINS": "bins with exchanges in both ways compare the clocks",
        "FLOOR_QUANTILE": "of the bins' sums lie below the floor",
        "SLEW": "s per s: no clock goes further off its usual rate unseen; the most that adjtimex(2) gives to a servo",
        "COARSE": "bins together show what is slow and small; so near to a move, a delay has to show in the sum",
        "SAFE": "times the noise (three standard deviations) is added to the bound",
    },
    moves: {
        "STEP_BINS": "bins: a step is over within them",
        "BESIDE": "bins on either side tell how large a step was, by their calmer half",
    },
    counts: {
        "CHANCE": "is the chance of an anomaly in a run that loses packets evenly",
        "TOGETHER": "bins are counted together",
    },
    delays: {
        "SIGMAS": "standard deviations above its usual level a way is delayed",
        "DELAY_BINS": "bins at least last a delay",
        "STALL": "times its size a delay lasts at least; what is shorter is a stall",
        "LEVELS": "times a delay's median a part of it is one by itself",
        "UNSEEN": "times the noise: a smaller delay has to show in the sum",
    },
    anomalies: {
        "CLAIM_BINS": "bins at least has a run in which a clock is accused of a step or a ramp",
        "JOIN_BINS": "bins between two delays or losses leave them one",
    },
    late: {
        "FAR": "times the distance from the median to p90 beyond the median a part of the way is late",
        "FAR_RARE": "times the distance to p99, if that is more",
        "LEAST_NS": "ns: nothing is late by less",
        "LEAST_SHARE": "of a usual round trip: nor by less than this",
        "JOIN_NS": "ns between two late packets leave them one episode",
        "JOIN_PERIODS": "periods, if they are longer",
    },
    clocks: {"FAR_ERROR": "times its usual bound a timing method's packet is marked"},
}


def thresholds() -> str:
    lines = ["| name | value | meaning |", "|---|---|---|"]
    for module, names in MEANING.items():
        for name, meaning in names.items():
            value = getattr(module, name)
            told = (
                f"{value:_}".replace("_", " ")
                if isinstance(value, int)
                else f"{value:.4g}"
                if isinstance(value, float)
                else value
            )
            lines.append(f"| `{module.__name__.rpartition('.')[2]}.{name}` | {told} | {meaning} |")
    return "\n".join(lines) + "\n"


def with_thresholds(page: str) -> str:
    block = re.compile(r"(<!-- thresholds -->\n).*?(<!-- end -->)", re.DOTALL)
    assert block.search(page)
    return block.sub(lambda found: found[1] + thresholds() + found[2], page, count=1)


def test_the_thresholds_are_those_of_the_code() -> None:
    page = PAGE.read_text()
    assert with_thresholds(page) == page


def test_every_verdict_and_kind_has_its_rule() -> None:
    rules = PAGE.read_text().partition("## The rules")[2].partition("## Thresholds")[0]
    for word in (*get_args(Blame), *get_args(Kind)):
        assert word in rules, word


if __name__ == "__main__":
    PAGE.write_text(with_thresholds(PAGE.read_text()))
