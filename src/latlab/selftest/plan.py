# SPDX-License-Identifier: Apache-2.0
"""Which faults are injected: every kind and way, from half its floor to a hundred times it, in shuffled order. Pure.

The sizes of one kind and way are spaced evenly on a logarithmic scale, and never more than a quarter of them are below
the floor. The same seed, floor and kinds make the same plan.
"""

from __future__ import annotations

import math
import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from latlab.selftest.faults import KINDS, NS_PER_S, Fault, Kind, Way
from latlab.selftest.floor import Floor

SHORT, LONG = 30, 204
QUIET_NS = 1_500_000_000
"""Before and after each fault."""
COMMANDS_NS = 400_000_000
"""What the commands of one injection may take on a slow machine, for the length of the flow."""
FOLLOW_NS = 15 * NS_PER_S
"""What a clock service may take to follow again."""
LOWEST, HIGHEST = 0.5, 100
SHARE_BELOW = 4
"""At most one in so many sizes is below the floor."""


@dataclass(frozen=True)
class Chosen:
    """The kinds that are injected, each with its ways, and those that are not, with the reason."""

    pairs: tuple[tuple[str, Way | None], ...]
    left_out: tuple[tuple[str, str], ...] = ()

    def only(self, names: Collection[str]) -> Chosen:
        """Those of these kinds, with nothing left out."""
        return Chosen(tuple(pair for pair in self.pairs if pair[0] in names))


def share(pairs: Sequence[tuple[str, Way | None]], count: int) -> list[int]:
    """How many faults each pair gets: `count` in all, at least one each, spread evenly."""
    if not pairs:
        return []
    count = max(count, len(pairs))
    return [count // len(pairs) + (place < count % len(pairs)) for place in range(len(pairs))]


def sizes(kind: Kind, floor: int, count: int, most: int | None = None) -> list[int]:
    """`count` sizes in the unit of the kind, rising. A kind that has no sizes gets zeros.

    From half the floor, or the smallest that the kind allows, to a hundred floors, or the largest, or `most`. Those
    above the floor begin one step above it: at the floor itself, being found is a matter of chance. Where the limits
    leave nothing above the floor, all are below it.
    """
    if kind.noise == "none":
        return [0] * count
    highest = min(limit for limit in (floor * HIGHEST, kind.largest, most) if limit is not None)
    lowest = min(highest, max(1, math.ceil(floor * LOWEST), kind.smallest))
    if lowest >= floor or highest <= floor:
        return [round(lowest * (highest / lowest) ** ((place + 1) / count)) for place in range(count)]
    natural = round(count * math.log(floor / lowest) / math.log(highest / lowest))
    below = min(count // SHARE_BELOW, max(1, natural))
    above = count - below
    return [
        *(min(floor - 1, round(lowest * (floor / lowest) ** (place / below))) for place in range(below)),
        *(max(floor + 1, round(floor * (highest / floor) ** ((place + 1) / above))) for place in range(above)),
    ]


def make_plan(
    pairs: Sequence[tuple[str, Way | None]],
    floor: Floor,
    count: int,
    seed: int,
    packets_per_s: float,
    first: int = 1,
) -> list[Fault]:
    """The faults in the order of their injection, numbered from `first`. Of the packets that are sent while a fault
    lasts, at most half have a counted outcome.
    """
    drawn: list[tuple[str, Way | None, int, int]] = []
    for (name, way), number in zip(pairs, share(pairs, count), strict=True):
        kind = KINDS[name]
        most = round(packets_per_s * kind.lasts_ns / NS_PER_S / 2) if kind.noise == "count" else None
        drawn += [(name, way, size, floor.of(kind)) for size in sizes(kind, floor.of(kind), number, most)]
    random.Random(seed).shuffle(drawn)
    return [Fault(number, *fault) for number, fault in enumerate(drawn, start=first)]


def lasts_ns(pairs: Sequence[tuple[str, Way | None]], count: int) -> int:
    """How long the injections of a plan take at most, whatever its sizes will be."""
    total = 0
    for (name, _), number in zip(pairs, share(pairs, count), strict=True):
        kind = KINDS[name]
        after_ns = FOLLOW_NS if kind.noise == "none" else 0
        total += number * ((kind.lasts_ns or kind.largest or NS_PER_S) + 2 * QUIET_NS + COMMANDS_NS + after_ns)
    return total
