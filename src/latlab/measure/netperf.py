# SPDX-License-Identifier: Apache-2.0
"""netperf TCP_RR and UDP_RR, with the options of the study that this laboratory repeats.

    netperf -H HOST -l -1000 -t TCP_RR -w 10ms -b 1 -v 2 -- \\
        -O min_latency,mean_latency,max_latency,stddev_latency,transaction_rate

Two options are added, and change no packet: `-p` and `-P ,PORT` fix the ports of the control and of the data
connection, which user-mode networking must forward into the guest.

`-w 10ms -b 1` asks for one request each 10 ms; netperf obeys only if it was built with --enable-intervals. Debian's
(2.7.0) is not: it says so and sends each request when the last one was answered. The result's `paced` tells which.
"""

from __future__ import annotations

import math
import re
import time
from dataclasses import dataclass
from typing import Any

from latlab.attachment.wiring import End
from latlab.errors import HostError, MeasurementError
from latlab.hosts.host import Host, Process
from latlab.measure.ports import NETPERF_CONTROL, NETPERF_DATA
from latlab.measure.programs import ServerError, last_words, missing, serving, stop
from latlab.scenario.model import Family, Flow, Netperf
from latlab.store.document import InstrumentResult

COLUMNS = "min_latency,mean_latency,max_latency,stddev_latency,transaction_rate"
NOT_PACED = "Packet rate control is not compiled in"
NS_PER_US = 1_000
LOOK_EVERY_S = 5.0
"""How often a running netperf is looked at. Each look is a process on the measured machine, so: seldom."""


@dataclass(frozen=True)
class Latencies:
    """Round trips, and their rate."""

    min_ns: float
    mean_ns: float
    max_ns: float
    stddev_ns: float
    transactions_per_s: float


def family_of(flow: Flow) -> Family:
    """The family that other instruments and the load use beside this flow; raw Ethernet has none, and IPv4 does."""
    return "ip6" if flow.transport == "udp6" else "ip4"


def netserver_argv(own: str, family: Family, port: int) -> list[str]:
    # -D: in the foreground, so that it and its children end with us.
    return ["netserver", "-D", "-L", f"{own},{family[2]}", "-p", str(port)]


def netperf_argv(reach: str, family: Family, test: str, transactions: int) -> list[str]:
    return [
        "netperf", "-H", f"{reach},{family[2]}", "-p", str(NETPERF_CONTROL),
        "-l", f"-{transactions}",  # negative: transactions, not seconds
        "-t", test, "-w", "10ms", "-b", "1", "-v", "2",
        "--", "-P", f",{NETPERF_DATA}", "-O", COLUMNS,
    ]  # fmt: skip


def parse(text: str) -> Latencies:
    """netperf's columns, in microseconds, as nanoseconds. MeasurementError when they are not there. Pure."""
    lines = [line.split() for line in text.splitlines() if line.strip()]
    if not any(words[:1] == ["Microseconds"] for words in lines):
        raise MeasurementError("netperf printed no table of latencies")
    try:
        values = [float(word) for word in lines[-1]]
    except ValueError as e:
        raise MeasurementError(f"netperf's last line is no row of numbers: {' '.join(lines[-1])[:200]}") from e
    if len(values) != 5 or not all(math.isfinite(v) and v >= 0 for v in values):
        raise MeasurementError(f"netperf's row of numbers is not as expected: {' '.join(lines[-1])[:200]}")
    low, mean, high, deviation = (v * NS_PER_US for v in values[:4])
    return Latencies(low, mean, high, deviation, values[4])


def measure(initiator: End, responder: End, options: Netperf, family: Family) -> dict[str, InstrumentResult]:
    """`{"netperf TCP_RR": result, ...}`, one for each of the options' tests, run one after another.

    A result without numbers says why: a missing program, a lost datagram. HostError when a host is lost.
    """
    names = [f"netperf {test}" for test in options.tests]
    reason = missing(initiator.host, "netperf") or missing(responder.host, "netserver")
    if reason:
        return {name: InstrumentResult(not_measured=reason) for name in names}
    own: str = getattr(responder.own, family)
    try:
        with serving(responder.host, netserver_argv(own, family, NETPERF_CONTROL), NETPERF_CONTROL):
            return {
                name: _one(initiator, responder, options, test, family)
                for name, test in zip(names, options.tests, strict=True)
            }
    except ServerError as e:
        return {name: InstrumentResult(not_measured=f"{e.message}. {e.hint}".strip()) for name in names}


def _one(initiator: End, responder: End, options: Netperf, test: str, family: Family) -> InstrumentResult:
    argv = netperf_argv(getattr(responder.reach, family), family, test, options.transactions)
    started = time.monotonic()
    process = initiator.host.start(argv)
    try:
        stuck = _until_ended(process, initiator.host, limit_s=60 + options.transactions * 0.1)
    finally:
        stop(process)
    facts: dict[str, Any] = {"command": " ".join(argv), "paced": NOT_PACED not in process.stdout + process.stderr}
    if stuck:
        lost = "; a request or its reply was lost, and netperf does not ask again" if test == "UDP_RR" else ""
        facts["not_measured"] = f"{test} {stuck} after {time.monotonic() - started:.0f} s{lost}"
        return InstrumentResult.model_validate(facts)
    if process.exit_code:
        facts["not_measured"] = f"netperf ended with exit code {process.exit_code}: {last_words(process)}"
        return InstrumentResult.model_validate(facts)
    try:
        found = parse(process.stdout)
    except MeasurementError as e:
        facts["not_measured"] = e.message
        return InstrumentResult.model_validate(facts)
    return InstrumentResult.model_validate(facts | {"n": options.transactions} | vars(found))


def _until_ended(process: Process, host: Host, limit_s: float) -> str | None:
    """Waits for the end; or says in what way it is stuck.

    A netperf that waits for a lost datagram waits for ever. Every transaction blocks once, so a netperf whose count of
    voluntary context switches stands still between two looks makes no transactions.
    """
    limit, look, switches = time.monotonic() + limit_s, time.monotonic() + LOOK_EVERY_S, -1
    while process.running:
        now = time.monotonic()
        if now > limit:
            return f"did not end within {limit_s:g} s: ended by us"
        if now > look:
            before, switches = switches, _voluntary_switches(host, process)
            if switches == before != -1 and process.running:
                return "stood still: ended by us"
            look = now + LOOK_EVERY_S
        time.sleep(0.02)
    return None


def _voluntary_switches(host: Host, process: Process) -> int:
    """-1 when it cannot be read: it has just ended."""
    try:
        text = host.run_plain(["cat", f"/proc/{process.pid}/status"]).stdout
    except HostError:
        if process.running:
            raise
        return -1
    match = re.search(r"^voluntary_ctxt_switches:\s*(\d{1,18})", text, re.MULTILINE)
    return int(match[1]) if match else -1
