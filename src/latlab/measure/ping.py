# SPDX-License-Identifier: Apache-2.0
"""ICMP echo by the system's ping: iputils' or busybox's, whichever the host has."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

from latlab.attachment.wiring import End
from latlab.errors import HostError, MeasurementError
from latlab.measure.programs import last_words, missing, stop
from latlab.scenario.model import Family, Ping
from latlab.store.document import InstrumentResult

REPLY_LIMIT_S = 2
NS_PER_MS = 1_000_000

# iputils: "3 packets transmitted, 3 received, +1 duplicates, 0% packet loss"; busybox: "..., 3 packets received, ...".
COUNTS = re.compile(r"^(\d{1,12}) packets transmitted, (\d{1,12}) (?:packets )?received", re.MULTILINE)
# iputils: "rtt min/avg/max/mdev = 1/2/3/4 ms"; busybox: "round-trip min/avg/max = 1/2/3 ms".
TIMES = re.compile(
    r"^(?:rtt|round-trip) min/avg/max(?:/\w+)? = ([\d.]{1,20})/([\d.]{1,20})/([\d.]{1,20})(?:/([\d.]{1,20}))? ms",
    re.MULTILINE | re.ASCII,
)


@dataclass(frozen=True)
class Echoes:
    """What ping says at its end. The times are None when no reply came; `mdev_ns` also when ping is busybox's."""

    sent: int
    received: int
    min_ns: float | None = None
    mean_ns: float | None = None
    max_ns: float | None = None
    mdev_ns: float | None = None
    """iputils' mdev: the standard deviation, sqrt(mean of squares - square of the mean)."""


def ping_argv(reach: str, family: Family, options: Ping) -> list[str]:
    interval_s = f"{options.interval_ns / 1e9:.9f}".rstrip("0").rstrip(".")
    # -q: only the summary, whatever the count.
    return ["ping", f"-{family[2]}", "-q", "-c", str(options.count), "-i", interval_s, "-W", str(REPLY_LIMIT_S), reach]


def parse(text: str) -> Echoes:
    """The summary of iputils' or busybox's ping. MeasurementError when there is none. Pure."""
    counts, times = COUNTS.search(text), TIMES.search(text)
    if counts is None:
        raise MeasurementError("ping printed no summary")
    sent, received = int(counts[1]), int(counts[2])
    if times is None:
        if received:
            raise MeasurementError(f"ping counted {received} replies, but printed no times")
        return Echoes(sent, received)
    try:
        low, mean, high, mdev = (None if word is None else float(word) * NS_PER_MS for word in times.groups())
    except ValueError as e:
        raise MeasurementError(f"ping's times are no numbers: {times[0][:200]}") from e
    return Echoes(sent, received, low, mean, high, mdev)


def measure(initiator: End, responder: End, options: Ping, family: Family) -> dict[str, InstrumentResult]:
    """`{"ping": result}`. `n` counts the replies that the times are of, `lost` the requests without one.

    A result without numbers says why. HostError when a host is lost.
    """
    if responder.own != responder.reach:
        # An echo request would be answered by the forwarding host itself: a good number for the wrong thing.
        return _nothing(f"{responder.host.name} is behind NAT, which forwards no ICMP to it")
    reason = missing(initiator.host, "ping")
    if reason:
        return _nothing(reason)
    argv = ping_argv(getattr(responder.reach, family), family, options)
    process = initiator.host.start(argv)
    limit_s = math.ceil(options.count * options.interval_ns / 1e9) * 2 + REPLY_LIMIT_S + 30
    try:
        exit_code = process.wait(limit_s)
    except HostError:
        if not process.running:
            raise
        return _nothing(f"ping did not end within {limit_s} s")
    finally:
        stop(process)
    try:
        found = parse(process.stdout)
    except MeasurementError as e:
        return _nothing(f"{e.message}; it ended with exit code {exit_code}: {last_words(process)}")
    facts: dict[str, Any] = {
        "command": " ".join(argv), "sent": found.sent, "n": found.received, "lost": max(0, found.sent - found.received),
        "min_ns": found.min_ns, "mean_ns": found.mean_ns, "max_ns": found.max_ns, "stddev_ns": found.mdev_ns,
    }  # fmt: skip
    if not found.received:
        facts["not_measured"] = f"none of {found.sent} echo requests was answered"
    return {"ping": InstrumentResult.model_validate(facts)}


def _nothing(reason: str) -> dict[str, InstrumentResult]:
    return {"ping": InstrumentResult(not_measured=reason)}
