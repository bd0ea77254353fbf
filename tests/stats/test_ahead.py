# SPDX-License-Identifier: Apache-2.0
"""What is fetched ahead is what it would have been, with its errors, and no more than one thing ahead."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from latlab.stats.ahead import ahead


def test_things_come_in_their_order() -> None:
    assert list(ahead(range(50))) == list(range(50))
    assert list(ahead([])) == []
    assert list(ahead([None, 0, ""])) == [None, 0, ""]


def test_an_error_of_the_source_comes_out_after_what_was_before_it() -> None:
    def source() -> Iterator[int]:
        yield 3
        raise LookupError("it broke")

    things = ahead(source())
    assert next(things) == 3
    with pytest.raises(LookupError, match="it broke"):
        next(things)


def test_only_one_thing_is_fetched_ahead() -> None:
    asked = 0

    def source() -> Iterator[int]:
        nonlocal asked
        for number in range(1_000):
            asked += 1
            yield number

    for done, _ in enumerate(ahead(source()), 1):
        assert asked <= done + 1


def test_leaving_early_leaves_no_thread() -> None:
    before = threading.active_count()
    things = ahead(range(1_000))
    assert next(things) == 0
    things.close()  # type: ignore[attr-defined]  # it is a generator
    assert threading.active_count() == before
