# SPDX-License-Identifier: Apache-2.0
"""Work side by side gives what work one after the other gives, in the same order, and its errors."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from latlab.stats import side_by_side
from latlab.stats.side_by_side import ahead, ordered


@pytest.fixture(autouse=True, params=[1, 3])
def _threads(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(side_by_side, "threads", lambda: request.param)


def test_results_come_in_the_order_of_the_things() -> None:
    held = threading.Event()

    def work(number: int) -> int:
        if number == 0 and side_by_side.threads() > 1:
            held.wait(10)  # the others are done before the first one
        if number == 2:
            held.set()
        return number * number

    assert list(ordered(work, range(50))) == [number * number for number in range(50)]
    assert list(ahead(range(50))) == list(range(50))
    assert list(ordered(work, [])) == list(ahead([])) == []


def test_an_error_of_the_work_or_of_the_source_comes_out() -> None:
    def work(number: int) -> float:
        return 1 / number

    def source() -> Iterator[int]:
        yield 3
        raise LookupError("it broke")

    with pytest.raises(ZeroDivisionError):
        list(ordered(work, [2, 1, 0, 3]))
    with pytest.raises(LookupError, match="it broke"):
        list(ordered(work, source()))
    with pytest.raises(LookupError, match="it broke"):
        list(ahead(source()))


def test_only_a_few_things_are_on_their_way() -> None:
    asked = 0

    def source() -> Iterator[int]:
        nonlocal asked
        for number in range(1_000):
            asked += 1
            yield number

    for done, _ in enumerate(ordered(lambda number: number, source()), 1):
        assert asked <= done + side_by_side.threads() + 1


def test_leaving_early_leaves_no_thread() -> None:
    before = threading.active_count()
    results = ordered(lambda number: number, range(1_000))
    assert next(results) == 0
    results.close()  # type: ignore[attr-defined]  # it is a generator
    things = ahead(range(1_000))
    assert next(things) == 0
    things.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before
