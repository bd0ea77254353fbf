# SPDX-License-Identifier: Apache-2.0
"""From a host's CLOCK_MONOTONIC, which linuxptp's logs are stamped with, to its CLOCK_TAI. Pure.

By the lines of `latlab-probe now --period ...` on that host. CLOCK_TAI is steered, and stepped, by what is measured, so
the nearest pair of readings is what counts, not the first.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from dataclasses import dataclass, field

KEPT = 4096
"""Pairs that are kept: at one a second, the last hour."""


@dataclass(frozen=True)
class Now:
    monotonic_ns: int
    tai_ns: int
    tai_offset_s: int

    @property
    def difference_ns(self) -> int:
        return self.tai_ns - self.monotonic_ns


def parse_now(line: str) -> Now | None:
    """One line of `latlab-probe now`; None when it is none."""
    try:
        fields = json.loads(line)
        found = Now(fields["monotonic_ns"], fields["tai_ns"], fields["tai_offset_s"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return found if all(type(value) is int for value in vars(found).values()) else None


@dataclass
class Clocks:
    """The pairs of one host, oldest first."""

    pairs: list[Now] = field(default_factory=list)

    def add(self, now: Now) -> None:
        if self.pairs and now.monotonic_ns <= self.pairs[-1].monotonic_ns:
            return
        self.pairs.append(now)
        del self.pairs[:-KEPT]

    @property
    def latest(self) -> Now | None:
        return self.pairs[-1] if self.pairs else None

    def tai_ns(self, monotonic_ns: int) -> int | None:
        """By the nearest pair; None while there is none."""
        if not self.pairs:
            return None
        at = bisect_left(self.pairs, monotonic_ns, key=lambda pair: pair.monotonic_ns)
        near = min(self.pairs[max(0, at - 1) : at + 1], key=lambda pair: abs(pair.monotonic_ns - monotonic_ns))
        return monotonic_ns + near.difference_ns
