# SPDX-License-Identifier: Apache-2.0
"""Bulk streams by iperf3: the server on the load's source, the client at the application, so it works through NAT too.

How long a load must last is not known when it starts, so the client is interrupted. An iperf3 that is interrupted with
SIGINT still prints its JSON, and so does the server that it takes leave of (tried with 3.12; written to expect text
after the JSON, which other versions print). Two things in that JSON are not to be used: the server's duration, which is
that of its last full interval, and a UDP receiver's bytes, which are 0 for each stream. So: bytes as the receiver
counted them, datagrams times their size for UDP; and the client's duration. A server that sends without a limit may
notice the client's closed socket before its leave, and then prints no counts: what was sent is not known then.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from latlab.errors import BenchError, HostError, MeasurementError
from latlab.hosts.host import Process
from latlab.load.streams import DATAGRAM_BYTES, Carried, Streams
from latlab.measure.ports import IPERF
from latlab.measure.programs import last_words, missing, serving, stop

FOREVER = "0"
"""`-t 0`: until it is interrupted, at both ends (tried with 3.12: past its own 10 s, both protocols, both ways); a
number would end the load after a day at most."""
NO_INTERVALS = "0"
"""`-i 0`: no interim results, since iperf3 keeps them all until its end, however long the run."""
CONNECT_LIMIT_MS = 10_000
END_LIMIT_S = 5.0
LARGEST_BLOCK_BYTES = 131_072
"""iperf3's own block for TCP. A rate is kept block by block, so a slow stream gets smaller ones."""


def server_argv(streams: Streams) -> list[str]:
    return [
        "iperf3", "-s", "-1",  # one test, then end
        "-J", "-i", NO_INTERVALS, f"-{streams.family[2]}", "-B", streams.own(streams.source),
        "-p", str(IPERF + streams.lane),
    ]  # fmt: skip


def client_argv(streams: Streams) -> list[str]:
    load = streams.load
    argv = [
        "iperf3", "-c", streams.reach(streams.source), f"-{streams.family[2]}", "-p", str(IPERF + streams.lane), "-J",
        "-i", NO_INTERVALS, "-t", FOREVER, "-P", str(load.streams),
        "--connect-timeout", str(CONNECT_LIMIT_MS),
    ]  # fmt: skip
    if load.protocol == "udp":
        # -b 0: as fast as it goes; without it UDP would be held at 1 Mbit/s.
        argv += ["-u", "-l", str(DATAGRAM_BYTES), "-b", str(load.rate_bps or 0)]
    elif load.rate_bps is not None:
        argv += ["-b", str(load.rate_bps), "-l", str(block_bytes(load.rate_bps))]
    if streams.into_app:
        argv.append("-R")
    return argv


def block_bytes(rate_bps: int) -> int:
    """About 100 blocks each second, within what iperf3 would take by itself and one full packet. Pure."""
    return max(DATAGRAM_BYTES, min(LARGEST_BLOCK_BYTES, rate_bps // 8 // 100))


def parse(text: str) -> dict[str, Any]:
    """iperf3's JSON object, whatever it printed after it. MeasurementError when there is none. Pure."""
    start = text.find("{")
    if start < 0:
        raise MeasurementError("iperf3 printed no result")
    try:
        document, _ = json.JSONDecoder().raw_decode(text, start)
    except (ValueError, RecursionError) as e:
        raise MeasurementError("iperf3's result is cut off or damaged") from e
    if not isinstance(document, dict):
        raise MeasurementError("iperf3's result is no object")
    return document


def carried(client: dict[str, Any], server: dict[str, Any], *, udp: bool, into_app: bool) -> Carried:
    """What both ends' results say together. MeasurementError when the receiver's counts are missing. Pure."""
    receiver, sender = (client, server) if into_app else (server, client)
    try:
        duration_s = max(float(s["udp" if udp else "sender"]["seconds"]) for s in client["end"]["streams"])
        if not udp:
            received = tuple(int(s["receiver"]["bytes"]) for s in receiver["end"]["streams"])
            return Carried(received, duration_s, sent_bytes(sender, 0), None)
        size = int(client["start"]["test_start"]["blksize"])
        counted = [s["udp"] for s in receiver["end"]["streams"]]
        received = tuple(max(0, int(s["packets"]) - int(s["lost_packets"])) * size for s in counted)
        lost = sum(int(s["lost_packets"]) for s in counted)
        return Carried(received, duration_s, sent_bytes(sender, size), lost)
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as e:
        said = client.get("error") or server.get("error") or f"{type(e).__name__}: {e}"
        raise MeasurementError(f"iperf3 gave no result: {str(said)[:200]}") from e


def sent_bytes(sender: dict[str, Any], datagram_bytes: int) -> int | None:
    """What the sending end counted; None when it did not say. `datagram_bytes`: 0 for TCP. Pure."""
    streams = sender.get("end", {}).get("streams")
    if not streams:
        return None
    if datagram_bytes:
        return sum(int(s["udp"]["packets"]) * datagram_bytes for s in streams)
    return sum(int(s["sender"]["bytes"]) for s in streams)


class Iperf3:
    """A server and its client."""

    def __init__(self, streams: Streams, server: Process, client: Process) -> None:
        self._streams, self._server, self._client = streams, server, client

    def ended(self) -> str | None:
        # The client first: when either dies, the client is the one that says why.
        for process, where in ((self._client, self._streams.app), (self._server, self._streams.source)):
            if not process.running:
                return f"iperf3 on {where.host.name} ended by itself: {_words(process)}"
        return None

    def finish(self) -> Carried:
        # The server ends by itself when the client takes its leave, unless the leave was lost.
        self._client.signal(signal.SIGINT)
        for process in (self._client, self._server):
            _wait_or_stop(process)
        into_app = self._streams.into_app
        client = parse(self._client.stdout)
        try:
            server = parse(self._server.stdout)
        except MeasurementError:
            if not into_app:
                raise
            server = {}  # it only sent; the client counted
        return carried(client, server, udp=self._streams.load.protocol == "udp", into_app=into_app)

    def kill(self) -> None:
        stop(self._client)


def _words(process: Process) -> str:
    try:
        return str(parse(process.stdout).get("error") or last_words(process))[:200]
    except MeasurementError:
        return last_words(process)


def _wait_or_stop(process: Process) -> None:
    """Waits for the end. An iperf3 that is stopped by SIGTERM still prints its result; one that is killed does not."""
    try:
        process.wait(END_LIMIT_S)
    except HostError:
        if not process.running:
            raise
        process.stop(END_LIMIT_S)


@contextmanager
def launched(streams: Streams) -> Iterator[Iperf3]:
    for end in (streams.source, streams.app):
        reason = missing(end.host, "iperf3")
        if reason:
            what, _, remedy = reason.partition("; ")
            raise BenchError(f"the load needs iperf3: {what}", hint=remedy)
    with serving(streams.source.host, server_argv(streams), IPERF + streams.lane) as server:
        client = streams.app.host.start(client_argv(streams))
        bulk = Iperf3(streams, server, client)
        try:
            yield bulk
        finally:
            bulk.kill()
