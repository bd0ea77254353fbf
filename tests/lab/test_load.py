# SPDX-License-Identifier: Apache-2.0
"""netperf, ping and the loads, for real, over a veth pair between two namespaces."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from latlab.attachment.wiring import End
from latlab.bench.site import Address, changes_undone
from latlab.errors import BenchError, MeasurementError
from latlab.hosts.host import Host
from latlab.hosts.local import open_local_host
from latlab.load import running
from latlab.measure import netperf, ping
from latlab.measure.ports import NETPERF_CONTROL
from latlab.scenario.model import Family, Load, Netperf, Ping
from latlab.store.document import LoadResult

NAMES = {"source": "llt-source", "app": "llt-app"}
ADDRESSES = {
    "source": Address("198.18.91.1", "2001:2:0:91::1"),
    "app": Address("198.18.91.2", "2001:2:0:91::2"),
}
PROGRAMS = ("iperf3", "netperf", "netserver", "ping")
RATE_BPS = 5_000_000


@pytest.fixture(scope="module")
def machine() -> Iterator[Host]:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    host = open_local_host()
    try:
        with changes_undone(host):
            yield host
    finally:
        host.close()


@pytest.fixture(scope="module")
def pair(machine: Host) -> tuple[End, End]:
    """(source, app)."""
    for netns in NAMES.values():
        machine.change(["ip", "netns", "add", netns], undo=["ip", "netns", "del", netns])
    machine.run(["ip", "link", "add", "veth0", "netns", NAMES["source"], "type", "veth",
                 "peer", "name", "veth0", "netns", NAMES["app"]])  # fmt: skip
    ends = []
    for name, netns in NAMES.items():
        host, address = machine.within(netns, name), ADDRESSES[name]
        host.run(["ip", "addr", "add", f"{address.ip4}/24", "dev", "veth0"])
        host.run(["ip", "addr", "add", f"{address.ip6}/64", "dev", "veth0", "nodad"])
        for nic in ("lo", "veth0"):
            host.run(["ip", "link", "set", "dev", nic, "up"])
        ends.append(End(host, "veth0", address, address, ""))
    return ends[0], ends[1]


def left_behind(machine: Host) -> list[str]:
    """Programs of ours that still run in the two namespaces."""
    pids = " ".join(machine.run(["ip", "netns", "pids", netns]) for netns in NAMES.values()).split()
    return [machine.run_plain(["cat", f"/proc/{pid}/cmdline"]).stdout for pid in pids]


@pytest.mark.parametrize("family", ["ip4", "ip6"])
def test_netperf_measures_both_tests(machine: Host, pair: tuple[End, End], family: Family) -> None:
    source, app = pair
    results = netperf.measure(source, app, Netperf(tests=("TCP_RR", "UDP_RR"), transactions=200), family)
    assert list(results) == ["netperf TCP_RR", "netperf UDP_RR"]
    for result in results.values():
        assert result.not_measured is None
        assert result.n == 200
        assert result.min_ns is not None
        assert result.mean_ns is not None
        assert result.max_ns is not None
        assert 1_000 <= result.min_ns <= result.mean_ns <= result.max_ns < 10e9
        assert result.transactions_per_s is not None
        assert result.transactions_per_s > 1
    assert left_behind(machine) == []


def test_a_datagram_lost_does_not_hang_netperf(
    machine: Host, pair: tuple[End, End], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, app = pair
    monkeypatch.setattr(netperf, "LOOK_EVERY_S", 0.5)

    def interrupt_the_cable() -> None:
        time.sleep(0.8)
        app.host.run(["ip", "link", "set", "dev", "veth0", "down"])
        time.sleep(0.3)
        app.host.run(["ip", "link", "set", "dev", "veth0", "up"])

    cutter = threading.Thread(target=interrupt_the_cable)
    cutter.start()
    result = netperf.measure(source, app, Netperf(tests=("UDP_RR",), transactions=10_000_000), "ip4")["netperf UDP_RR"]
    cutter.join()
    app.host.run(["ip", "addr", "replace", f"{app.own.ip6}/64", "dev", "veth0", "nodad"])
    assert result.n is None
    assert result.not_measured is not None
    assert "lost" in result.not_measured
    assert left_behind(machine) == []


def test_netperf_finds_its_port_taken(pair: tuple[End, End]) -> None:
    source, app = pair
    other = app.host.start(["netserver", "-D", "-p", str(NETPERF_CONTROL)])
    try:
        time.sleep(0.5)
        result = netperf.measure(source, app, Netperf(), "ip4")["netperf TCP_RR"]
    finally:
        other.stop()
    assert result.not_measured is not None
    assert "already in use" in result.not_measured


def test_a_missing_program_is_a_reason(pair: tuple[End, End], monkeypatch: pytest.MonkeyPatch) -> None:
    source, app = pair
    monkeypatch.setattr(Host, "has", lambda *_: False)
    for results in (netperf.measure(source, app, Netperf(), "ip4"), ping.measure(source, app, Ping(), "ip4")):
        for result in results.values():
            assert result.not_measured is not None
            assert "is not installed on source; Debian" in result.not_measured
    with pytest.raises(BenchError) as caught, running(Load(), source, app, "down"):
        pass
    assert "apt install iperf3" in caught.value.hint


@pytest.mark.parametrize("family", ["ip4", "ip6"])
def test_ping(machine: Host, pair: tuple[End, End], family: Family) -> None:
    source, app = pair
    result = ping.measure(source, app, Ping(count=5, interval_ns=20_000_000), family)["ping"]
    assert (result.n, result.lost, result.not_measured) == (5, 0, None)
    assert result.min_ns is not None
    assert result.mean_ns is not None
    assert result.max_ns is not None
    assert 1_000 <= result.min_ns <= result.mean_ns <= result.max_ns < 10e9
    assert left_behind(machine) == []


def test_ping_without_a_reply_says_so(pair: tuple[End, End]) -> None:
    source, app = pair
    nobody = replace(app, own=Address("198.18.91.9", "::"), reach=Address("198.18.91.9", "::"))
    result = ping.measure(source, nobody, Ping(count=2, interval_ns=20_000_000), "ip4")["ping"]
    assert (result.n, result.lost, result.min_ns) == (0, 2, None)
    assert result.not_measured == "none of 2 echo requests was answered"


def facts(result: LoadResult) -> dict[str, object]:
    return result.model_extra or {}


@pytest.mark.parametrize("protocol", ["udp", "tcp"])
@pytest.mark.parametrize("direction", ["same", "opposite"])
def test_iperf3_achieves_its_rate(machine: Host, pair: tuple[End, End], protocol: str, direction: str) -> None:
    source, app = pair
    load = Load.model_validate({"streams": 2, "protocol": protocol, "direction": direction, "rate_bps": RATE_BPS})
    receiver = app if direction == "same" else source
    with running(load, source, app, "down") as bulk:
        before = int(receiver.host.read("/sys/class/net/veth0/statistics/rx_bytes"))
        time.sleep(2)
        grown = int(receiver.host.read("/sys/class/net/veth0/statistics/rx_bytes")) - before
        result = bulk.finish()
    assert bulk.failure is None
    assert facts(result)["ran"] is True
    assert result.achieved_bps == pytest.approx(2 * RATE_BPS, rel=0.2)
    assert grown * 8 / 2 > RATE_BPS  # it went the way it was asked to go
    assert left_behind(machine) == []


@pytest.mark.parametrize("protocol", ["udp", "tcp"])
@pytest.mark.parametrize("direction", ["same", "opposite"])
def test_netperf_streams_carry(machine: Host, pair: tuple[End, End], protocol: str, direction: str) -> None:
    source, app = pair
    load = Load.model_validate({"streams": 2, "protocol": protocol, "direction": direction, "program": "netperf"})
    with running(load, source, app, "up") as bulk:
        time.sleep(1)
        result = bulk.finish()
    assert bulk.failure is None
    assert result.achieved_bps is not None
    assert result.achieved_bps > 1e6
    assert left_behind(machine) == []


@pytest.mark.parametrize("program", ["iperf3", "netperf"])
@pytest.mark.parametrize("protocol", ["udp", "tcp"])
def test_a_load_whose_server_is_killed_did_not_run(
    machine: Host, pair: tuple[End, End], program: str, protocol: str
) -> None:
    source, app = pair
    load = Load.model_validate({"streams": 2, "protocol": protocol, "direction": "opposite", "program": program})
    with running(load, source, app, "down") as bulk:
        (pid, *_) = machine.run(["ip", "netns", "pids", NAMES["source"]]).split()
        os.kill(int(pid), signal.SIGKILL)
        time.sleep(1)
        result = bulk.finish()
    assert facts(result)["ran"] is False
    assert bulk.failure is not None
    assert "ended by itself" in bulk.failure
    assert left_behind(machine) == []


def test_an_error_in_the_block_ends_the_load(machine: Host, pair: tuple[End, End]) -> None:
    source, app = pair
    with pytest.raises(ZeroDivisionError), running(Load(rate_bps=RATE_BPS), source, app, "down"):
        raise ZeroDivisionError
    assert left_behind(machine) == []


def test_a_load_that_cannot_reach_its_server_does_not_start(machine: Host, pair: tuple[End, End]) -> None:
    source, app = pair
    elsewhere = replace(source, reach=Address("198.18.91.9", "::"))
    with pytest.raises(MeasurementError, match="did not start"), running(Load(), elsewhere, app, "down"):
        pass
    assert left_behind(machine) == []


def test_a_load_without_a_limit_is_counted(machine: Host, pair: tuple[End, End]) -> None:
    """The default load, whose sender may learn of its end by a closed socket."""
    source, app = pair
    for _ in range(3):
        with running(Load(), source, app, "down") as bulk:
            time.sleep(0.5)
            result = bulk.finish()
        assert bulk.failure is None
        assert result.achieved_bps is not None
        assert result.achieved_bps > 1e6
    assert left_behind(machine) == []
