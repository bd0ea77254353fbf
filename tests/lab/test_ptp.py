# SPDX-License-Identifier: Apache-2.0
"""linuxptp for real, over a veth pair between two namespaces: both ends are one clock, which nobody may steer."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from latlab.attachment.wiring import End
from latlab.bench.site import Address, Site, changes_undone
from latlab.errors import BenchError
from latlab.hosts.host import Host
from latlab.hosts.local import open_local_host
from latlab.timing.ptp import Ptp, PtpWatch, events, obstacle, running
from latlab.timing.ptp.nic import parse_frequency, read_frequency_argv
from latlab.timing.reading import Reading

NAMES = {"hypervisor": "llt-ptp-a", "peer": "llt-ptp-b"}
ADDRESSES = {
    "hypervisor": Address("198.18.93.1", "2001:2:0:93::1"),
    "peer": Address("198.18.93.2", "2001:2:0:93::2"),
}
QUICK = Ptp(log_announce_interval=-2, log_sync_interval=-3, log_delay_interval=-3, extra="announceReceiptTimeout 2")
LOOK_LIMIT_S = 30


class Bench:
    """What a timing method asks of a site."""

    kind = "local"

    def __init__(self, hypervisor: Host, peer: Host) -> None:
        self.hypervisor, self.peer = hypervisor, peer


Ends = tuple[Site, End, End]


@pytest.fixture(scope="module")
def machine() -> Iterator[Host]:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    host = open_local_host()
    try:
        if not host.has("ptp4l"):
            pytest.skip("needs linuxptp")
        with changes_undone(host):
            yield host
    finally:
        host.close()


@pytest.fixture(scope="module")
def ends(machine: Host) -> Ends:
    """The site; the sender, which is the hypervisor; the reflector, which is the peer."""
    for netns in NAMES.values():
        machine.change(["ip", "netns", "add", netns], undo=["ip", "netns", "del", netns])
    machine.run(["ip", "link", "add", "veth0", "netns", NAMES["hypervisor"], "type", "veth",
                 "peer", "name", "veth0", "netns", NAMES["peer"]])  # fmt: skip
    made = []
    for name, netns in NAMES.items():
        host, address = machine.within(netns, name), ADDRESSES[name]
        host.run(["ip", "addr", "add", f"{address.ip4}/24", "dev", "veth0"])
        host.run(["ip", "addr", "add", f"{address.ip6}/64", "dev", "veth0", "nodad"])
        for nic in ("lo", "veth0"):
            host.run(["ip", "link", "set", "dev", nic, "up"])
        made.append(End(host, "veth0", address, address, ""))
    site = cast("Site", Bench(made[0].host, made[1].host))
    return site, made[0], made[1]


@pytest.fixture(autouse=True)
def nothing_is_left(machine: Host) -> Iterator[None]:
    """No program, no folder; and this machine's clock goes as it went."""
    before = frequency(machine)
    yield
    assert [machine.run_plain(["ip", "netns", "pids", netns]).stdout for netns in NAMES.values()] == ["", ""]
    assert list(Path("/run").glob("latlab-ptp-*")) == []
    assert frequency(machine) == before


def frequency(machine: Host) -> float | None:
    result = machine.run_plain(read_frequency_argv("CLOCK_REALTIME"))
    return parse_frequency(result.stdout + result.stderr)


def gather(watch: PtpWatch, enough: Callable[[list[Reading]], object]) -> list[Reading]:
    """Readings until there are enough of them; all of them, however it ended."""
    found: list[Reading] = []
    limit = time.monotonic() + LOOK_LIMIT_S
    while time.monotonic() < limit:
        found += watch.take()
        if enough(found):
            return found
        time.sleep(0.1)
    raise AssertionError(found[-20:])


def of(readings: list[Reading], host: str, source: str) -> list[Reading]:
    return [reading for reading in readings if (reading.host, reading.source) == (host, source)]


def kill(machine: Host, netns: str, program: str) -> None:
    for pid in machine.run(["ip", "netns", "pids", netns]).split():
        if Path(f"/proc/{pid}/comm").read_text().strip() == program:
            os.kill(int(pid), signal.SIGKILL)


@pytest.mark.parametrize(
    "options",
    [{}, {"transport": "UDPv4", "delay_mechanism": "P2P"}, {"transport": "UDPv6"}, {"profile": "automotive"},
     {"fifo": 10, "cpu": 0}],
    ids=["L2", "UDPv4 P2P", "UDPv6", "automotive", "scheduled"],
)  # fmt: skip
def test_the_slave_follows_and_says_how_well(ends: Ends, options: dict[str, Any]) -> None:
    with running(*ends, Ptp(log_sync_interval=-3, log_delay_interval=-3, **options)) as watch:
        assert watch.failure is None

        def enough(found: list[Reading]) -> bool:
            offsets = [r for r in of(found, "sender", "pmc") if r.offset_ns is not None and r.path_delay_ns]
            compared = [r for r in found if (r.host, r.reference) == ("reflector", "sender")]
            return len(offsets) >= 10 and len(compared) >= 2

        found = gather(watch, enough)
        assert watch.failure is None
    assert watch.plan.stamps == "software"
    assert watch.locked_after_s is not None
    states = {host: {r.port_state for r in of(found, host, "pmc")} for host in ("sender", "reflector")}
    assert states["sender"] & {"SLAVE", "UNCALIBRATED"}
    assert "MASTER" in states["reflector"] or "GRAND_MASTER" in states["reflector"]
    # One clock against itself: what is left is the method's own noise, far from any step of a clock.
    late = [abs(r.offset_ns) for r in found if r.offset_ns is not None]
    assert sorted(late)[len(late) // 2] < 5_000_000
    assert "step" not in {happened.kind for happened in events(found)}
    assert any("runs free" in (r.event or "") for r in found)
    # The truth is 0.
    compared = [r for r in found if (r.host, r.reference) == ("reflector", "sender")]
    held = [abs(r.offset_ns) <= r.error_ns for r in compared if r.offset_ns is not None and r.error_ns is not None]
    assert held
    assert all(held)
    times = [r.time_ns for r in found]
    assert max(times) - min(times) < 10**9 * (LOOK_LIMIT_S + 100)
    assert abs(max(times) - time.time_ns()) < 60 * 10**9


@pytest.mark.parametrize(
    ("change", "words"),
    [({}, "lost its PTP master"), ({"client_only": "off"}, "took itself for the master"),
     ({"profile": "automotive", "extra": None}, "not synchronised")],
    ids=["default", "as in the study", "automotive"],
)  # fmt: skip
def test_a_master_that_dies_is_named_and_its_loss_is_in_the_readings(
    machine: Host, ends: Ends, change: dict[str, Any], words: str
) -> None:
    with running(*ends, QUICK.model_copy(update=change)) as watch:
        before = gather(watch, lambda found: len(of(found, "sender", "ptp4l")) >= 5)
        kill(machine, NAMES["peer"], "ptp4l")
        after = gather(watch, lambda found: "master-lost" in {happened.kind for happened in events(before + found)})
        assert watch.failure is not None
        assert "ptp4l on peer ended" in watch.failure
    lost = next(one for one in events(before + after) if one.kind == "master-lost")
    assert lost.host == "sender"
    assert words in lost.sentence
    assert lost.start_ns > before[0].time_ns


def test_a_cable_that_is_pulled_is_a_fault(ends: Ends) -> None:
    _, sender, _ = ends
    with running(*ends, QUICK.model_copy(update={"fault_reset_interval": -1})) as watch:
        sender.host.run(["ip", "link", "set", "dev", "veth0", "down"])
        time.sleep(1)
        sender.host.run(["ip", "link", "set", "dev", "veth0", "up"])

        def over(found: list[Reading]) -> bool:
            return any(one.kind == "fault-reset" and one.end_ns for one in events(found))

        found = gather(watch, over)
        assert watch.failure is None
    assert "FAULTY" in {reading.port_state for reading in of(found, "sender", "ptp4l")}


def test_never_two_on_one_port(ends: Ends) -> None:
    assert obstacle(*ends) is None
    with running(*ends, QUICK):
        words = obstacle(*ends) or ""
        assert "ptp4l already runs on veth0 of peer (process " in words
        with pytest.raises(BenchError, match="already runs"), running(*ends, QUICK):
            pass
    assert obstacle(*ends) is None


def test_a_ptp4l_that_does_not_start_says_why(ends: Ends) -> None:
    site, sender, reflector = ends
    nowhere = End(sender.host, "nosuch0", sender.own, sender.reach, "")
    started = running(site, nowhere, reflector, Ptp(stamps="software"))
    with pytest.raises(BenchError, match=r"ptp4l on hypervisor ended \(exit code 255\): ") as caught, started:
        pass
    assert "No such device" in caught.value.message or "clock" in caught.value.message
