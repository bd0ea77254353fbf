# SPDX-License-Identifier: Apache-2.0
"""How often `latlab compare` is right: runs of one thing against each other, and runs of which one side is 5 % slower.

    .venv/bin/python -m benchmarks.compare [--pairs 1000] [--seed 1] [--json FILE]

A pair is 20 runs of 10 s at 1 kHz, shared out to the two sides. In A/A pairs both are of the same network, and any call
is wrong. In the others all runs of B have been made 5 % of the true p99 slower: every packet of them, or only the tail
above p90, stretched. Called right is `worse`; the interval is right when it holds the true difference. The networks are
those of `tests.stats.comparing_trials`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from tests.stats.comparing_trials import NEEDED, NETWORKS, Score, Truth, measure, smallest, table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=NETWORKS, action="append")
    parser.add_argument("--json", type=Path, help="file for the counts")
    asked = parser.parse_args()
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False).stdout
    scores: list[Score] = []
    truths: dict[str, Truth] = {}
    for name in asked.only or NETWORKS:
        truths[name], found = measure(name, NETWORKS[name], asked.pairs, asked.seed)
        scores += found
        of = truths[name]
        print(f"{name}: p99 {of.p99_ns / 1_000:.1f} us, between runs {of.spread_p99:.1%}, within {of.within_p99:.1%}")
    print(table(scores))
    needed = {runs: smallest(runs, np.random.default_rng(asked.seed)) for runs in NEEDED}
    print("\n| runs a side | finds, in standard deviations between runs |\n|---|---|")
    print("\n".join(f"| {runs} | {found:.2f} |" for runs, found in needed.items()))
    if asked.json:
        values: dict[str, Any] = {"commit": commit.strip(), "seed": asked.seed}
        values["networks"] = {name: asdict(of) for name, of in truths.items()}
        values["smallest"] = {str(runs): round(found, 2) for runs, found in needed.items()}
        values["scores"] = [asdict(score) for score in scores]
        asked.json.write_text(json.dumps(values, indent=1) + "\n")


if __name__ == "__main__":
    main()
