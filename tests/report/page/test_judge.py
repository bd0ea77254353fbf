# SPDX-License-Identifier: Apache-2.0
"""A budget is kept, exceeded, or the measurement cannot tell; a lost packet exceeds any."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latlab.report.page.judge import STATISTICS, Judgement, Value, beyond, judge, together

BUDGET = 500_000


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (Value(400_000, (390_000, 410_000), 0), "within"),
        (Value(400_000, (390_000, 500_000), 0), "within"),
        (Value(400_000, (390_000, 500_001), 0), "undecided"),
        (Value(400_000, (390_000, 410_000), 90_001), "undecided"),
        (Value(600_000, (500_001, 700_000), 0), "over"),
        (Value(600_000, (500_001, 700_000), 1), "undecided"),
        (Value(600_000, None, 0), "over"),
        (Value(None, None, 0), "unknown"),
    ],
)
def test_one_value(value: Value, told: str) -> None:
    assert judge(value, 0, 10_000, "p99", BUDGET) == told


@pytest.mark.parametrize(
    ("lost", "statistic", "told"),
    [(100, "p99", "within"), (101, "p99", "over"), (1, "p99.99", "within"), (2, "p99.99", "over"), (1, "max", "over")],
)
def test_lost_packets_are_later_than_any_budget(lost: int, statistic: str, told: str) -> None:
    assert judge(Value(1, (1, 1), 0), lost, 10_000, statistic, BUDGET) == told


def test_all_packets_lost_is_over_though_there_is_no_number() -> None:
    assert judge(Value(None, None, 0), 10, 10, "p99", BUDGET) == "over"


@given(
    st.integers(1, 10**9), st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6),
    st.sampled_from(STATISTICS),
)  # fmt: skip
def test_a_larger_budget_is_never_kept_worse(value: int, less: int, more: int, bound: int, statistic: str) -> None:
    order = ["over", "undecided", "within"]
    measured = Value(value, (value - less, value + more), bound)
    told = [judge(measured, 0, 1_000, statistic, budget) for budget in range(1, 10**9, 10**8)]
    assert [order.index(word) for word in told] == sorted(order.index(word) for word in told)


@pytest.mark.parametrize(
    ("judgements", "told"),
    [
        (["within", "within"], "within"),
        (["within", "over"], "over"),
        (["within", "undecided"], "undecided"),
        (["within", "unknown"], "undecided"),
        (["unknown"], "unknown"),
        ([], "unknown"),
    ],
)
def test_the_runs_of_a_point(judgements: list[Judgement], told: str) -> None:
    assert together(judgements) == told


def test_what_may_lie_beyond() -> None:
    assert beyond("max") == 0
    assert float(beyond("p99.9")) == pytest.approx(0.001)
