# SPDX-License-Identifier: Apache-2.0
"""Machines made up for tests: what they have is written down, not looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from latlab.attachment import needs
from latlab.doctor.benches import everything_wanted
from latlab.hosts.host import Result
from latlab.hosts.look import NOT_THERE, Node, OnlyLooking
from latlab.needs import Need, wanted
from latlab.needs.host import GROUPS, HostFacts, Nic
from latlab.needs.nic import TABLES

KERNEL = "6.12.1-test"
DEBIAN = 'PRETTY_NAME="Debian"\nID=debian\n'
IGB = Nic("eth1", "igb", pci="0000:03:00.0", group="7", total_vfs=7, rx_queues=4, queues_settable=True)


def attachments_needs() -> dict[str, tuple[Need, ...]]:
    """The tuples of `attachment.needs`, by name: of the attachments of this version, and of those that are planned."""
    found = {name: value for name, value in vars(needs).items() if name.isupper() and isinstance(value, tuple)}
    return {name: value for name, value in found.items() if all(isinstance(need, Need) for need in value)}


EVERYTHING = everything_wanted() | wanted(need for value in attachments_needs().values() for need in value)
"""What must be looked at for all of them."""

ABLE = HostFacts(
    "local",
    KERNEL,
    uid=0,
    files={
        "/etc/os-release": DEBIAN,
        "/proc/cmdline": "quiet intel_iommu=on",
        "/proc/net/protocols": "protocol  size\nXDP  1088  0\nUDP  1472  3\n",
        "/proc/filesystems": "nodev\thugetlbfs\n\text4\n",
        "/proc/meminfo": "MemFree:  8000000 kB\nHugePages_Free:  0\nHugepagesize:  2048 kB\n",
        "/proc/self/limits": "Max locked memory         65536                65536                bytes\n",
        "/proc/self/status": "Name:\tfind\nCapEff:\t000001ffffffffff\n",
    },
    nodes={
        "/dev/net/tun": Node("c"),
        "/dev/vhost-net": Node("c"),
        f"{GROUPS}/7": Node("d"),
        TABLES: Node("d"),
        f"{TABLES}/DMAR": Node("f"),
        f"/lib/modules/{KERNEL}": Node("d"),
    },
    programs=frozenset(EVERYTHING.programs),
    modules=frozenset(EVERYTHING.modules),
    options={"CONFIG_NET": "y", "CONFIG_MODULES": "y", "CONFIG_BPF_SYSCALL": "y", "CONFIG_XDP_SOCKETS": "y",
             "CONFIG_INTEL_IOMMU": "y", "CONFIG_PCI_IOV": "y"},
    linked={"ovs-vswitchd": frozenset(("libc.so.6", "libxdp.so.1"))},
    guest_modules=frozenset(("igb", "igbvf")),
    nic=IGB,
)  # fmt: skip
"""Everything is there, for every attachment."""


def without_files(facts: HostFacts, **texts: str) -> HostFacts:
    """With other texts in /proc/..., named by their last part: `cmdline="quiet"`."""
    paths = {path.rpartition("/")[2].replace("-", "_"): path for path in facts.files}
    return replace(facts, files={**facts.files, **{paths[name]: text for name, text in texts.items()}})


def without_nodes(facts: HostFacts, *paths: str) -> HostFacts:
    return replace(facts, nodes={path: node for path, node in facts.nodes.items() if path not in paths})


class Told(OnlyLooking):
    """A machine whose `grep`, `find` and others answer from tables; what is in none of them is not there."""

    def __init__(
        self,
        files: Mapping[str, str] | None = None,
        nodes: Mapping[str, Node] | None = None,
        said: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__("hypervisor")
        self._files, self._nodes, self._said = files or {}, nodes or {}, said or {}
        self.asked: list[list[str]] = []

    def run_plain(self, argv: Sequence[str], *, feed: bytes | None = None, timeout_s: float = 60) -> Result:  # noqa: ARG002
        self.asked.append(list(argv))
        line = " ".join(argv)
        if line in self._said:
            return Result(0, self._said[line], "")
        if argv[0] == "grep" and argv[1] == "-aHZ":
            found = [(path, self._files[path]) for path in argv[3:] if path in self._files]
            return Result(0, "".join(f"{p}\0{line}\n" for p, text in found for line in text.splitlines()), "")
        if argv[0] == "find" and "-printf" in argv:
            return Result(0, "".join(map(self._printed, self._below(argv))), "")
        if argv[0] == "find":
            return Result(0, "".join(f"{path}\n" for path in self._files), "")
        return Result(NOT_THERE, "", "not there")

    def _below(self, argv: Sequence[str]) -> list[str]:
        end = argv.index("-maxdepth")
        depth = int(argv[end + 1])
        found = []
        for start in argv[1:end]:
            folder = start.rstrip("/")
            for path in self._nodes:
                deeper = path.removeprefix(folder).count("/") if path.startswith(f"{folder}/") else 0
                if path == start or 0 < deeper <= depth:
                    found.append(path)
        return found

    def _printed(self, path: str) -> str:
        node = self._nodes[path]
        return f"{'r' if node.readable else '-'}\t{node.kind}\t{path}\t{node.link}\n"
