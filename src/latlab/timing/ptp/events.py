# SPDX-License-Identifier: Apache-2.0
"""What happened to the clocks, by the readings of a run: master lost, port faulty, servo out of lock, stepped. Pure.

From the port's own transitions (IEEE 1588-2019, 9.2; names of linuxptp's util.c) and the servo's states; and from
silence: a port of fixed roles (BMCA noop) that loses its master says nothing at all, it only ceases to synchronise.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median
from typing import Literal

from latlab.timing.ptp.logs import TRANSITION, Transition
from latlab.timing.reading import LOCKED, Reading

Kind = Literal["master-lost", "fault-reset", "servo", "step", "grandmaster"]

SILENCE_NS = 2_000_000_000
SILENT_INTERVALS = 8
"""No synchronisation for longer than both is a lost master."""
MANY, UNKNOWN_INTERVAL_NS = 8, 1_000_000_000
"""With no more offsets than that, their interval is taken for the longest of the profiles'."""
CAUSE_NS = 2_000_000_000
"""What was said so long before a fault is taken for its cause: a transmit stamp is waited for at most that long."""
CAUSES = ("polling for tx timestamp", "link down", "Network is down", "failed")
"""Words of port.c, sk.c and clock.c that come with a fault; the plainest first."""


@dataclass(frozen=True)
class Happening:
    """`end_ns` is None while it had not ended with the last reading. Times as in `Reading`."""

    kind: Kind
    host: str
    start_ns: int
    end_ns: int | None
    sentence: str
    size_ns: int | None = None
    """Of a step: what the clock was off by."""

    @property
    def duration_ns(self) -> int | None:
        return None if self.end_ns is None else self.end_ns - self.start_ns


def events(readings: Iterable[Reading]) -> list[Happening]:
    """All that happened, in the order of its beginning."""
    by_host: dict[str, list[Reading]] = {}
    for reading in readings:
        by_host.setdefault(reading.host, []).append(reading)
    found: list[Happening] = []
    for host, rows in by_host.items():
        rows.sort(key=lambda row: row.time_ns)
        moves = [(row.time_ns, move) for row in rows if (move := _transition(row))]
        faults = _faults(host, rows, moves)
        lost = _masters_lost(host, moves)
        silent = [gap for gap in _silences(host, rows) if not any(_overlap(gap, other) for other in [*faults, *lost])]
        found += [*faults, *lost, *silent, *_servo(host, rows), *_grandmasters(host, rows)]
    return sorted(found, key=lambda happening: (happening.start_ns, happening.kind))


def _transition(row: Reading) -> Transition | None:
    match = TRANSITION.fullmatch(row.event or "")
    if match is None:
        return None
    port, _, before, after, event, detail = match.groups()
    return Transition(int(port), before, after, event, detail or "")


def _faults(host: str, rows: Sequence[Reading], moves: Sequence[tuple[int, Transition]]) -> list[Happening]:
    found = []
    for at, (start_ns, move) in enumerate(moves):
        if move.after != "FAULTY" or move.before == "FAULTY":
            continue
        end_ns = next((t for t, later in moves[at + 1 :] if later.before == "FAULTY" and later.after != "FAULTY"), None)
        said = [row.event for row in rows if row.event and start_ns - CAUSE_NS <= row.time_ns <= start_ns]
        causes = [words for sign in CAUSES for words in reversed(said) if sign in words]
        cause = next(iter(causes), move.detail or move.event)
        found.append(
            Happening("fault-reset", host, start_ns, end_ns,
                      f"PTP port {move.port} of the {host} was FAULTY {_for(start_ns, end_ns)}: {cause}")
        )  # fmt: skip
    return found


def _masters_lost(host: str, moves: Sequence[tuple[int, Transition]]) -> list[Happening]:
    found: list[Happening] = []
    for at, (start_ns, move) in enumerate(moves):
        slaved = move.before in ("SLAVE", "UNCALIBRATED")
        if not slaved or move.event not in ("ANNOUNCE_RECEIPT_TIMEOUT_EXPIRES", "RS_MASTER", "RS_GRAND_MASTER"):
            continue
        # One that runs free stays UNCALIBRATED.
        end_ns = next((t for t, later in moves[at + 1 :] if later.after in ("SLAVE", move.before)), None)
        role = " and took itself for the master" if move.after in ("MASTER", "GRAND_MASTER", "PRE_MASTER") else ""
        found.append(
            Happening("master-lost", host, start_ns, end_ns,
                      f"the {host} lost its PTP master{role} {_for(start_ns, end_ns)} ({move.event})")
        )  # fmt: skip
    return [one for n, one in enumerate(found) if n == 0 or not _overlap(found[n - 1], one)]


def _silences(host: str, rows: Sequence[Reading]) -> list[Happening]:
    times = [row.time_ns for row in rows if row.reference == "master" and row.offset_ns is not None]
    if not times:
        return []
    usual_ns = median(b - a for a, b in pairwise(times)) if len(times) > MANY else UNKNOWN_INTERVAL_NS
    limit_ns = max(SILENCE_NS, int(SILENT_INTERVALS * usual_ns))
    gaps: list[tuple[int, int | None]] = [(a, b) for a, b in pairwise(times) if b - a > limit_ns]
    if rows[-1].time_ns - times[-1] > limit_ns:
        gaps.append((times[-1], None))
    return [
        Happening("master-lost", host, a, b, f"the {host} was not synchronised by its PTP master {_for(a, b)}")
        for a, b in gaps
    ]


def _servo(host: str, rows: Sequence[Reading]) -> list[Happening]:
    found: list[Happening] = []
    locked = False
    for row in rows:
        if row.source != "ptp4l" or row.servo_state is None:
            continue
        if row.servo_state == "s1":
            words = "" if row.offset_ns is None else f" by {-row.offset_ns} ns"
            found.append(
                Happening("step", host, row.time_ns, row.time_ns, f"ptp4l stepped the clock of the {host}{words}",
                          row.offset_ns)
            )  # fmt: skip
        now = row.servo_state in LOCKED
        if locked and not now:
            words = f"the servo of the {host} was out of lock"
            found.append(Happening("servo", host, row.time_ns, None, words))
        elif now and not locked:
            found = [_ended(one, row.time_ns) if one.kind == "servo" and one.end_ns is None else one for one in found]
        locked = now
    return [
        replace(one, sentence=f"{one.sentence} {_for(one.start_ns, one.end_ns)}") if one.kind == "servo" else one
        for one in found
    ]


def _grandmasters(host: str, rows: Sequence[Reading]) -> list[Happening]:
    # While it follows: a clock alone is its own grandmaster, and what the log selects is not yet what it follows.
    named = [(row.time_ns, row.grandmaster) for row in rows if row.grandmaster and row.reference == "master"]
    return [
        Happening("grandmaster", host, time_ns, time_ns, f"the {host} changed its grandmaster from {before} to {after}")
        for (_, before), (time_ns, after) in pairwise(named)
        if before != after
    ]


def _ended(happening: Happening, end_ns: int) -> Happening:
    return replace(happening, end_ns=end_ns)


def _overlap(one: Happening, other: Happening) -> bool:
    one_end, other_end = (float("inf") if h.end_ns is None else h.end_ns for h in (one, other))
    return one.start_ns <= other_end and other.start_ns <= one_end


def _for(start_ns: int, end_ns: int | None) -> str:
    return "and stayed so" if end_ns is None else f"for {(end_ns - start_ns) / 1e9:.1f} s"
