# SPDX-License-Identifier: Apache-2.0
"""The probe at both ends: its command lines, and a real flow over this machine's loopback."""

from __future__ import annotations

import os
import shlex
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from latlab.attachment.wiring import End
from latlab.bench.site import Address
from latlab.errors import MeasurementError
from latlab.hosts import interrupt
from latlab.hosts.host import Host
from latlab.measure import probe
from latlab.measure.probe import measure, reflect_command, send_command
from latlab.scenario.model import Flow
from latlab.stats.records import HEADER_BYTES, RECORD_BYTES
from tests.canned import CannedHost
from tests.yard import Yard, eventually

HOST = CannedHost({})
SENDER = End(HOST, "eth0", Address("10.0.2.15", "fec0::15"), Address("198.18.0.1", "2001:2::1"), "52:54:00:00:00:01")
REFLECTOR = End(HOST, "eth1", Address("10.9.9.9", "fec0::9"), Address("198.18.0.2", "2001:2::2"), "52:54:00:00:00:02")

COMMON = "--period 1000000ns --count 10000 --size 128 --clock tai --timeout 1000000000ns --priority"
LINES: list[tuple[dict[str, Any], str, str]] = [
    ({}, f"send --udp 198.18.0.2:7701 {COMMON} 0 --fifo 80", "reflect --bind 10.9.9.9:7701 --priority 0 --fifo 80"),
    (
        {"transport": "udp6", "fifo": None, "priority": 7},
        f"send --udp [2001:2::2]:7701 {COMMON} 7",
        "reflect --bind [fec0::9]:7701 --priority 7",
    ),
    (
        {"transport": "l2", "vlan": 5, "pcp": 6, "fifo": None},
        f"send --l2 eth0 --dst 52:54:00:00:00:02 --vlan 5 --pcp 6 {COMMON} 0",
        "reflect --l2 eth1 --priority 0",
    ),
    (
        {"transport": "l2", "fifo": None},
        f"send --l2 eth0 --dst 52:54:00:00:00:02 {COMMON} 0",
        "reflect --l2 eth1 --priority 0",
    ),
    (
        {"fifo": None, "period_ns": 1500, "count": 7, "size_bytes": 200, "clock": "monotonic", "timeout_ns": 1000000},
        "send --udp 198.18.0.2:7701 --period 1500ns --count 7 --size 200 --clock monotonic --timeout 1000000ns "
        "--priority 0",
        "reflect --bind 10.9.9.9:7701 --priority 0",
    ),
    (
        {"hardware": True},
        f"send --udp 198.18.0.2:7701 {COMMON} 0 --fifo 80 --hw",
        "reflect --bind 10.9.9.9:7701 --priority 0 --fifo 80 --hw",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("flow", "send", "reflect"), LINES)
def test_command_lines(flow: dict[str, Any], send: str, reflect: str) -> None:
    given = Flow(**flow)
    assert shlex.join(send_command(given, SENDER, REFLECTOR)) == shlex.join(shlex.split(f"latlab-probe {send}"))
    assert shlex.join(reflect_command(given, REFLECTOR)) == shlex.join(shlex.split(f"latlab-probe {reflect}"))


class Kept:
    """A sink that keeps what comes, until it has no room."""

    def __init__(self, room_bytes: int = 1 << 30) -> None:
        self.data, self._room_bytes = bytearray(), room_bytes

    def append(self, data: bytes | memoryview, /) -> None:
        if len(self.data) + len(data) > self._room_bytes:
            raise OSError(28, "No space left on device")
        self.data += data

    @property
    def bytes_written(self) -> int:
        return len(self.data)


@pytest.fixture
def host(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """A real host, with a port of this test's own: other probes may run on this machine."""
    monkeypatch.setattr(probe, "PROBE", 20_000 + os.getpid() % 10_000)
    host = yard.host()
    yield host
    assert host.channel._slots.keys() == {0}, "nothing is left running"


def loopback(host: Host) -> End:
    address = Address("127.0.0.1", "::1")
    return End(host, "lo", address, address, "00:00:00:00:00:00")


FLOW = Flow(fifo=None, count=200, period_ns=500_000, timeout_ns=200_000_000)


def test_a_flow_gives_a_record_for_each_packet_and_both_summaries(host: Host) -> None:
    end, sink = loopback(host), Kept()
    told: list[tuple[int, int]] = []
    result = measure(FLOW, end, end, sink, lambda done, of: told.append((done, of)))
    assert len(sink.data) == HEADER_BYTES + FLOW.count * RECORD_BYTES
    assert result.sender["sent"] == FLOW.count
    assert result.sender["replied"] == FLOW.count
    assert result.reflector["replied"] >= result.sender["replied"]
    assert all(of == FLOW.count and 0 <= done <= of for done, of in told)


def test_no_room_for_the_records_is_the_error_that_it_is_and_the_sender_stops(host: Host) -> None:
    end = loopback(host)
    flow = FLOW.model_copy(update={"count": 100_000, "period_ns": 100_000})
    started = time.monotonic()
    with pytest.raises(OSError, match="No space left on device"):
        measure(flow, end, end, Kept(HEADER_BYTES + 50 * RECORD_BYTES))
    assert time.monotonic() - started < 8
    assert eventually(lambda: host.channel._slots.keys() == {0})


def test_ctrl_c_keeps_what_was_measured(host: Host) -> None:
    end, sink = loopback(host), Kept()
    flow = FLOW.model_copy(update={"count": 100_000, "period_ns": 100_000})
    with interrupt.at_safe_points():
        threading.Timer(0.7, os.kill, (os.getpid(), signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            measure(flow, end, end, sink)
    assert (len(sink.data) - HEADER_BYTES) % RECORD_BYTES == 0
    assert 10 < (len(sink.data) - HEADER_BYTES) // RECORD_BYTES < flow.count
    assert eventually(lambda: host.channel._slots.keys() == {0})


def test_a_reflector_that_cannot_start_says_why(host: Host) -> None:
    end = End(host, "lo", Address("192.0.2.1", "::1"), Address("192.0.2.1", "::1"), "")
    with pytest.raises(MeasurementError, match=r"the reflector did not start on here: .*192.0.2.1"):
        measure(FLOW, end, end, Kept())
