# SPDX-License-Identifier: Apache-2.0
"""Bulk traffic beside the measured flow: N streams that run before the measurement begins, and until after its end.

    with running(load, source, app, "down") as bulk:
        ...                                  # measure
        result = bulk.finish()               # what the receivers counted; bulk.failure says why it did not count

A new program is a module with `launched(streams)`, a context manager that yields a `Bulk`, and one line of `PROGRAMS`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any, Protocol

from latlab.attachment.wiring import End
from latlab.errors import BenchError, HostError, MeasurementError
from latlab.load import iperf3, netperf_streams
from latlab.load.streams import Bulk, Streams, added_up, failure, first, result
from latlab.scenario.model import Direction, Family, Load
from latlab.store.document import LoadResult

PROGRAMS: dict[str, Callable[[Streams], AbstractContextManager[Bulk]]] = {
    "iperf3": iperf3.launched,
    "netperf": netperf_streams.launched,
}

FLOWING_LIMIT_S = 15.0
ENOUGH_BYTES = 50_000
"""What a stream without a rate must have brought to the receiver's interface before it counts as flowing."""
LEAST_BYTES = 3_000
"""More than the connection's own beginning costs, however slow the stream."""


def enough_bytes(load: Load) -> int:
    """The growth of the receiver's interface counter that proves that all streams flow: 0.25 s of a slow one. Pure."""
    each = ENOUGH_BYTES if load.rate_bps is None else max(LEAST_BYTES, min(ENOUGH_BYTES, load.rate_bps // 8 // 4))
    return each * load.streams


class RunningLoad:
    """A load that flows. Made by `running`."""

    def __init__(self, streams: Streams, bulk: Bulk) -> None:
        self._streams, self._bulk = streams, bulk
        self._nic_bytes, self._since = received_bytes(streams.receiver), time.monotonic()
        self.failure: str | None = None
        """After `finish`: why the run must not be believed; None when the load ran."""

    def wait_until_flowing(self) -> None:
        """Until the receiver's interface has counted enough of it; MeasurementError when that does not come."""
        load, enough = self._streams.load, enough_bytes(self._streams.load)
        seconds = FLOWING_LIMIT_S + (2 * enough * 8 / (load.rate_bps * load.streams) if load.rate_bps else 0)
        while received_bytes(self._streams.receiver) - self._nic_bytes < enough:
            ended = self._bulk.ended()
            if ended:
                raise MeasurementError(f"the load did not start: {ended}")
            if time.monotonic() - self._since > seconds:
                receiver = self._streams.receiver
                raise MeasurementError(
                    f"the load did not start: {receiver.nic} of {receiver.host.name} received less than {enough} bytes "
                    f"in {seconds:.0f} s",
                    hint="Try the load's program by hand between the two addresses; a firewall may drop it.",
                )
            time.sleep(0.05)

    def finish(self) -> LoadResult:
        """Ends the load. The result's further fields: `ran`, `reason`, `program`, `protocol`, `per_stream_bps`,
        `sent_bps`, `lost_datagrams`, `duration_s`, and `nic_rx_bps` of the receiver's interface, headers and all.
        """
        ended = self._bulk.ended()
        nic_bytes, seconds = received_bytes(self._streams.receiver) - self._nic_bytes, time.monotonic() - self._since
        facts: dict[str, Any] = {"nic_rx_bps": nic_bytes * 8 / seconds}
        carried = None
        if ended is None:
            try:
                carried = self._bulk.finish()
                self.failure = failure(self._streams.load, carried)
            except MeasurementError as e:
                self.failure = e.message
            except HostError as e:
                self.failure = f"the load could not be ended in order: {e.message}"
        self.failure = first([ended, self.failure])
        return result(self._streams.load, carried, ran=self.failure is None, reason=self.failure, facts=facts)


class BulkTraffic(Protocol):
    """What the run knows of a load that flows."""

    failure: str | None

    def finish(self) -> LoadResult:
        """Ends the load; what its receivers counted."""


class SharedLoad:
    """One load whose streams go between several pairs of ends."""

    def __init__(self, load: Load, parts: Sequence[RunningLoad]) -> None:
        self._load, self._parts = load, parts
        self.failure: str | None = None

    def finish(self) -> LoadResult:
        """The sum of the parts, where every part has a number."""
        results = [part.finish() for part in self._parts]
        self.failure = first([part.failure for part in self._parts])
        return added_up(self._load, results)


def share_out(streams: int, pairs: int) -> list[int]:
    """As evenly as it goes, the first ones more; each at least one. Pure."""
    return [max(1, streams // pairs + (number < streams % pairs)) for number in range(pairs)]


def received_bytes(end: End) -> int:
    """Bytes that the end's interface has received, by the kernel's count."""
    path = f"/sys/class/net/{end.nic}/statistics/rx_bytes"
    text = end.host.read(path).strip()
    if not text.isdecimal():
        raise BenchError(f"{end.host.name}: {path} holds no number: {text[:40]}")
    return int(text)


@contextmanager
def running(
    load: Load, source: End, app: End, flow_direction: Direction, family: Family = "ip4", lane: int = 0
) -> Iterator[RunningLoad]:
    """A load that flows by the time the block begins; every process of it has ended after the block.

    BenchError when the program is missing or cannot do this load, MeasurementError when the load does not come to flow.
    """
    streams = Streams(load, source, app, load.into_app(flow_direction), family, lane)
    with PROGRAMS[load.program](streams) as bulk:
        started = RunningLoad(streams, bulk)
        started.wait_until_flowing()
        yield started


@contextmanager
def running_between(
    load: Load, pairs: Sequence[tuple[End, End]], flow_direction: Direction, family: Family = "ip4"
) -> Iterator[BulkTraffic]:
    """The same between (source, application) pairs: the load's streams are shared out among them."""
    if len(pairs) == 1:
        ((source, app),) = pairs
        with running(load, source, app, flow_direction, family) as alone:
            yield alone
        return
    with ExitStack() as stack:
        parts = [
            stack.enter_context(
                running(load.model_copy(update={"streams": share}), source, app, flow_direction, family, lane)
            )
            for lane, (share, (source, app)) in enumerate(zip(share_out(load.streams, len(pairs)), pairs, strict=True))
        ]
        yield SharedLoad(load, parts)
