# SPDX-License-Identifier: Apache-2.0
"""What `latlab-probe clock read` prints, line by line, while it runs on a host (see probe/clocks.c)."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Protocol

from latlab.errors import HostError, MeasurementError
from latlab.hosts.host import Host

WORD = 1 << 64
"""Counters count modulo this."""
WAYS = ("precise", "extended", "basic")
"""PTP_SYS_OFFSET_PRECISE, PTP_SYS_OFFSET_EXTENDED, PTP_SYS_OFFSET."""
STOP_LIMIT_S = 3


@dataclass(frozen=True)
class Scaling:
    """How KVM makes a guest's counter of its host's: (host * ratio >> bits) + offset, in 64 bits."""

    offset: int
    ratio: int = 1
    bits: int = 0


@dataclass(frozen=True)
class CounterLine:
    """CLOCK_TAI was read while the processor's counter stood between `counter` and `counter + ticks`."""

    tai_ns: int
    counter: int
    ticks: int
    scaling: Scaling | None = None
    """Of the virtual CPU that was asked for, at that time."""


@dataclass(frozen=True)
class PhcLine:
    """The two clocks showed this at one moment, give or take half of `width_ns` of the system's clock."""

    tai_ns: int
    phc_ns: int
    width_ns: int
    way: str
    """One of `WAYS`."""
    tai_offset_ns: int
    """CLOCK_TAI - CLOCK_REALTIME of this system."""


def parse_counter(line: str) -> CounterLine:
    """MeasurementError when it is no such line. Pure."""
    found = _fields(line)
    counter, ticks = _whole(found, "counter", 0, WORD), _whole(found, "ticks", 0, WORD)
    return CounterLine(_whole(found, "tai_ns"), counter, ticks, _scaling(found) if "offset" in found else None)


def _scaling(found: dict[str, Any]) -> Scaling:
    offset = _whole(found, "offset", -WORD // 2, WORD)
    if found.get("ratio") is None and found.get("bits") is None:
        return Scaling(offset)
    return Scaling(offset, _whole(found, "ratio", 1, WORD), _whole(found, "bits", 0, 64))


def parse_phc(line: str) -> PhcLine:
    """MeasurementError when it is no such line. Pure."""
    found = _fields(line)
    if found.get("way") not in WAYS:
        raise _not_ours(line)
    width_ns, tai_offset_ns = _whole(found, "width_ns", 0), _whole(found, "tai_offset_ns")
    return PhcLine(_whole(found, "tai_ns"), _whole(found, "phc_ns"), width_ns, found["way"], tai_offset_ns)


def _fields(line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        raise _not_ours(line) from None
    if not isinstance(found, dict):
        raise _not_ours(line)
    return found


def _whole(found: dict[str, Any], name: str, low: int = -WORD // 2, high: int = WORD // 2) -> int:
    value = found.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value < high:
        raise _not_ours(json.dumps(found))
    return value


def _not_ours(line: str) -> MeasurementError:
    return MeasurementError(
        f"the probe printed what is no reading of a clock: {line[:80]!r}",
        hint="Are probe and latlab of one version? scripts/setup user builds both.",
    )


class Lines(Protocol):
    """What a watch reads: lines that come by and by."""

    def take(self) -> list[str]:
        """The whole lines that have come since the last call. Does not wait."""

    @property
    def failure(self) -> str | None:
        """Why no more will come; None while they do."""


class LineStream:
    """A program on a host that prints lines until its standard input is closed."""

    def __init__(self, host: Host, argv: Sequence[str]) -> None:
        self._host, self._what = host, " ".join(argv[1:3])
        self._chunks: deque[bytes] = deque()
        self._rest = b""
        self._process = host.start(argv, stdin=True, sink=self._chunks.append)

    def take(self) -> list[str]:
        data = self._rest
        while self._chunks:
            data += self._chunks.popleft()
        *lines, self._rest = data.split(b"\n")
        return [line.decode(errors="replace") for line in lines]

    @property
    def failure(self) -> str | None:
        if self._process.running:
            return None
        try:
            code = self._process.wait(0)
        except HostError as error:
            return error.message
        said = self._process.stderr.strip().splitlines()
        return f"{self._host.name}: {self._what} ended: {said[-1] if said else f'exit code {code}'}"

    def stop(self) -> None:
        """HostError when it does not end. One whose host is gone has ended: `failure` says so."""
        if self._process.running:
            self._process.close_stdin()
            if not self._process.wait_until_ended(STOP_LIMIT_S):
                self._process.stop()


@contextmanager
def streaming(host: Host, argv: Sequence[str]) -> Iterator[LineStream]:
    """A `LineStream` for the block. An error that ends the block stays what it is."""
    stream = LineStream(host, argv)
    try:
        yield stream
    except BaseException:
        with suppress(HostError):  # what went wrong first is what the user must know
            stream.stop()
        raise
    stream.stop()


def read_command(host: Host, *options: str, period_ns: int) -> list[str]:
    """Arguments that read clocks until standard input is closed. Pure."""
    return [host.probe, "clock", "read", *options, "--period", f"{period_ns}ns"]
