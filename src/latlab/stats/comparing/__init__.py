# SPDX-License-Identifier: Apache-2.0
"""Runs beside each other: whether they may be compared, by how much they differ, whether that is more than noise."""

from latlab.stats.comparing.comparable import bench_key, comparable
from latlab.stats.comparing.comparison import Comparison, Row, Side, compare_groups, verdict
from latlab.stats.comparing.difference import Difference, Observed, differ
from latlab.stats.comparing.question import Question

__all__ = [
    "Comparison",
    "Difference",
    "Observed",
    "Question",
    "Row",
    "Side",
    "bench_key",
    "comparable",
    "compare_groups",
    "differ",
    "verdict",
]
