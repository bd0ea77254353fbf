# SPDX-License-Identifier: Apache-2.0
"""The bench's own noise, which a fault must exceed: from quiet stretches compared with each other. Pure.

The level of a way in a window is the lower quartile of its one-way differences in it: the way that its packets take
when nothing holds them up. For each window, its level is compared with the mean of its two neighbours', as a fault is
compared with the quiet before and after it; clocks that drift apart evenly do not count. The floor is 3.29 times the
standard deviation of that difference, estimated by its median absolute value (x 1.4826): without any fault, one window
in a thousand would differ by more if the noise were normal. Of the two ways, the noisier one's.

Single packets: the largest excess over the median that all but one in a thousand packets stay below.
Counted outcomes: one more than the most that any window had without a fault.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from latlab.selftest.faults import NS_PER_S, RAMP_NS, Kind

Times = npt.NDArray[np.int64]

WINDOW_NS = NS_PER_S
MIN_WINDOWS = 5
QUARTILE = 0.25
NORMAL = 1.4826
"""The standard deviation of a normal distribution in units of its median absolute value."""
ONE_IN_A_THOUSAND = 3.29
SINGLE = 0.999


@dataclass(frozen=True)
class Quiet:
    """Packets without any fault, one entry each, in the order in which they were sent; `time_ns` on the sender's clock.

    `forward_ns` and `return_ns` are differences between two clocks, `wakeup_ns` and `round_trip_ns` of one. `answered`
    says which packets have all of them. `counted` holds the flags of each counted outcome.
    """

    time_ns: Times
    answered: npt.NDArray[np.bool_]
    forward_ns: Times
    return_ns: Times
    wakeup_ns: Times
    round_trip_ns: Times
    counted: Mapping[str, npt.NDArray[np.bool_]]


@dataclass(frozen=True)
class Floor:
    """All in ns but `packets`, which is of each counted outcome."""

    forward_ns: int
    return_ns: int
    single_ns: Mapping[str, int]
    """`sender`: how late it wakes up; `receiver`: how late a packet is there."""
    packets: Mapping[str, int]
    round_trip_ns: int
    """The median, to compare with."""
    windows: int

    @property
    def level_ns(self) -> int:
        return max(self.forward_ns, self.return_ns)

    def of(self, kind: Kind) -> int:
        """The floor of a kind, in its unit."""
        if kind.noise == "level":
            return self.level_ns
        if kind.noise == "slope":
            return max(1, self.level_ns * NS_PER_S // RAMP_NS)
        if kind.noise == "single":
            return self.single_ns["sender" if kind.name == "sender-stall" else "receiver"]
        return self.packets.get(kind.name, 1) if kind.noise == "count" else 0


def find_floor(quiet: Quiet, held_ns: int = 0) -> Floor:
    """The floor. `held_ns`: of each round trip, what the self-test itself adds all the time.

    ValueError when there are not `MIN_WINDOWS` windows with packets that were answered.
    """
    windows = (quiet.time_ns - quiet.time_ns[0]) // WINDOW_NS if len(quiet.time_ns) else np.empty(0, np.int64)
    whole = windows < windows[-1] if len(windows) else np.empty(0, bool)
    used = whole & quiet.answered
    numbers = np.unique(windows[used])
    if len(numbers) < MIN_WINDOWS:
        raise ValueError(f"{len(numbers)} quiet windows with answered packets, and {MIN_WINDOWS} are needed")

    def levels_of(values: Times) -> npt.NDArray[np.float64]:
        return np.array([np.quantile(values[used & (windows == number)], QUARTILE) for number in numbers])

    def noise(values: Times) -> int:
        # Clocks that drift apart would smear each window: first they are made to stand still.
        per_window = float(np.median(np.diff(levels_of(values)) / np.diff(numbers)))
        levels = levels_of(
            values - np.round((quiet.time_ns - quiet.time_ns[0]) * per_window / WINDOW_NS).astype(np.int64)
        )
        differences = levels[1:-1] - (levels[:-2] + levels[2:]) / 2
        return max(1, round(float(ONE_IN_A_THOUSAND * NORMAL * np.median(np.abs(differences)))))

    def single(values: Times) -> int:
        return max(1, round(float(np.quantile(values[used], SINGLE) - np.median(values[used]))))

    def most(flags: npt.NDArray[np.bool_]) -> int:
        return 1 + int(np.bincount(windows[whole], flags[whole]).max())

    return Floor(
        forward_ns=noise(quiet.forward_ns),
        return_ns=noise(quiet.return_ns),
        single_ns={"sender": single(quiet.wakeup_ns), "receiver": single(quiet.forward_ns)},
        packets={name: most(flags) for name, flags in quiet.counted.items()},
        round_trip_ns=max(1, round(float(np.median(quiet.round_trip_ns[used]))) - held_ns),
        windows=len(numbers),
    )
