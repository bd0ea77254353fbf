# SPDX-License-Identifier: Apache-2.0
"""The state of a run while it goes on, from what passes anyway: the probe's stream, and the readings of the clocks.

`latlab run` feeds it beside the raw samples, `latlab watch` from the file that grows. Memory is bounded:
histograms, a ring of seconds, and at most `PENDING_BYTES` that nobody has looked at yet.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from latlab.stats.live import SHOWN, LiveNumbers
from latlab.stats.seconds import Seconds
from latlab.stats.stamps import Direction, Timescales
from latlab.stats.stream import StreamParser
from latlab.stats.summary import Counts, MetricResult
from latlab.timing.reading import Reading
from latlab.timing.standing import ClocksNow, Follower

PENDING_BYTES = 1 << 20
"""More than that is looked at by whoever brings it."""


@dataclass(frozen=True)
class LiveState:
    """What is known at one moment. `wanted` packets in all, 0: not known yet; `own` of them have a record."""

    wanted: int = 0
    period_ns: int = 0
    own: int = 0
    counts: Counts = field(default_factory=Counts)
    metrics: dict[str, MetricResult] = field(default_factory=dict)
    clocks: ClocksNow = field(default_factory=ClocksNow)
    seconds: Seconds | None = None
    silent_s: float = 0.0
    """Since the last record came, or since we began to wait for the first."""
    waiting_bytes: int = 0
    """Of a record, or of the header, that has not come whole."""


class LiveRun:
    """One run. Any thread may `feed`; only one asks for the `state`."""

    def __init__(
        self,
        direction: Direction,
        timescales: Timescales,
        method: str,
        shown: Sequence[str] = SHOWN,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._direction, self._timescales, self._shown, self._clock = direction, dict(timescales), shown, clock
        self._parser = StreamParser()
        self._numbers: LiveNumbers | None = None
        self._follower = Follower(method, timescales)
        self._taking, self._pending = threading.Lock(), bytearray()
        self._looking = threading.Lock()
        """Never waited for by who holds the other one: bytes are taken while numbers are made."""
        self._fed_s = clock()
        self.failure: Exception | None = None
        """DamagedStreamError, or a defect of ours. What was fed after it is not looked at: nothing that is only shown
        may end a measurement."""

    def feed(self, data: bytes | memoryview) -> None:
        """Bytes of the stream, in order and in any pieces. Cheap: they are looked at later, unless they are many."""
        with self._taking:
            self._pending += data
            self._fed_s = self._clock()
            many = len(self._pending) > PENDING_BYTES
        if many:
            with self._looking:
                self._look()

    def hear(self, readings: Iterable[Reading]) -> None:
        self._follower.hear(readings, self._clock())

    def state(self) -> LiveState:
        with self._looking:
            self._look()
            now_s, numbers, parser = self._clock(), self._numbers, self._parser
            clocks = self._follower.now(now_s, numbers.fastest if numbers else None)
            if numbers is None:
                return LiveState(clocks=clocks, silent_s=now_s - self._fed_s, waiting_bytes=parser.waiting_bytes)
            return LiveState(
                wanted=numbers.header.count,
                period_ns=numbers.header.period_ns,
                own=parser.own,
                counts=numbers.counts,
                metrics=numbers.summaries(),
                clocks=clocks,
                seconds=numbers.seconds,
                silent_s=now_s - self._fed_s,
                waiting_bytes=parser.waiting_bytes,
            )

    def _look(self) -> None:
        with self._taking:
            data, self._pending = bytes(self._pending), bytearray()
        if self.failure is not None or not data:
            return
        try:
            for records in self._parser.feed(data):
                self._begun().add(records)
            if self._parser.header is not None:
                self._begun()
        except Exception as error:  # noqa: BLE001 - it is for the one who looks
            self.failure = error

    def _begun(self) -> LiveNumbers:
        """The numbers, begun as soon as there is a header."""
        if self._numbers is None:
            assert self._parser.header
            self._numbers = LiveNumbers(self._parser.header, self._direction, self._timescales, self._shown)
        return self._numbers
