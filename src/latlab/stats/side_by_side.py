# SPDX-License-Identifier: Apache-2.0
"""The same work on one thing after the other, on several processors, its results in order: numpy works outside of
Python's lock, so threads do.

What is on its way is bounded, and so is memory. An error of the work, or of what gives the things, comes out of the
iteration; leaving it early leaves no thread at work.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Thing = TypeVar("Thing")
Result = TypeVar("Result")

MOST_THREADS = 4
"""More would only wait for what is read."""


def threads() -> int:
    """How many may work here at a time."""
    return max(1, min(MOST_THREADS, len(os.sched_getaffinity(0))))


def ordered(work: Callable[[Thing], Result], things: Iterable[Thing]) -> Iterator[Result]:
    """`work` of each of the `things`, in their order. These are asked for in the caller's own thread."""
    most = threads()
    if most == 1:
        yield from map(work, things)
        return
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(most, thread_name_prefix="statistics") as pool:
        try:
            for thing in things:
                waiting.append(pool.submit(work, thing))
                if len(waiting) > most:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for late in waiting:
                late.cancel()


def ahead(things: Iterable[Thing]) -> Iterator[Thing]:
    """The same things, the next of them fetched in another thread while the last one is worked on."""
    iterator = iter(things)
    end = object()
    with ThreadPoolExecutor(1, thread_name_prefix="reading") as pool:
        coming = pool.submit(next, iterator, end)
        while (thing := coming.result()) is not end:
            coming = pool.submit(next, iterator, end)
            yield thing  # type: ignore[misc]  # `end` is the only other thing
