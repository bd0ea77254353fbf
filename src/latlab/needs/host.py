# SPDX-License-Identifier: Apache-2.0
"""The facts of a host that needs are judged by: its kernel, its programs, its NIC. Read by `look`, in few commands.

Nothing is changed and nothing is tried. What latlab loads by itself when it attaches a guest (modules) counts as there
when the kernel has it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import reduce

from latlab.hosts.look import Node, Run, find_nodes, read_files

FOLDERS = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
GROUPS, DRIVERS = "/sys/kernel/iommu_groups", "/sys/bus/pci/drivers"
BASE_FILES = ("/proc/cmdline", "/proc/self/status", "/proc/self/limits", "/proc/meminfo", "/proc/filesystems",
              "/proc/net/protocols", "/etc/os-release")  # fmt: skip
BASE_OPTIONS = ("CONFIG_NET", "CONFIG_MODULES")
"""The first is in every configuration: without it there is none to be seen."""
NAMED_OTHERWISE = {"8021q": "CONFIG_VLAN_8021Q"}
OWN_CONFIG = "/proc/config.gz"
_CHANNELS = re.compile(r"^(?:Combined|RX):\s+([0-9]{1,9})$", re.MULTILINE)


@dataclass(frozen=True)
class Wanted:
    """What must be looked at for some needs. Modules by the kernel's names, with underscores."""

    files: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    """Names, or absolute paths."""
    modules: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    """Beside those of modules that are not found."""
    linked: tuple[str, ...] = ()
    """Programs whose shared libraries matter."""
    guest_modules: tuple[str, ...] = ()

    def __or__(self, other: Wanted) -> Wanted:
        parts = {f.name: dict.fromkeys([*getattr(self, f.name), *getattr(other, f.name)]) for f in fields(self)}
        return Wanted(**{name: tuple(values) for name, values in parts.items()})


def together(parts: Iterable[Wanted]) -> Wanted:
    return reduce(lambda a, b: a | b, parts, Wanted())


def option_of(module: str) -> str:
    """The kernel option that builds a module."""
    return NAMED_OTHERWISE.get(module, f"CONFIG_{module.upper()}")


@dataclass(frozen=True)
class Nic:
    """The hypervisor's end of the cable."""

    name: str
    driver: str = ""
    pci: str = ""
    """`0000:03:00.0`; "" for one that is no PCI device."""
    group: str = ""
    """Its IOMMU group; "" for none."""
    mates: Mapping[str, str] = field(default_factory=dict)
    """The other devices in that group: address -> driver, or "" for none."""
    total_vfs: int | None = None
    """How many virtual functions it can have; None: it has no SR-IOV."""
    vfs: int = 0
    rx_queues: int = 1
    queues_settable: bool = False


@dataclass(frozen=True)
class HostFacts:
    """One reading of a host."""

    bench: str
    """The kind of bench: what mends a thing depends on it."""
    kernel: str
    machine: str = "x86_64"
    uid: int = 0
    files: Mapping[str, str] = field(default_factory=dict)
    nodes: Mapping[str, Node] = field(default_factory=dict)
    programs: frozenset[str] = frozenset()
    modules: frozenset[str] = frozenset()
    """Of those that were wanted: what the kernel has, loaded, to be loaded, or built in."""
    options: Mapping[str, str] | None = None
    """Of those that were wanted: the ones set (`y`, `m`, or a value). None: its configuration is not to be seen, or
    nothing was wanted of it."""
    linked: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Program -> names of its libraries: `libxdp.so.1`."""
    guest_modules: frozenset[str] = frozenset()
    nic: Nic | None = None

    def text(self, path: str) -> str:
        """A file's first line, "" when it could not be read."""
        return self.files.get(path, "").partition("\n")[0].strip()

    @property
    def distribution(self) -> frozenset[str]:
        """`{"ubuntu", "debian"}`: itself and what it is made of."""
        values = dict(re.findall(r'^(ID|ID_LIKE)="?([\w .-]*)"?$', self.files.get("/etc/os-release", ""), re.MULTILINE))
        return frozenset(" ".join(values.values()).split())


def look(
    run: Run,
    wanted: Wanted,
    *,
    bench: str,
    kernel: str,
    machine: str,
    uid: int,
    nic: str = "",
    config: Sequence[str] = (),
    guest_modules: frozenset[str] = frozenset(),
) -> HostFacts:
    """`config`: where the kernel's configuration may be, beside the usual places."""
    paths = {f"{folder}/{name}": name for name in wanted.programs if "/" not in name for folder in FOLDERS}
    paths |= {name: name for name in wanted.programs if "/" in name}
    loaded = [f"/sys/module/{name}" for name in wanted.modules]
    places = [OWN_CONFIG, f"/boot/config-{kernel}", *config]
    nodes = find_nodes(run, [*wanted.nodes, *paths, *loaded, *places, f"/lib/modules/{kernel}"])
    nodes |= find_nodes(run, [GROUPS, DRIVERS], depth=3)
    own = [f"/sys/class/net/{nic}/device/{name}" for name in ("sriov_totalvfs", "sriov_numvfs")] if nic else []
    files = read_files(run, [*BASE_FILES, *wanted.files, *own]).texts
    modules = _modules(run, wanted.modules, kernel) | {n for n in wanted.modules if f"/sys/module/{n}" in nodes}
    options = [*wanted.options, *(option_of(name) for name in wanted.modules if name not in modules)]
    programs = {name for path, name in paths.items() if nodes.get(path, Node("N")).kind == "f"}
    programs |= _elsewhere(run, [name for name in wanted.programs if name not in programs])
    return HostFacts(
        bench, kernel, machine, uid, files, nodes,
        programs=frozenset(programs),
        modules=frozenset(modules),
        options=_options(run, options, [p for p in places if p in nodes and nodes[p].readable]),
        linked={name: _libraries(run, name) for name in wanted.linked if name in programs},
        guest_modules=guest_modules,
        nic=_nic(run, nic, files, nodes) if nic else None,
    )  # fmt: skip


def _elsewhere(run: Run, names: Sequence[str]) -> set[str]:
    """Those on the host's own PATH, in other folders than the usual ones."""
    found = run(["which", *names]).stdout.splitlines() if names else []
    return {path.rpartition("/")[2] for path in found} & set(names)


def _modules(run: Run, names: Sequence[str], kernel: str) -> set[str]:
    """Those that the kernel can load, or has built in."""
    if not names:
        return set()
    pattern = "|".join(re.escape(name).replace("_", "[-_]") for name in names)
    lists = [f"/lib/modules/{kernel}/modules.{kind}" for kind in ("dep", "builtin")]
    done = run(["grep", "-ohsE", rf"^[^:]*/({pattern})\.ko", *lists])
    return {line.rpartition("/")[2].partition(".ko")[0].replace("-", "_") for line in done.stdout.splitlines()}


def _options(run: Run, names: Sequence[str], places: Sequence[str]) -> dict[str, str] | None:
    """The kernel's own copy is believed before a file beside it."""
    pattern = "|".join(re.escape(name) for name in dict.fromkeys([*BASE_OPTIONS, *names]))
    for place in places if names else ():
        # zgrep is a script of several processes: a second in an emulated host, where the file is not compressed.
        program = "zgrep" if place == OWN_CONFIG else "grep"
        done = run([program, "-hsE", f"^({pattern})=", place])
        found = dict(re.findall(r"^(CONFIG_\w+)=(.*)$", done.stdout, re.MULTILINE))
        if "CONFIG_NET" in found:
            return found
    return None


def _libraries(run: Run, program: str) -> frozenset[str]:
    path = program
    if "/" not in program:
        path = next(iter(run(["which", program]).stdout.split()), program)
    return frozenset(re.findall(r"^\s*(\S+) =>", run(["ldd", path]).stdout, re.MULTILINE))


def _nic(run: Run, name: str, files: Mapping[str, str], nodes: Mapping[str, Node]) -> Nic:
    here = f"/sys/class/net/{name}"
    own = find_nodes(run, [f"{here}/", f"{here}/device/", f"{here}/queues/"], depth=1)
    driver = re.search(r"^driver: (\S+)", run(["ethtool", "-i", name]).stdout, re.MULTILINE)
    channels = run(["ethtool", "-l", name])
    in_pci = _last(own, f"{here}/device/subsystem") == "pci"
    address = _last(own, f"{here}/device") if in_pci else ""
    group = _last(own, f"{here}/device/iommu_group") if in_pci else ""
    return Nic(
        name,
        driver=driver[1] if driver else "",
        pci=address,
        group=group,
        mates=_mates(nodes, group, address) if group else {},
        total_vfs=_number(files.get(f"{here}/device/sriov_totalvfs")),
        vfs=_number(files.get(f"{here}/device/sriov_numvfs")) or 0,
        rx_queues=sum(1 for path in own if path.startswith(f"{here}/queues/rx-")) or 1,
        queues_settable=channels.exit_code == 0 and any(int(n) > 1 for n in _CHANNELS.findall(channels.stdout)),
    )


def _mates(nodes: Mapping[str, Node], group: str, address: str) -> dict[str, str]:
    drivers = {path.rpartition("/")[2]: path.split("/")[-2] for path in nodes if path.startswith(f"{DRIVERS}/")}
    folder = f"{GROUPS}/{group}/devices/"
    others = (path.removeprefix(folder) for path in nodes if path.startswith(folder))
    return {other: drivers.get(other, "") for other in sorted(others) if other != address}


def _last(nodes: Mapping[str, Node], path: str) -> str:
    """The last part of where a link leads."""
    return nodes[path].link.rpartition("/")[2] if path in nodes else ""


def _number(text: str | None) -> int | None:
    text = (text or "").strip()
    return int(text) if re.fullmatch("[0-9]{1,18}", text) else None
