# SPDX-License-Identifier: Apache-2.0
"""Whether PTP works between two ends, in whose roles and by whose stamps; and why not, with what to do about it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from latlab.attachment.wiring import End
from latlab.bench.site import Address, Site
from latlab.scenario.ptp import Ptp
from latlab.timing.ptp import obstacle
from latlab.timing.ptp.planning import Plan, make_plan
from tests.canned import FACTS, CannedHost
from tests.doctor.test_nics import IGB
from tests.timing.ptp.test_nic import VETH

PRESENT = {"ptp4l -v": "3.1.1\n"}


class Bench:
    """What is asked of a site: who is the hypervisor, who the peer."""

    kind = "boards"

    def __init__(self, hypervisor: CannedHost, peer: CannedHost) -> None:
        self.hypervisor, self.peer = hypervisor, peer


def end(host: CannedHost, own: str = "198.18.77.1", reach: str | None = None) -> End:
    address = Address(own, "2001:2:0:77::1")
    return End(host, "eth0", address, replace(address, ip4=reach or own), "")


def two(here: dict[str, Any] | None = None, there: dict[str, Any] | None = None, *, kind: str = "boards",
        same: bool = False) -> tuple[Site, End, End]:  # fmt: skip
    nics = {"ethtool -T eth0": IGB}
    hypervisor = CannedHost(PRESENT | nics | (here or {}))
    facts = FACTS if same else replace(FACTS, boot_id="b-boot")
    peer = CannedHost(PRESENT | nics | (there or {}), name="peer", facts=facts)
    site = Bench(hypervisor, peer)
    site.kind = kind
    return cast("Site", site), end(hypervisor), end(peer)


def plan(bench: tuple[Site, End, End], options: Ptp | None = None) -> Plan:
    found = make_plan(*bench, options or Ptp())
    assert isinstance(found, Plan), found
    return found


def test_the_peer_is_the_master_and_two_machines_with_such_nics_stamp_in_hardware() -> None:
    found = plan(two())
    assert (found.master.name, found.slave.name) == ("reflector", "sender")
    assert (found.stamps, found.free_running) == ("hardware", False)
    assert any("its time is not" in note for note in found.notes)


@pytest.mark.parametrize(
    ("master", "name"), [("hypervisor", "sender"), ("sender", "sender"), ("reflector", "reflector")]
)
def test_another_master(master: Any, name: str) -> None:
    assert plan(two(), Ptp(master=master)).master.name == name


def test_one_kernels_clock_is_never_steered_by_itself() -> None:
    found = plan(two(same=True))
    assert found.free_running
    assert found.stamps == "software"
    assert any("runs free" in note for note in found.notes)


def test_software_stamps_where_a_nic_has_none_are_said() -> None:
    found = plan(two(there={"ethtool -T eth0": VETH}))
    assert found.stamps == "software"
    assert "eth0 of peer cannot" in found.notes[0]
    assert plan(two(kind="emulated")).stamps == "software"


WITHOUT: dict[str, tuple[tuple[Site, End, End], Ptp, str]] = {
    "no ptp4l": (two(there={"sh -c 'command -v \"$0\"' ptp4l": 1}), Ptp(), "ptp4l is not installed on peer; Debian"),
    "no pmc": (two({"sh -c 'command -v \"$0\"' pmc": 1}), Ptp(), "pmc is not installed on hypervisor; Debian"),
    "an old one": (two({"ptp4l -v": "2.0\n"}), Ptp(), "is version 2.0; 3.0 or later"),
    "none at all": (two({"ptp4l -v": "?"}), Ptp(), "does not say its version"),
    "no such stamps": (two({"ethtool -T eth0": VETH}), Ptp(stamps="hardware"), "use `stamps: software`"),
}
LISTING = "find /proc -maxdepth 2 -path '/proc/[0-9]*/comm' -exec grep -sHxE"


def daemons(program: str) -> dict[str, Any]:
    words = "'ptp4l|ptpd|ptpd2|chronyd|ntpd|openntpd|systemd-timesyn|phc2sys'"
    return {f"{LISTING} {words} '{{}}' +": f"/proc/9/comm:{program}\n",
            "grep -aHZ '' /proc/9/cmdline": f"/proc/9/cmdline\0{program}\0-i\0eth0\0"}  # fmt: skip


WITHOUT |= {
    "one already": (two(daemons("ptp4l")), Ptp(), "ptp4l already runs on eth0 of hypervisor (process 9)"),
    "chrony on the slave": (two(daemons("chronyd")), Ptp(), "chronyd (process 9) steers the clock of hypervisor"),
    "a UDP port taken": (
        two({"cat /proc/net/udp /proc/net/udp6": " 1: 00000000:013F 00000000:0000 07 0\n"}),
        Ptp(transport="UDPv4"),
        "UDP port 319 of hypervisor is taken",
    ),
}


@pytest.mark.parametrize("name", WITHOUT)
def test_why_it_does_not_work(name: str) -> None:
    bench, options, words = WITHOUT[name]
    assert words in (obstacle(*bench, options) or "")


def test_chrony_may_steer_the_master_and_a_clock_that_is_not_touched() -> None:
    assert obstacle(*two(there=daemons("chronyd"))) is None
    assert obstacle(*two(daemons("chronyd"), same=True)) is None


def test_a_guest_behind_a_nat_is_not_reached() -> None:
    site, sender, reflector = two()
    sender = replace(sender, reach=Address("198.18.77.9", "::"))
    assert "behind a NAT" in (obstacle(site, sender, reflector) or "")


def test_a_master_that_is_no_end_of_the_flow() -> None:
    site, _, reflector = two()
    guest = end(CannedHost(PRESENT | {"ethtool -T eth0": VETH}, name="guest"))
    assert "the hypervisor is no end of this flow" in (obstacle(site, guest, reflector, Ptp(master="hypervisor")) or "")
    assert obstacle(site, guest, reflector) is None


def test_in_a_guest_of_latlabs_own_there_is_another_way() -> None:
    site, _, reflector = two()
    guest = end(CannedHost({"sh -c 'command -v \"$0\"' ptp4l": 1}, name="guest"))
    assert "use kvm-tsc or ptp-kvm" in (obstacle(site, guest, reflector) or "")


def test_looking_changes_nothing() -> None:
    site, sender, reflector = two()
    obstacle(site, sender, reflector)
    for host in (sender.host, reflector.host):
        assert cast("CannedHost", host).afterwards == []
