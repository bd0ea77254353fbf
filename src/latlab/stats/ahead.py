# SPDX-License-Identifier: Apache-2.0
"""What is read next is fetched while the last of it is worked on: reading holds no lock of Python's, so a thread does.

The work itself does not gain by threads: half of what numpy does for the statistics (`bincount`, short sums) holds that
lock, and two threads that pass it to each other take a quarter more of the processors' time for the same result.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Thing = TypeVar("Thing")

MOST_READERS = 2
"""More would only wait for what is done with what they read."""


def readers() -> int:
    """How many processors may read at a time."""
    return max(1, min(MOST_READERS, len(os.sched_getaffinity(0))))


def ahead(things: Iterable[Thing]) -> Iterator[Thing]:
    """The same things, the next of them fetched in another thread while the last one is worked on.

    An error of what gives them comes out here; leaving early leaves no thread at work.
    """
    iterator = iter(things)
    end = object()
    with ThreadPoolExecutor(1, thread_name_prefix="reading") as pool:
        coming = pool.submit(next, iterator, end)
        while (thing := coming.result()) is not end:
            coming = pool.submit(next, iterator, end)
            yield thing  # type: ignore[misc]  # `end` is the only other thing
