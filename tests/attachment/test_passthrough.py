# SPDX-License-Identifier: Apache-2.0
"""The NIC, or virtual functions of it, given to guests: what is changed, and that it is undone from any moment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from latlab.attachment import sriov, vfio
from latlab.attachment.kept_nic import current_numbers
from latlab.attachment.wiring import Wiring
from latlab.bench.site import Site
from latlab.errors import BenchError
from latlab.rehearsal import rehearsed_site
from latlab.scenario.attachments import Sriov, Vfio
from latlab.scenario.bench_model import Addresses
from tests.attachment.pci_machine import PF, VFS, Device, Function, Interface, KilledError, PciMachine
from tests.attachment.test_golden import KERNEL

NO_MODULES = {f"test -d /sys/module/{name}": 1 for name in vfio.MODULES}
Attach = Callable[[PciMachine], list[Wiring]]


def site_of(machine: PciMachine, vlan: int | None = None) -> Site:
    site = rehearsed_site("local", Addresses(), KERNEL, nic="eth0", peer_nic="eth1")
    return replace(site, hypervisor=machine, vlan=vlan)


def whole(machine: PciMachine) -> list[Wiring]:
    return vfio.attach(site_of(machine), Vfio())


def functions(machine: PciMachine) -> list[Wiring]:
    return sriov.attach(site_of(machine, vlan=7), Sriov(spoof_check=False), 2)


def fresh() -> PciMachine:
    return PciMachine(NO_MODULES)


def with_users_own() -> PciMachine:
    """Three virtual functions: one in use, one idle with its driver, one idle without, set as their user likes."""
    idle = Interface("vf1", "02:00:00:00:00:01", flags=(), mtu=1300)
    used = Interface("vf0", "02:00:00:00:00:00", addresses=("192.0.2.1",))
    return PciMachine(NO_MODULES).with_functions(
        Device("igbvf", "igbvf", interface=used),
        Device("igbvf", "igbvf", interface=idle),
        Device("", "igbvf"),
        functions=[Function(), Function("02:00:00:00:00:01", 9), Function(spoof_check=False, link_state="disable")],
    )


CASES = [(whole, fresh), (functions, fresh), (functions, with_users_own)]


def test_the_whole_nic_goes_to_vfio() -> None:
    machine = fresh()
    (wiring,) = whole(machine)
    assert (machine.nic.driver, machine.nic.override, machine.nic.interface) == ("vfio-pci", "vfio-pci", None)
    assert wiring.devices == ("-device", f"vfio-pci,host={PF},rombar=0")
    assert (wiring.mac, wiring.modules, wiring.pins_memory) == ("52:54:00:a1:00:01", ("igb",), True)


def test_virtual_functions_are_made_and_set() -> None:
    machine = fresh()
    wirings = functions(machine)
    assert [w.devices[1] for w in wirings] == [f"vfio-pci,host={address},rombar=0" for address in VFS[:2]]
    assert [w.modules for w in wirings] == [("igbvf",), ("igbvf",)]
    assert machine.state.functions == [Function(w.mac, 7, False) for w in wirings]
    assert [machine.state.devices[address].driver for address in VFS[:2]] == ["vfio-pci", "vfio-pci"]
    assert (machine.nic.driver, machine.nic.autoprobe) == ("igb", False)


def test_virtual_functions_that_are_there_are_borrowed_and_their_number_stays() -> None:
    machine = with_users_own()
    wirings = functions(machine)
    assert [w.notes["device"] for w in wirings] == list(VFS[1:])
    assert machine.state.functions == [Function(), *(Function(w.mac, 7, False) for w in wirings)]
    assert machine.state.devices[VFS[0]].driver == "igbvf"
    assert machine.nic.autoprobe
    assert not any("sriov_numvfs" in line and line.startswith("sh") for line in machine.asked)


@pytest.mark.parametrize(("attach", "make"), CASES)
def test_all_is_as_it_was_found_in_the_end(attach: Attach, make: Callable[[], PciMachine]) -> None:
    """Drivers, overrides, functions and their settings, modules; the interface's name, MTU and state."""
    machine = make()
    before = machine.found()
    attach(machine)
    assert machine.state != before
    machine.unwind()
    assert machine.state == before


@pytest.mark.parametrize(("attach", "make"), CASES)
@pytest.mark.parametrize("way", ["fails", "is killed"])
def test_all_is_as_it_was_found_after_it_stopped_half_way(
    attach: Attach, make: Callable[[], PciMachine], way: str
) -> None:
    """At each of its changes: the change fails, or we are killed when it is deferred and not made."""
    whole_way = make()
    attach(whole_way)
    assert whole_way.changes >= 5
    for step in range(whole_way.changes):
        machine = make()
        before = machine.found()
        if way == "fails":
            machine.fails_at = step
        else:
            machine.killed_at = step
        with pytest.raises((BenchError, KilledError)):
            attach(machine)
        machine.unwind()
        assert machine.state == before, f"stopped at change {step}: {machine.asked[-1]}"


def test_a_function_that_is_as_wanted_is_not_set_again() -> None:
    """Not every NIC can set everything: an 82576 has no link state of a function."""
    machine = PciMachine()
    sriov.attach(site_of(machine), Sriov(), 1)
    (line,) = (line for line in machine.asked if " vf 0 " in line)
    assert line == "ip link set dev eth0 vf 0 mac 52:54:00:a1:01:00"


def test_settings_of_the_interface_come_back() -> None:
    sysctls = "net.ipv4.conf.eth0.rp_filter = 2\nnet.ipv4.conf.default.rp_filter = 0\nnet.ipv6.conf.eth0.mtu = 1400\n"
    same = "net.ipv4.neigh.eth0.ucast_solicit = 3\nnet.ipv4.neigh.default.ucast_solicit = 3\n"
    off = {"active": False, "fixed": False, "requested": False}
    fixed = {"active": True, "fixed": True, "requested": True}
    machine = PciMachine(
        {
            r"sysctl -a --pattern '^net\.ipv[46]\.(conf|neigh)\.(eth0|default)\.'": sysctls + same,
            "ethtool --json -k eth0": [{"ifname": "eth0", "rx-checksumming": off, "highdma": fixed}],
            "ethtool -l eth0": "Pre-set maximums:\nCombined: 8\nCurrent hardware settings:\nRX: n/a\nCombined: 1\n",
        }
    )
    whole(machine)
    deferred = [" ".join(argv) for argv in reversed(machine.deferred)]
    named = next(n for n, line in enumerate(deferred) if line.endswith(f"{PF} eth0"))
    assert deferred[named + 1 : -1] == [
        "ip link set dev eth0 mtu 1400 txqueuelen 1000",
        "ethtool -L eth0 combined 1",
        "ethtool -K eth0 rx-checksumming off",
        "sysctl -q -w net.ipv4.conf.eth0.rp_filter=2",
        "ip link set dev eth0 up",
    ]


def test_queue_and_ring_numbers_are_read() -> None:
    text = (
        "Pre-set maximums:\nRX:\t4096\nCurrent hardware settings:\nRX:\t256\nRX Mini:\tn/a\nTX:\t512\nCQE Size:\tn/a\n"
    )
    assert current_numbers(text) == ["rx", "256", "tx", "512"]
    assert current_numbers("netlink error: Operation not supported\n") == []
