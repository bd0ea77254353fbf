# SPDX-License-Identifier: Apache-2.0
"""Which latlab this is, and which programs measured with it, for a run's record."""

from __future__ import annotations

import platform
import re
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from latlab.hosts.host import Host

_SAID = {
    "qemu": re.compile(r"QEMU emulator version ([\w.+-]+)"),
    "iperf3": re.compile(r"^iperf ([\w.+-]+)", re.MULTILINE),
    "netperf": re.compile(r"Netperf version ([\w.+-]+)"),
    "ping": re.compile(r"iputils[ -]([\w.+-]+)"),
    "ip": re.compile(r"iproute2-([\w.+-]+)"),
}


def latlab_version() -> str:
    try:
        return version("latlab")
    except PackageNotFoundError:
        return "source tree, not installed"


def versions() -> dict[str, str]:
    return {"latlab": latlab_version(), "python": platform.python_version()}


def program_versions(host: Host) -> dict[str, str]:
    """The versions of the programs that a run may use on `host`; a program that is not there, or does not say, is left
    out. Five commands. HostError when the host is lost."""
    commands = {
        "qemu": (f"qemu-system-{host.facts.machine}", "--version"),
        "iperf3": ("iperf3", "--version"),
        "netperf": ("netperf", "-V"),
        "ping": ("ping", "-V"),
        "ip": ("ip", "-V"),
    }
    found = {}
    for name, argv in commands.items():
        # By a shell, for which a program that is missing is an exit code like any other.
        result = host.run_plain(["sh", "-c", 'exec "$@"', "sh", *argv])
        if result.exit_code == 0 and (number := parse_version(name, result.stdout)):
            found[name] = number
    return found


def parse_version(program: str, text: str) -> str | None:
    """ "6.1.0" of "ip utility, iproute2-6.1.0, libbpf 1.1.2"; None when it is not there. Pure."""
    match = _SAID[program].search(text)
    return match[1] if match else None
