# SPDX-License-Identifier: Apache-2.0
"""Needs of the kernel: modules, options, the devices that they bring."""

from __future__ import annotations

from dataclasses import dataclass

from latlab.needs import EMULATED, Missing, Need
from latlab.needs.host import HostFacts, Wanted, option_of

PROTOCOLS, XDP_PROTOCOL = "/proc/net/protocols", "XDP"


def kernel_command(facts: HostFacts, *, as_module: bool = False) -> str:
    """Where a kernel that has more is to be had."""
    if facts.bench == "emulated":
        return "scripts/setup kernel"
    if "ubuntu" in facts.distribution and (as_module or "generic" in facts.kernel):
        return f"sudo apt install linux-modules-extra-{facts.kernel}"
    if "debian" in facts.distribution and "cloud" in facts.kernel:
        architecture = {"x86_64": "amd64", "aarch64": "arm64"}.get(facts.machine, facts.machine)
        return f"sudo apt install linux-image-{architecture} && sudo reboot"
    return EMULATED


def without(facts: HostFacts, what: str, option: str) -> Missing:
    """The kernel cannot do it: built without the option, or built with it as a module that is not here."""
    set_to = (facts.options or {}).get(option)
    if set_to == "m" and f"/lib/modules/{facts.kernel}" not in facts.nodes:
        why = f"kernel {facts.kernel} has it as a module, and /lib/modules/{facts.kernel} is not there"
    elif set_to == "m":
        why = f"kernel {facts.kernel} has it as a module, which is not installed"
    elif facts.options is None:
        why = f"kernel {facts.kernel} does not have it"
    else:
        why = f"kernel {facts.kernel} was built without {option}"
    return Missing(what, why, kernel_command(facts, as_module=set_to == "m"))


@dataclass(frozen=True)
class Module(Need):
    """A part of the kernel, built in or as a module; latlab loads modules itself."""

    name: str

    @property
    def wanted(self) -> Wanted:
        return Wanted(modules=(self.name,))

    def missing(self, facts: HostFacts) -> Missing | None:
        if self.name in facts.modules or (facts.options or {}).get(option_of(self.name)) == "y":
            return None
        return without(facts, f"module {self.name}", option_of(self.name))


@dataclass(frozen=True)
class Device(Need):
    """A device node, which is there, or comes with a module."""

    path: str
    module: str

    @property
    def wanted(self) -> Wanted:
        return Wanted(nodes=(self.path,)) | Module(self.module).wanted

    def missing(self, facts: HostFacts) -> Missing | None:
        # Built in, it is there, unless a container was not given it.
        loadable = self.module in facts.modules and (facts.options or {}).get(option_of(self.module)) != "y"
        if self.path in facts.nodes or loadable:
            return None
        absent = Module(self.module).missing(facts)
        if absent:
            return Missing(self.path, absent.why, absent.command)
        return Missing(self.path, "the kernel has it, and this place was given no such device (a container?)", EMULATED)


@dataclass(frozen=True)
class KernelOption(Need):
    """An option of the kernel's configuration. `protocol`: a line in /proc/net/protocols shows it too."""

    option: str
    what: str
    protocol: str = ""

    @property
    def wanted(self) -> Wanted:
        return Wanted(options=(self.option,))

    def missing(self, facts: HostFacts) -> Missing | None:
        if (facts.options or {}).get(self.option) in ("y", "m") or self._shown(facts):
            return None
        if facts.options is None and not (self.protocol and PROTOCOLS in facts.files):
            return None  # not to be seen: then the attempt tells
        return without(facts, self.what, self.option)

    def _shown(self, facts: HostFacts) -> bool:
        lines = facts.files.get(PROTOCOLS, "").splitlines()
        return bool(self.protocol) and any(line.split()[:1] == [self.protocol] for line in lines)
