# SPDX-License-Identifier: Apache-2.0
"""Late packets: which part of their way held them, and so whose fault it was. Chunk by chunk, in bounded memory.

The exchange of a packet is cut at its stamps into parts whose sum is its whole time. All but two of them begin and end
on one clock: the sender's waking, its sending, the receiver's reading and its answering, and the sender's reading of
the reply. The two ways between the machines are put right by the clocks' path first. A part is late when it took longer
than `_limits` lets expect; packets that were late one after another are one episode.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from latlab.stats import records as rec
from latlab.stats.anomalies import Anomaly, Blame, Kind, Place, us
from latlab.stats.bins import Flags
from latlab.stats.clock_path import ClockPath
from latlab.stats.columns import Columns, columns_of
from latlab.stats.records import Records
from latlab.stats.tube import Floats
from latlab.stats.ways import ABSENT, Times, Ways, first_of, lag, ways

PARTS: tuple[tuple[str, Place], ...] = (
    ("the sender woke late", "sender"),
    ("the sender was held before its packet left", "sender"),
    ("the way there took long", "forward"),
    ("the receiver was late to read", "receiver"),
    ("the receiver was late to answer", "receiver"),
    ("the way back took long", "back"),
    ("the sender was late to read the reply", "sender"),
)
SENDER, RECEIVER, WAYS = (0, 1, 6), (3, 4), (2, 5)

FAR = 6
"""A part is late beyond its median by so many times the distance from there to p90."""
FAR_RARE = 2
"""And by so many times the distance to p99: what one packet in a hundred is off by is the bench's own noise."""
LEAST_NS = 5_000
"""Nothing shorter than this is late: it is about what a cache miss, an interrupt or a reading of a clock costs."""
LEAST_SHARE = 0.1
"""Nor what is shorter than this share of a usual round trip."""
JOIN_NS = 20_000_000
JOIN_PERIODS = 5
SAMPLE = 40_000
MOST_EPISODES = 100_000
"""Kept in memory. More are counted only."""


class Sampler:
    """Every so many records of a stream, `SAMPLE` to twice as many of them, whatever its length."""

    def __init__(self) -> None:
        self._every, self._seen, self._kept = 1, 0, 0
        self._pieces: list[Records] = []

    def watch(self, chunks: Iterable[Records | Columns]) -> Iterable[Columns]:
        """Passes the chunks on."""
        for chunk in columns_of(chunks):
            own = chunk.having(rec.SENT)
            self._pieces.append(own[(-self._seen) % self._every :: self._every].records())
            self._kept += len(self._pieces[-1])
            self._seen += len(own)
            while self._kept > 2 * SAMPLE:
                self._pieces = [self.records[::2].copy()]
                self._kept = len(self._pieces[0])
                self._every *= 2
            yield chunk

    @property
    def records(self) -> Records:
        return np.concatenate(self._pieces) if self._pieces else np.empty(0, rec.RECORD)


def parts_of(records: Records, path: ClockPath | None) -> Floats:
    """How long each of `PARTS` took: one row for each, NaN where a stamp is missing or the clock stepped. In ns.

    The two ways are as short as they can have been where the clocks are known worse than usual. Without a path they
    are those of clocks that were not compared: their differences still tell.
    """
    found, unknown = ways(records), np.zeros(len(records), bool)
    offset = doubt = np.zeros(len(records), np.int64)
    if path is not None and len(records):
        seq = records["seq"].astype(np.int64)
        (offset, error), unknown = path.at(seq, lag(records)), path.stepping(seq)
        doubt = np.maximum(error - path.usual_error_ns, 0)
    columns = Columns.of(records)
    left, heard = first_of(columns, "t", "w"), first_of(columns, "r", "a")
    answered, home = first_of(columns, "t2", "w2"), first_of(columns, "r2", "a2")
    return np.stack(
        [
            _between(records["S"], records["w"]),
            _between(records["w"], left),
            np.where(
                unknown | (found.forward_ns == ABSENT), np.nan, (found.forward_ns - offset - doubt).astype(np.float64)
            ),
            _between(heard, records["a"]),
            _between(records["a"], answered),
            np.where(unknown | (found.back_ns == ABSENT), np.nan, (found.back_ns + offset - doubt).astype(np.float64)),
            _between(home, records["a2"]),
        ]
    )


def _between(start: Times, end: Times) -> Floats:
    return np.where((start != 0) & (end != 0), (end - start).astype(np.float64), np.nan)


@dataclass
class _Episode:
    """`due_ns` and `until_ns` are since packet 0 was due: the sender's clock may be set while it lasts."""

    start_ns: int
    due_ns: int
    until_ns: int
    packets: int = 0
    most: Floats = field(default_factory=lambda: np.zeros(len(PARTS)))

    @property
    def end_ns(self) -> int:
        return self.start_ns + self.until_ns - self.due_ns


class LateFinder:
    """Give it a run's records in order (`add`), then ask for the episodes (`anomalies`)."""

    def __init__(self, sample: Records, path: ClockPath | None, *, compared: bool, period_ns: int) -> None:
        """`sample`: some of the run's records, for what is usual. `compared`: whether the ways there and back mean
        anything by themselves; if not, nobody can say whether it was the clock.
        """
        self._path, self._compared, self._period_ns = path, compared, period_ns
        self._usual, self._limit, self._spread = _limits(parts_of(sample, path))
        self._bin_ns = path.bins.packets * period_ns if path is not None else 0
        self._join_ns = max(JOIN_NS, JOIN_PERIODS * period_ns)
        self._episodes: list[_Episode] = []
        self._open: _Episode | None = None
        self.not_kept = 0

    def add(self, records: Records | Columns) -> None:
        own = Columns.of(records).having(rec.SENT)
        offset = 0 if self._path is None else self._path.at(own.seq, lag(own))[0]
        self.join(self.find(own, ways(own), offset))

    def find(self, own: Columns, found: Ways, offset_ns: Times | int) -> list[tuple[int, int, Floats]]:
        """Of packets that were sent, with their ways and how far the path has the clocks apart, those that were late:
        their numbers, when each was due, and by how much each part was late. Changes nothing."""
        places = np.flatnonzero(self._maybe(own, found, offset_ns))
        if not len(places):
            return []
        some = own[places].records()
        beyond = parts_of(some, self._path) - self._usual[:, None]
        late = np.flatnonzero((beyond > self._limit[:, None]).any(axis=0)).tolist()
        return [(int(some["seq"][one]), int(some["S"][one] or some["w"][one]), beyond[:, one]) for one in late]

    def join(self, late: list[tuple[int, int, Floats]]) -> None:
        """What `find` found in the next records."""
        for seq, time_ns, beyond in late:
            self._late(seq, time_ns, beyond)

    def _maybe(self, own: Columns, found: Ways, offset_ns: Times | int) -> Flags:
        """All that may be late, and a few more: integers, without a thought for stamps that are missing."""
        maybe = np.zeros(len(own), bool)
        if not len(own):
            return maybe
        for part, took in self._took(own, found, offset_ns):
            limit = math.floor(self._usual[part] + self._limit[part]) - 1
            if int(took.max()) >= limit:
                maybe |= took >= limit
        return maybe

    def _took(self, own: Columns, found: Ways, offset_ns: Times | int) -> Iterator[tuple[int, Times]]:
        """How long each part took, of those that can be late at all; at the most, and anything without its stamps."""
        known = np.isfinite(self._limit)
        for part, start, end in ((0, "S", "w"), (1, "w", "t"), (3, "r", "a"), (6, "r2", "a2")):
            if known[part] and not own.none(start) and not own.none(end):
                yield part, own[end] - own[start]
        if known[4]:
            yield 4, first_of(own, "t2", "w2") - own["a"]
        for part, way, sign in ((WAYS[0], found.forward_ns, -1), (WAYS[1], found.back_ns, 1)):
            if known[part]:
                took: Times = way + sign * offset_ns
                if int(way.max()) == ABSENT:
                    took[np.flatnonzero(way == ABSENT)] = 0
                yield part, took

    def _late(self, seq: int, time_ns: int, beyond: Floats) -> None:
        lateness = np.where(beyond > self._limit, beyond, 0)
        due = seq * self._period_ns
        reach = due + int(lateness.max())
        if self._open is None or due > self._open.until_ns + self._join_ns:
            self._close()
            self._open = _Episode(time_ns, due, reach)
        self._open.packets += 1
        self._open.until_ns = max(self._open.until_ns, reach)
        np.maximum(self._open.most, lateness, out=self._open.most)

    def _close(self) -> None:
        if self._open is not None and len(self._episodes) < MOST_EPISODES:
            self._episodes.append(self._open)
        elif self._open is not None:
            self.not_kept += 1
        self._open = None

    def anomalies(self, known: Iterable[Anomaly] = ()) -> list[Anomaly]:
        """The episodes that what is `known` already does not explain: moves of a clock, lasting delays."""
        self._close()
        covering = [a for a in known if a.kind in ("step", "ramp", "delay")]
        return [self._judged(e) for e in self._episodes if not self._explained(e, covering)]

    def _explained(self, episode: _Episode, known: list[Anomaly]) -> bool:
        part = int(np.argmax(episode.most))
        place, most = PARTS[part][1], float(episode.most[part])
        for anomaly in known:
            # What lasts begins and ends somewhere in a bin.
            overlap = min(anomaly.end_ns, episode.end_ns) - max(anomaly.start_ns, episode.start_ns) + self._bin_ns
            if anomaly.kind == "step" and episode.packets <= 2 and overlap >= 0 and most <= 1.2 * abs(anomaly.size):
                return True  # it stepped between two stamps of one packet
            same = part in WAYS and anomaly.place in (place, "clock")
            if same and overlap >= 0 and most <= 2 * abs(anomaly.size) + self._limit[part]:
                return True
        return False

    def _judged(self, episode: _Episode) -> Anomaly:
        most = float(episode.most.max())
        part = int(np.argmax(episode.most))
        for group in (SENDER, RECEIVER):
            held = float(episode.most[list(group)].max())
            if held >= most / 2:
                # It began there, at the earliest: what came after was late because of it, and of its own backlog.
                part = next(place for place in group if episode.most[place] >= held / 2)
                break
        words, place = PARTS[part]
        size = float(episode.most[part])
        verdict: Blame = "sender" if place == "sender" else "network"
        kind: Kind = "sender-stall" if place == "sender" else "stall"
        told = [f"{words}: by {us(size)} beyond its usual {us(float(self._usual[part]))}, on one clock"]
        if part in WAYS:
            told = [f"{words}: by {us(size)} more than usual in {episode.packets} packets"]
            if self._compared:
                told.append("the packets before and after them hold the clock where it was")
            else:
                verdict = "unknown"
                told.append("the clocks were not compared, so it may have been one of them")
        # The first packet that it held came up to a period after it began, and what was before it makes that uneven.
        bound = self._period_ns + 2 * float(self._spread[: part + 1].sum())
        return Anomaly(
            verdict, kind, place, episode.start_ns, episode.end_ns, episode.packets, size, bound, tuple(told)
        )


def _limits(parts: Floats) -> tuple[Floats, Floats, Floats]:
    """Of each part: its median, how far beyond it is late (infinite if unknown), half of what is usual beyond it."""
    usual, limit, spread = (np.full(len(PARTS), value) for value in (0.0, np.inf, 0.0))
    for row, values in enumerate(parts):
        known = values[np.isfinite(values)]
        if len(known):
            usual[row], high, rare = np.quantile(known, (0.5, 0.9, 0.99))
            limit[row] = max(FAR * (high - usual[row]), FAR_RARE * (rare - usual[row]), LEAST_NS)
            spread[row] = max(high - usual[row], (rare - usual[row]) / 2)
    # The two ways' offset cancels in their sum.
    least = LEAST_SHARE * float(usual[list(WAYS + RECEIVER)].sum())
    return usual, np.maximum(limit, least), spread
