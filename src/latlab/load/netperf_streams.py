# SPDX-License-Identifier: Apache-2.0
"""Bulk streams by netperf, as the study made them: UDP_STREAM, TCP_STREAM, TCP_MAERTS.

netperf runs at the application and its server on the load's source, except for UDP into the application: netperf has
no reversed UDP test, so its server must be reached there. Each stream has a server of its own that does not fork:
SIGALRM tells whichever process sends that its time is up, and both ends then count and report as after a full test
(tried with netperf 2.7.0; SIGTERM would end netperf without a result, and SIGALRM to a receiver changes nothing).
"""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from latlab.attachment.wiring import End
from latlab.errors import BenchError, HostError, MeasurementError
from latlab.hosts.host import Process
from latlab.load.streams import DATAGRAM_BYTES, Carried, Streams
from latlab.measure.ports import NETPERF_LOAD_CONTROL
from latlab.measure.programs import last_words, missing, serving, stop

FOREVER_S = 10_000_000
END_LIMIT_S = 5.0
OUTPUT = (
    "ELAPSED_TIME", "LOCAL_BYTES_SENT", "LOCAL_BYTES_RECVD", "REMOTE_BYTES_SENT", "REMOTE_BYTES_RECVD",
)  # fmt: skip


def test_name(streams: Streams) -> str:
    if streams.load.protocol == "udp":
        return "UDP_STREAM"
    return "TCP_MAERTS" if streams.into_app else "TCP_STREAM"


def ends(streams: Streams) -> tuple[End, End]:
    """Where netperf runs, and where its servers do. Pure. BenchError for what netperf cannot do."""
    if streams.load.rate_bps is not None:
        raise BenchError(
            "netperf cannot hold a load at a rate: it would have to be built with --enable-intervals, and is not",
            hint="Use program: iperf3, or leave out the rate.",
        )
    if streams.load.protocol == "udp" and streams.into_app:
        if streams.app.own != streams.app.reach:
            raise BenchError(
                "netperf has no reversed UDP test, so it cannot send bulk UDP to an application behind NAT",
                hint="Use program: iperf3, protocol: tcp, or another attachment.",
            )
        return streams.source, streams.app
    return streams.app, streams.source


def server_argv(streams: Streams, number: int) -> list[str]:
    _, server = ends(streams)
    # -D -f: in the foreground and without forking, so that SIGALRM reaches the process that does the work.
    return ["netserver", "-D", "-f", "-L", f"{streams.own(server)},{streams.family[2]}", "-p", str(port(number))]


def client_argv(streams: Streams, number: int) -> list[str]:
    _, server = ends(streams)
    argv = [
        "netperf", "-H", f"{streams.reach(server)},{streams.family[2]}", "-p", str(port(number)),
        "-l", str(FOREVER_S), "-t", test_name(streams), "--", "-k", ",".join(OUTPUT),
    ]  # fmt: skip
    if streams.load.protocol == "udp":
        argv += ["-m", str(DATAGRAM_BYTES), "-R", "1"]  # -R 1: it may be routed; without, UDP stays on the link
    return argv


def port(number: int) -> int:
    """The control port of a stream; streams count from 0."""
    return NETPERF_LOAD_CONTROL + number


@dataclass(frozen=True)
class Report:
    """One netperf's result."""

    duration_s: float
    sent_bytes: int
    received_bytes: int


def parse(text: str, *, remote_sends: bool) -> Report:
    """netperf's `NAME=value` lines. MeasurementError when one is missing or no number. Pure."""
    found = dict(re.findall(r"^([A-Z_]+)=(\d{1,18}(?:\.\d{1,9})?)$", text, re.MULTILINE | re.ASCII))
    absent = [name for name in OUTPUT if name not in found]
    if absent:
        raise MeasurementError(f"netperf did not report {absent[0]}")
    sent, received = (
        ("REMOTE_BYTES_SENT", "LOCAL_BYTES_RECVD") if remote_sends else ("LOCAL_BYTES_SENT", "REMOTE_BYTES_RECVD")
    )
    return Report(float(found["ELAPSED_TIME"]), int(float(found[sent])), int(float(found[received])))


class NetperfStreams:
    """One netperf and one server for each stream."""

    def __init__(self, streams: Streams, servers: list[Process], clients: list[Process]) -> None:
        self._streams, self._servers, self._clients = streams, servers, clients

    def ended(self) -> str | None:
        client_end, server_end = ends(self._streams)
        for processes, end in ((self._clients, client_end), (self._servers, server_end)):
            for process in processes:
                if not process.running:
                    return f"{process.argv[0]} on {end.host.name} ended by itself: {last_words(process)}"
        return None

    def finish(self) -> Carried:
        remote_sends = test_name(self._streams) == "TCP_MAERTS"
        senders, receivers = (self._servers, self._clients) if remote_sends else (self._clients, self._servers)
        _alarm(senders)
        for client in self._clients:
            try:
                client.wait(END_LIMIT_S)
            except HostError:
                if not client.running:
                    raise
                _alarm(receivers)  # the datagram that says it is over was lost
                client.wait(END_LIMIT_S)
        reports = [parse(client.stdout, remote_sends=remote_sends) for client in self._clients]
        sent, received = sum(r.sent_bytes for r in reports), tuple(r.received_bytes for r in reports)
        lost = (sent - sum(received)) // DATAGRAM_BYTES if self._streams.load.protocol == "udp" else None
        return Carried(received, max(r.duration_s for r in reports), sent, lost)

    def kill(self) -> None:
        for client in self._clients:
            stop(client)


def _alarm(processes: list[Process]) -> None:
    for process in processes:
        if process.running:
            process.signal(signal.SIGALRM)


@contextmanager
def launched(streams: Streams) -> Iterator[NetperfStreams]:
    client_end, server_end = ends(streams)
    for end, program in ((client_end, "netperf"), (server_end, "netserver")):
        reason = missing(end.host, program)
        if reason:
            what, _, remedy = reason.partition("; ")
            raise BenchError(f"the load needs netperf: {what}", hint=remedy)
    with ExitStack() as stack:
        numbers = range(streams.load.streams)
        servers = [stack.enter_context(serving(server_end.host, server_argv(streams, n), port(n))) for n in numbers]
        bulk = NetperfStreams(streams, servers, [])
        stack.callback(bulk.kill)
        bulk._clients.extend(client_end.host.start(client_argv(streams, n)) for n in numbers)
        yield bulk
