# SPDX-License-Identifier: Apache-2.0
"""A machine with PCI NICs that behaves as the kernel does: drivers are bound and unbound, virtual functions and
interfaces come and go. It understands the commands that attachments give, and an undo journal.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any

from latlab.attachment.kept_nic import COMES_BACK, HAS_CARRIER
from latlab.attachment.pci import BUS
from latlab.errors import CommandError
from latlab.hosts.host import Result
from tests.canned import FACTS, CannedHost

PF = "0000:01:00.0"
VFS = ("0000:01:10.0", "0000:01:10.2", "0000:01:10.4")
NEW_NAME = "enp1s0"
"""What an interface that appears is called at first, by udev."""


class KilledError(Exception):
    """The controller is no more."""


@dataclass
class Interface:
    name: str
    mac: str
    flags: tuple[str, ...] = ("UP", "LOWER_UP")
    mtu: int = 1500
    addresses: tuple[str, ...] = ()
    xdp: bool = False


@dataclass
class Device:
    driver: str = ""
    own_driver: str = ""
    """Which one the kernel would give it."""
    override: str = ""
    group: str = ""
    interface: Interface | None = None
    away: bool = False
    """Its interface is in another network namespace."""
    physical: bool = True
    limit: int | None = None
    autoprobe: bool = True


@dataclass
class Function:
    """What a physical function says of a virtual one."""

    mac: str = "00:00:00:00:00:00"
    vlan: int = 0
    spoof_check: bool = True
    link_state: str = "auto"


@dataclass
class State:
    devices: dict[str, Device]
    functions: list[Function] = field(default_factory=list)
    modules: set[str] = field(default_factory=set)


class Journal:
    def __init__(self, stack: list[list[str]]) -> None:
        self._stack = stack

    def forget(self) -> None:
        self._stack.pop()


class PciMachine(CannedHost):
    """`fails_at`: the change with that number, from 0, fails; `killed_at`: before it is made, everything stops."""

    def __init__(self, answers: Mapping[str, Any] | None = None, *, facts: Any = FACTS) -> None:
        super().__init__(answers or {}, facts=facts)
        nic = Interface("eth0", "52:54:00:a1:00:01", mtu=1400)
        self.state = State({PF: Device("igb", "igb", group="8", interface=nic, limit=7)})
        self.deferred: list[list[str]] = []
        self.undo = Journal(self.deferred)  # type: ignore[assignment]
        self.changes = 0
        self.fails_at: int | None = None
        self.killed_at: int | None = None

    @property
    def nic(self) -> Device:
        return self.state.devices[PF]

    def with_functions(self, *devices: Device, functions: Sequence[Function] = ()) -> PciMachine:
        """Virtual functions that somebody made before."""
        for address, device in zip(VFS, devices, strict=False):
            self.state.devices[address] = replace(device, physical=False, group=device.group or f"1{address[-1]}")
        self.state.functions = list(functions) or [Function() for _ in devices]
        return self

    # The three verbs.

    def defer(self, argv: Sequence[str]) -> None:
        self.deferred.append(list(argv))

    def change(self, argv: Sequence[str], *, undo: Sequence[str], feed: bytes | None = None) -> str:
        self.defer(undo)
        try:
            return self.run(argv, feed=feed)
        except CommandError:
            self.deferred.pop()
            raise

    def unwind(self) -> None:
        """What an agent does in the end. A command that fails is no obstacle for the others."""
        self.fails_at = self.killed_at = None
        while self.deferred:
            self.run_plain(self.deferred.pop())

    def found(self) -> State:
        return deepcopy(self.state)

    def run_plain(self, argv: Sequence[str], *, feed: bytes | None = None, timeout_s: float = 60) -> Result:
        words = list(argv)
        if shlex.join(words) in self._answers:
            return super().run_plain(words, feed=feed, timeout_s=timeout_s)
        self.asked.append(shlex.join(words))
        if _changes(words):
            number, self.changes = self.changes, self.changes + 1
            if number == self.killed_at:
                raise KilledError
            if number == self.fails_at:
                return Result(1, "", "sh: 1: echo: echo: I/O error")
            return Result(0 if self._make(words) else 1, "", "")
        return Result(0, self._say(words), "")

    # What it answers.

    def _say(self, words: list[str]) -> str:
        line = shlex.join(words)
        if words[:2] == ["readlink", "-e"]:
            nic = words[2].split("/")[4]
            return next((f"/sys/devices/{a}\n" for a, d in self._interfaces() if d.name == nic), "")
        if words[0] == "find" and words[1].startswith(BUS):
            return "".join(self._links(word.split("/")[5]) for word in words if word.startswith(BUS))
        if words[0] == "grep":
            return "".join(self._attributes(a) for a, d in self.state.devices.items() if a in line)
        if line.startswith("ls /sys/kernel/iommu_groups/"):
            return "\n".join(a for a, d in self.state.devices.items() if d.group == words[1].split("/")[4])
        if words[:4] == ["ip", "-j", "-d", "-s"]:
            return json.dumps([self._link(d) for _, d in self._interfaces() if d.name == words[-1]])
        if words[:3] == ["ip", "-j", "addr"]:
            found = [d for _, d in self._interfaces() if d.name == words[-1]]
            return json.dumps([{"addr_info": [{"local": a, "scope": "global"} for a in d.addresses]} for d in found])
        return "[]" if "-j" in words else ""

    def _interfaces(self) -> list[tuple[str, Interface]]:
        return [(a, d.interface) for a, d in self.state.devices.items() if d.interface and not d.away]

    def _links(self, address: str) -> str:
        device = self.state.devices[address]
        links = {"driver": device.driver, "iommu_group": device.group}
        if device.interface and not device.away:
            links[f"net/{device.interface.name}"] = "-"
        if not device.physical:
            links["physfn"] = PF
        if address == PF:
            virtual = [a for a, d in self.state.devices.items() if a in VFS]
            links |= {f"virtfn{n}": a for n, a in enumerate(virtual)}
        return "".join(f"{BUS}/devices/{address}/{name} ../x/{to}\n" for name, to in links.items() if to)

    def _attributes(self, address: str) -> str:
        device = self.state.devices[address]
        values = {"driver_override": device.override or "(null)"}
        if device.limit is not None:
            values |= {"sriov_totalvfs": str(device.limit), "sriov_drivers_autoprobe": str(int(device.autoprobe))}
            values["sriov_numvfs"] = str(len(self.state.functions))
        return "".join(f"{BUS}/devices/{address}/{name}:{value}\n" for name, value in values.items())

    def _link(self, found: Interface) -> dict[str, Any]:
        said: dict[str, Any] = {
            "ifname": found.name, "flags": found.flags, "mtu": found.mtu, "txqlen": 1000, "address": found.mac,
            "stats64": {way: {"packets": 0} for way in ("rx", "tx")},
        }  # fmt: skip
        if found.xdp:
            said["xdp"] = {"mode": 1}
        said["vfinfo_list"] = [
            {"vf": n, "address": f.mac, "vlan_list": [{"vlan": f.vlan} if f.vlan else {}],
             "spoofchk": f.spoof_check, "link_state": f.link_state}
            for n, f in enumerate(self.state.functions)
        ]  # fmt: skip
        return said

    # What it does.

    def _make(self, words: list[str]) -> bool:
        if words[0] == "modprobe":
            self.state.modules.add(words[1])
            return True
        if words[:2] == ["sh", "-c"] and "rmmod" in words[2]:
            self.state.modules.difference_update(words[4:])
            return True
        if words[:2] == ["sh", "-c"] and words[2] == COMES_BACK:
            return self._rename(words[3].split("/")[5], words[4])
        if words[:2] == ["sh", "-c"]:
            return self._write(words[5], words[4])
        return self._set(words[4], words[5:])

    def _rename(self, address: str, name: str) -> bool:
        found = self.state.devices[address].interface
        if found:
            found.name = name
        return found is not None

    def _write(self, path: str, value: str) -> bool:
        """False where the kernel would refuse."""
        name = path.split("/")[-1]
        if name in ("bind", "unbind"):
            device, driver = self.state.devices.get(value), path.split("/")[5]
            if device is None:
                return False
            return self._bind(device, driver) if name == "bind" else self._unbind(device, driver)
        device = self.state.devices[path.split("/")[5]]
        if name == "driver_override":
            device.override = value
        elif name == "sriov_drivers_autoprobe":
            device.autoprobe = value == "1"
        else:
            return self._set_number(device, int(value))
        return True

    def _bind(self, device: Device, driver: str) -> bool:
        if device.driver or driver != (device.override or device.own_driver):
            return False
        device.driver = driver
        if driver == device.own_driver:
            device.interface = Interface(NEW_NAME, "52:54:00:a1:00:01" if device.physical else "02:00:00:00:00:99", ())
        return True

    def _unbind(self, device: Device, driver: str) -> bool:
        if device.driver != driver:
            return False
        device.driver, device.interface = "", None
        return True

    def _set_number(self, device: Device, number: int) -> bool:
        if number and self.state.functions:
            return False
        for address in VFS:
            self.state.devices.pop(address, None)
        self.state.functions = [Function() for _ in range(number)]
        driver = "igbvf" if device.autoprobe else ""
        self.with_functions(*(Device(driver, "igbvf") for _ in range(number)))
        return True

    def _set(self, name: str, words: list[str]) -> bool:
        """`ip link set dev NAME ...`: False when there is no interface of that name."""
        found = next((d for _, d in self._interfaces() if d.name == name), None)
        if found is None:
            return False
        if words in (["up"], ["down"]):
            found.flags = ("UP", "LOWER_UP") if words == ["up"] else ()
            return True
        if words[0] == "vf":
            return self._set_function(int(words[1]), words[2], words[3])
        for key, value in zip(words[::2], words[1::2], strict=True):
            if key == "mtu":
                found.mtu = int(value)
            elif key == "address":
                found.mac = value
        return True

    def _set_function(self, number: int, key: str, value: str) -> bool:
        function = self.state.functions[number]
        if key == "mac":
            function.mac = value
        elif key == "vlan":
            function.vlan = int(value)
        elif key == "spoofchk":
            function.spoof_check = value == "on"
        else:
            function.link_state = value
        return True


def _changes(words: list[str]) -> bool:
    """Whether a command changes anything."""
    waits = words[:2] == ["sh", "-c"] and words[2] == HAS_CARRIER
    return not waits and bool(re.match(r"sh -c|modprobe \w|ip link set", " ".join(words)))
