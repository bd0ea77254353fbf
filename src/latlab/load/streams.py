# SPDX-License-Identifier: Apache-2.0
"""What is common to every program that makes bulk traffic: where the streams begin and end, and what they carried."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from latlab.attachment.wiring import End
from latlab.scenario.model import Family, Load
from latlab.store.document import LoadResult

DATAGRAM_BYTES = 1400
"""UDP payload of a bulk datagram: with its headers, of either family, it fits into an MTU of 1500."""
LEAST_SHARE = 0.1
"""A load that carried less than this share of the rate it was asked for did not run."""
FULL_SHARE = 0.9
"""Below this share it ran, but is another load than the point names: `shortfall` says so."""
_UNITS = ((1_000_000_000, "Gbit/s"), (1_000_000, "Mbit/s"), (1_000, "kbit/s"))


@dataclass(frozen=True)
class Streams:
    """N bulk streams between `source` and the flow's application `app`."""

    load: Load
    source: End
    app: End
    into_app: bool
    """Whether the bulk data goes from `source` to `app`, or the other way."""
    family: Family = "ip4"
    lane: int = 0
    """Loads that run at the same time with one end in common differ in this, and so in their ports."""

    @property
    def receiver(self) -> End:
        return self.app if self.into_app else self.source

    def own(self, end: End) -> str:
        """The address that a server on `end` binds."""
        address: str = getattr(end.own, self.family)
        return address

    def reach(self, end: End) -> str:
        """The address under which the other end reaches it."""
        address: str = getattr(end.reach, self.family)
        return address


class Bulk(Protocol):
    """The processes of a load that was started. One program's module makes it; `latlab.load.running` keeps it."""

    def ended(self) -> str | None:
        """The first process that has ended by itself, and its last words; None while all of them run."""

    def finish(self) -> Carried:
        """Ends the streams, and what they carried. MeasurementError when the program does not say."""

    def kill(self) -> None:
        """Ends every process, whatever its state; harmless when there is none any more."""


@dataclass(frozen=True)
class Carried:
    """What the receivers counted, stream by stream, as payload."""

    bytes: tuple[int, ...]
    duration_s: float
    sent_bytes: int | None
    """None: the sender did not say."""
    lost_datagrams: int | None
    """None: TCP, or not counted."""


def failure(load: Load, carried: Carried) -> str | None:
    """Why this load cannot be said to have run; None when it did. Pure."""
    if not (math.isfinite(carried.duration_s) and carried.duration_s > 0):
        return "the load had no duration"
    for number, received in enumerate(carried.bytes, start=1):
        rate = received * 8 / carried.duration_s
        if received <= 0:
            return f"stream {number} of {load.streams} carried nothing"
        if load.rate_bps is not None and rate < LEAST_SHARE * load.rate_bps:
            return f"stream {number} of {load.streams} carried {rate:.0f} of {load.rate_bps} bit/s"
    if len(carried.bytes) != load.streams:
        return f"{len(carried.bytes)} of {load.streams} streams ran"
    return None


def shortfall(load: Load, carried: Carried) -> str | None:
    """By how much all streams together missed their rate; None when they reached it, or have none. Pure."""
    if load.rate_bps is None:
        return None
    asked_bps, achieved_bps = load.rate_bps * load.streams, sum(carried.bytes) * 8 / carried.duration_s
    if achieved_bps >= FULL_SHARE * asked_bps:
        return None
    size, unit = next(((s, u) for s, u in _UNITS if asked_bps >= s), (1, "bit/s"))
    achieved = achieved_bps / size
    return f"achieved {achieved:.{3 if achieved < 1_000 else 6}g} of {asked_bps / size:g} {unit}"


def result(load: Load, carried: Carried | None, *, ran: bool, reason: str | None, facts: dict[str, Any]) -> LoadResult:
    """The run's record of a load. Rates are of payload, in bits per second. Pure."""
    record: dict[str, Any] = {
        "streams": load.streams, "ran": ran, "reason": reason, "program": load.program, "protocol": load.protocol,
        **facts,
    }  # fmt: skip
    if carried is not None and math.isfinite(carried.duration_s) and carried.duration_s > 0:
        each = [received * 8 / carried.duration_s for received in carried.bytes]
        record |= {
            "achieved_bps": sum(each),
            "per_stream_bps": each,
            "sent_bps": None if carried.sent_bytes is None else carried.sent_bytes * 8 / carried.duration_s,
            "lost_datagrams": carried.lost_datagrams,
            "duration_s": carried.duration_s,
            "shortfall": shortfall(load, carried),
        }
    return LoadResult.model_validate(record)


def added_up(load: Load, parts: Sequence[LoadResult]) -> LoadResult:
    """One record of several loads that ran at the same time: sums, and what went wrong first. Pure."""
    found = [part.model_dump() for part in parts]
    record: dict[str, Any] = {
        "streams": load.streams, "program": load.program, "protocol": load.protocol,
        "ran": all(part["ran"] for part in found),
        "reason": first([part["reason"] for part in found]),
        "shortfall": first([part.get("shortfall") for part in found]),
    }  # fmt: skip
    for name in ("nic_rx_bps", "achieved_bps", "sent_bps", "lost_datagrams"):
        values = [part.get(name) for part in found]
        record[name] = None if any(value is None for value in values) else sum(values)
    record["per_stream_bps"] = [rate for part in found for rate in part.get("per_stream_bps") or ()]
    record["duration_s"] = max((part.get("duration_s") or 0.0 for part in found), default=None)
    return LoadResult.model_validate(record)


def first(reasons: Sequence[str | None]) -> str | None:
    return next((reason for reason in reasons if reason), None)
