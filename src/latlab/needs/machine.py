# SPDX-License-Identifier: Apache-2.0
"""Needs of the machine: programs, root, memory."""

from __future__ import annotations

import re
from dataclasses import dataclass

from latlab.needs import Missing, Need, install
from latlab.needs.host import HostFacts, Wanted

CAP_IPC_LOCK = 14
"""Its bit in /proc/PID/status (linux/capability.h): memory is locked without a limit."""


@dataclass(frozen=True)
class Program(Need):
    """`name` on the PATH, or as an absolute path; `package` is Debian's; `service`: what the package would start."""

    name: str
    package: str
    service: str = ""

    @property
    def wanted(self) -> Wanted:
        return Wanted(programs=(self.name,))

    def missing(self, facts: HostFacts) -> Missing | None:
        if self.name in facts.programs:
            return None
        short = self.name.rpartition("/")[2]
        return Missing(f"program {short}", "not installed", install(facts, self.package, self.service))


@dataclass(frozen=True)
class Linked(Need):
    """A program that was built with a library: OVS can do AF_XDP only with libxdp. Judged when it is dynamic."""

    program: str
    library: str
    what: str
    package: str

    @property
    def wanted(self) -> Wanted:
        return Wanted(programs=(self.program,), linked=(self.program,))

    def missing(self, facts: HostFacts) -> Missing | None:
        libraries = facts.linked.get(self.program, frozenset())
        if not libraries or any(name.startswith(f"{self.library}.") for name in libraries):
            return None
        return Missing(self.what, f"{self.program} here was built without {self.library}", install(facts, self.package))


@dataclass(frozen=True)
class Privilege(Need):
    """Root on the hypervisor. Inside an emulated host everybody is root."""

    def missing(self, facts: HostFacts) -> Missing | None:
        if facts.uid == 0 or facts.bench == "emulated":
            return None
        return Missing("root", "it changes this machine's network", f"sudo latlab run SCENARIO --bench {facts.bench}")


@dataclass(frozen=True)
class Memlock(Need):
    """The guest's whole memory is pinned for a device that reads it by itself. Root needs no limit for that, unless a
    container took the capability away."""

    mib: int = 320

    def missing(self, facts: HostFacts) -> Missing | None:
        text = facts.files.get("/proc/self/limits", "")
        limit = re.search(r"^Max locked memory +([0-9]{1,19}|unlimited)", text, re.MULTILINE)
        if facts.uid != 0 or limit is None or limit[1] == "unlimited" or _may_lock(facts):
            return None  # the limit of a user says nothing about root's
        mib = int(limit[1]) >> 20
        if mib >= self.mib:
            return None
        why = f"at most {mib} MiB of memory may be locked here, and the guest's {self.mib} MiB must be"
        return Missing("locked memory", why, "ulimit -l unlimited")


def _may_lock(facts: HostFacts) -> bool:
    found = re.search(r"^CapEff:\s*([0-9a-f]{1,16})$", facts.files.get("/proc/self/status", ""), re.MULTILINE)
    return bool(found and int(found[1], 16) >> CAP_IPC_LOCK & 1)


@dataclass(frozen=True)
class Hugepages(Need):
    """Huge pages that are free, or memory of which latlab can make them."""

    mib: int

    def missing(self, facts: HostFacts) -> Missing | None:
        if "hugetlbfs" not in facts.files.get("/proc/filesystems", "hugetlbfs").split():
            from latlab.needs.kernel import without

            return without(facts, "huge pages", "CONFIG_HUGETLBFS")
        memory = facts.files.get("/proc/meminfo", "")
        values = {k: int(v) for k, v in re.findall(r"^(\w+):\s+([0-9]{1,15})\b", memory, re.MULTILINE)}
        if not values.get("Hugepagesize"):
            return None  # not to be seen
        free_mib = (values.get("HugePages_Free", 0) * values["Hugepagesize"]) >> 10
        if free_mib >= self.mib or values.get("MemFree", 0) >> 10 >= 2 * self.mib:
            return None
        pages = -(-self.mib * 1024 // values["Hugepagesize"])
        return Missing(
            "huge pages", f"{free_mib} MiB of them are free, and {self.mib} MiB are needed",
            f"sudo sysctl vm.nr_hugepages={pages}",
        )  # fmt: skip
