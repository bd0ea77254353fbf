# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C and SIGTERM, at safe points only.

A `KeyboardInterrupt` between any two instructions could tear a frame to an agent in two. So a signal is only counted
when it comes, and raised where this process waits for a machine: the first time everything is finished and cleaned,
the second time the waiting for that is cut short too, and the agents clean by themselves.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class _Count:
    arrived = 0
    raised = 0


@contextmanager
def at_safe_points(*, process_ends: bool = False) -> Iterator[None]:
    """Inside the block SIGINT, SIGTERM and SIGHUP are raised as `KeyboardInterrupt`, where `check` is called.

    `process_ends`: after the block they are ignored, so that one more cannot tear the last words.
    """

    def count(*_: object) -> None:
        _Count.arrived += 1

    _Count.arrived = _Count.raised = 0
    before = {s: signal.signal(s, count) for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for signo, handler in before.items():
            signal.signal(signo, signal.SIG_IGN if process_ends else handler)


def check() -> None:
    """Raises `KeyboardInterrupt` when a signal came that was not raised yet. Only on the main thread."""
    if _Count.arrived > _Count.raised and threading.current_thread() is threading.main_thread():
        _Count.raised += 1
        raise KeyboardInterrupt
