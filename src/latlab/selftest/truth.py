# SPDX-License-Identifier: Apache-2.0
"""What a stall really did, from the schedule of the packets and the times at which they reached the kernel. Pure.

A stall of 5 ms delays nobody by 5 ms when the first packet came 1 ms after its begin, and nobody at all when none came.
Neither stamp used here is moved by the stall: the schedule was made before, and the kernel receives on another thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from latlab.selftest.faults import Injection

Times = npt.NDArray[np.int64]


def with_truth(injections: Sequence[Injection], scheduled_ns: Times, arrived_ns: Times | None) -> list[Injection]:
    """The injections with the true sizes of the stalls. `arrived_ns`: at the reflector's kernel, on the sender's
    clock; None when the two clocks differ.
    """
    first = {"sender-stall": np.sort(scheduled_ns)}
    if arrived_ns is not None:
        first["receiver-stall"] = np.sort(arrived_ns)
    return [
        replace(injection, true_size=longest_wait_ns(injection, first[injection.fault.kind]), true_error=0)
        if injection.fault.kind in first
        else injection
        for injection in injections
    ]


def longest_wait_ns(injection: Injection, times_ns: Times) -> int:
    """How long the first one of these sorted times that falls into the stall has to wait for its end; 0: none does."""
    place = int(np.searchsorted(times_ns, injection.start_ns))
    if place == len(times_ns) or times_ns[place] >= injection.end_ns:
        return 0
    return injection.end_ns - int(times_ns[place])
