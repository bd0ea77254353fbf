# SPDX-License-Identifier: Apache-2.0
"""A guest that latlab did not make: which of its NICs is under test, what it is given, what is told of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from latlab.attachment.existing import attach
from latlab.attachment.wiring import Visit
from latlab.bench.site import Address, Site
from latlab.errors import BenchError
from latlab.guest.kernel import Kernel
from latlab.guest.own import accelerator, add_missing_addresses, describe, interfaces, os_name
from latlab.guest.visited import choose_address, choose_nic
from latlab.hosts.ssh import SshTarget
from latlab.rehearsal import rehearsed_site
from latlab.scenario.attachments import Existing
from latlab.scenario.bench_model import Addresses
from tests.canned import CannedHost

TARGET = SshTarget("guest")
OWN = Address("198.18.77.3", "2001:2:0:77::3")
ADDR = "ip -j addr show"
IP6 = "cat /proc/sys/net/ipv6/conf/ens3/disable_ipv6"


@pytest.fixture
def site() -> Site:
    kernel = Kernel("6.12.1", Path("/boot/vmlinuz-6.12.1"), Path("/"))
    return rehearsed_site("local", Addresses(), kernel, nic="eth0", peer_nic="eth1")


def nic(name: str, *addresses: str) -> dict[str, Any]:
    return {"ifname": name, "flags": ["UP"], "address": "aa:bb", "addr_info": [{"local": a} for a in addresses]}


FOUND = [nic("lo", "127.0.0.1", "::1"), nic("ens2", "10.0.0.5", "fe80::1"), nic("ens3", "198.18.77.9")]


@pytest.mark.parametrize(
    ("visit", "name"),
    [
        (Visit(TARGET), "ens3"),
        (Visit(TARGET, nic="ens2"), "ens2"),
        (Visit(TARGET, address="198.18.77.9"), "ens3"),
        (Visit(TARGET, nic="ens2", address="198.18.77.20"), "ens2"),
    ],
)
def test_the_nic_under_test(site: Site, visit: Visit, name: str) -> None:
    assert choose_nic("guest", FOUND, visit, site)["ifname"] == name


@pytest.mark.parametrize(
    ("visit", "more", "message"),
    [
        (Visit(TARGET, nic="ens9"), [], "guest has no interface ens9"),
        (Visit(TARGET, address="198.18.77.10"), [], "guest: no interface has 198.18.77.10"),
        (Visit(TARGET), [nic("ens4", "198.18.77.10")], "more than one interface has an address in 198.18.77.0/24"),
    ],
)
def test_no_telling_which_nic(site: Site, visit: Visit, more: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(BenchError, match=message) as caught:
        choose_nic("guest", [*FOUND, *more], visit, site)
    assert "lo, ens2, ens3" in caught.value.hint


def test_its_addresses_are_its_own_or_the_bench_s(site: Site) -> None:
    there = nic("ens3", "198.18.77.9", "2001:2:0:77::9", "fe80::1")
    assert choose_address("guest", there, Visit(TARGET), site) == Address("198.18.77.9", "2001:2:0:77::9")
    assert choose_address("guest", nic("ens3"), Visit(TARGET), site) == OWN
    asked = choose_address("guest", there, Visit(TARGET, address="198.18.77.40"), site)
    assert asked == Address("198.18.77.40", "2001:2:0:77::9")


def test_the_peer_s_address_is_not_its_own(site: Site) -> None:
    with pytest.raises(BenchError, match=r"198\.18\.77\.2, which is the peer's"):
        choose_address("guest", nic("ens3", "198.18.77.2"), Visit(TARGET), site)


def test_only_what_is_missing_is_added() -> None:
    guest = CannedHost({ADDR: [nic("ens3", "198.18.77.3")], IP6: "0\n"}, name="guest")
    add_missing_addresses(guest, "ens3", OWN)
    assert guest.afterwards == ["ip -6 addr del 2001:2:0:77::3/64 dev ens3"]
    assert "ip -6 addr add 2001:2:0:77::3/64 dev ens3 nodad" in guest.asked


@pytest.mark.parametrize("disabled", ["1\n", 1])
def test_a_guest_without_ipv6_gets_none(disabled: object) -> None:
    guest = CannedHost({ADDR: [nic("ens3")], IP6: disabled}, name="guest")
    add_missing_addresses(guest, "ens3", OWN)
    assert guest.afterwards == ["ip -4 addr del 198.18.77.3/24 dev ens3"]


def test_an_address_of_another_nic_is_refused() -> None:
    guest = CannedHost({ADDR: [nic("ens3"), nic("ens2", "198.18.77.3")]}, name="guest")
    with pytest.raises(BenchError, match=r"guest: address 198\.18\.77\.3 is already in use, on ens2"):
        add_missing_addresses(guest, "ens3", OWN)
    assert guest.afterwards == []


def test_an_ip_that_is_not_iproute2_s() -> None:
    guest = CannedHost({ADDR: "BusyBox v1.35.0 multi-call binary."}, name="guest")
    with pytest.raises(BenchError, match="guest: its `ip` is not that of iproute2") as caught:
        interfaces(guest)
    assert "iproute2" in caught.value.hint


def test_what_is_told_of_it() -> None:
    guest = CannedHost(
        {
            "cat /proc/modules": "virtio_net 1 0 - Live 0x0\n8021q 1 0 - Live 0x0\n",
            "cat /etc/os-release": 'ID=debian\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
        }
    )
    assert describe(guest) == {
        "kernel": "6.12.1",
        "os": "Debian GNU/Linux 12 (bookworm)",
        "modules": ["8021q", "virtio_net"],
    }


@pytest.mark.parametrize(
    ("clocks", "cpu", "word"),
    [("kvm-clock tsc acpi_pm\n", "Intel", "kvm"), ("tsc\n", "model name : QEMU TCG CPU version 2.5+\n", "tcg"),
     ("arch_sys_counter\n", "CPU implementer : 0x41\n", "unknown")],
)  # fmt: skip
def test_what_it_runs_under(clocks: str, cpu: str, word: str) -> None:
    file = "/sys/devices/system/clocksource/clocksource0/available_clocksource"
    assert accelerator(CannedHost({f"cat {file}": clocks, "cat /proc/cpuinfo": cpu})) == word


@pytest.mark.parametrize(
    ("text", "name"),
    [("PRETTY_NAME=Board\n", "Board"), ("PRETTY_NAME='A B'", "A B"), ("ID=x\n", None), ('PRETTY_NAME="open', None),
     ("PRETTY_NAME=\n", None)],
)  # fmt: skip
def test_the_name_of_a_distribution(text: str, name: str | None) -> None:
    assert os_name(text) == name


def test_an_address_outside_of_the_bench_s_network_is_refused(site: Site) -> None:
    with pytest.raises(BenchError, match=r"10\.0\.0\.9 is not in the bench's network 198\.18\.77\.0/24") as caught:
        attach(site, Existing(ssh="guest", address="10.0.0.9"))
    assert "addresses:" in caught.value.hint


def test_nothing_is_attached(site: Site) -> None:
    (wiring,) = attach(site, Existing(ssh="root@guest", ssh_key="/k", nic="ens3", address="198.18.77.9"))
    assert wiring.devices == ()
    assert wiring.nics == {}
    assert wiring.visit == Visit(SshTarget("root@guest", key="/k"), "ens3", "198.18.77.9")
    assert wiring.reach.ip4 == "198.18.77.9"
