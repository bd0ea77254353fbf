# SPDX-License-Identifier: Apache-2.0
"""Our XDP forwarder (bpf/forward.bpf.c) on a host: loaded, put on its ports, read, removed.

A program that is attached outlives whoever attached it, so everything hangs on a bpf file system of the forwarder's
own: the program, its maps, and one link for each port. A link takes off no program but its own, and is refused where
there is one already (probe/xdp.c).
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

from latlab.bench.site import link
from latlab.errors import BenchError, CommandError
from latlab.hosts.host import Host
from latlab.hosts.local import forwarder_path

PROGRAM = "latlab_forward"
PATHS = ("redirected", "passed: unknown", "passed: multicast", "passed: runt", "passed: same port",
         "passed: to the hypervisor", "learnt", "moved", "aged")  # fmt: skip
"""What became of a frame, and of the table of stations: `enum path` in the C source, in its order."""

SETTINGS = "<QI6s6x"
"""`struct settings`: how long a station is known, the NIC's index, the hypervisor's own MAC address."""

MODE_NUMBERS = {"native": 1, "generic": 2}
"""XDP_ATTACHED_DRV, XDP_ATTACHED_SKB (include/uapi/linux/if_link.h), as `ip -j link` prints them. Where there are
programs in several modes at once, it prints another number."""


class Forwarder:
    """Names of what is pinned, and how it is used. Two of them with the same host mean the same forwarder."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self.folder = f"/tmp/latlab-{host.facts.id}-bpf"

    def load(self, *, nic: str, own_mac: str, ageing_ns: int) -> None:
        """Verified by the kernel, and pinned with its maps."""
        host, folder = self._host, self.folder
        host.change(["mkdir", "-m", "700", folder], undo=["rm", "-rf", "--one-file-system", folder])
        host.change(["mount", "-t", "bpf", "bpf", folder], undo=["umount", folder])
        # Removed by name too: a mount that somebody else's namespace has copied would outlive ours.
        host.change(
            ["bpftool", "prog", "loadall", str(host.bring(Path(forwarder_path()))), f"{folder}/programs", "type", "xdp",
             "pinmaps", f"{folder}/maps"],
            undo=["rm", "-rf", f"{folder}/programs", f"{folder}/maps"],
        )  # fmt: skip
        mac = bytes.fromhex(own_mac.replace(":", ""))
        self._set("settings", bytes(4), struct.pack(SETTINGS, ageing_ns, self._index(nic), mac))

    def add_port(self, name: str, mode: str) -> None:
        """Attaches the program to an interface, and lets frames be redirected to it. BenchError when it cannot be."""
        host, pin = self._host, f"{self.folder}/link-{name}"
        index = struct.pack("<I", self._index(name))
        self._set("ports", index, index)
        host.defer(["rm", "-f", pin])
        try:
            # Detached first: what is only unpinned is detached some time later.
            host.change(
                [host.probe, "xdp", "--program", f"{self.folder}/programs/{PROGRAM}", "--device", name,
                 "--mode", mode, "--pin", pin],
                undo=["bpftool", "link", "detach", "pinned", pin],
            )  # fmt: skip
        except CommandError as error:
            hint = "" if mode == "generic" else "`mode: generic` works with every driver, and with large frames."
            raise BenchError(
                f"{host.name}: {error.stderr.strip().removeprefix('latlab-probe: ')}", hint=hint
            ) from error

    def counters(self) -> dict[str, dict[str, int]]:
        """Of each way in, `nic` and `tap`: what became of its frames, summed over the CPUs."""
        found = json.loads(self._host.run(["bpftool", "-j", "map", "dump", "pinned", f"{self.folder}/maps/counters"]))
        sums = [sum(entry["value"] for entry in item["formatted"]["values"]) for item in found]
        return {
            "nic": dict(zip(PATHS, sums[: len(PATHS)], strict=True)),
            "tap": dict(zip(PATHS, sums[len(PATHS) :], strict=True)),
        }

    def attached(self, found: dict[str, Any], mode: str) -> bool:
        """Whether the interface, as `link` found it, has this program, in this mode, and no other."""
        program = json.loads(self._host.run(["bpftool", "-j", "prog", "show", "pinned",
                                             f"{self.folder}/programs/{PROGRAM}"]))  # fmt: skip
        there = found.get("xdp", {})
        return bool(there.get("prog", {}).get("id") == program["id"] and there.get("mode") == MODE_NUMBERS[mode])

    def _index(self, name: str) -> int:
        return int(link(self._host, name)["ifindex"])

    def _set(self, name: str, key: bytes, value: bytes) -> None:
        words = [*("key", *map(str, key)), *("value", *map(str, value))]
        self._host.run(["bpftool", "map", "update", "pinned", f"{self.folder}/maps/{name}", *words])


def refuse_used(host: Host, name: str) -> None:
    """BenchError when somebody's XDP program is on the interface."""
    found = link(host, name).get("xdp")
    if found:
        number = found["attached"][0]["prog"]["id"]
        raise BenchError(
            f"{host.name}: {name} has an XDP program already, with the id {number}",
            hint=f"`bpftool prog show id {number}` says which. If nobody needs it: ip link set dev {name} xdp off",
        )
