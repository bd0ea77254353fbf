# SPDX-License-Identifier: Apache-2.0
"""Who else keeps time on a host: other PTP daemons on a NIC, and programs that steer the system's clock.

Two ptp4l on one port take each other's messages and transmit stamps, so one that runs, ours or not, is found first: by
the kernel's list of processes, the network namespace of each, and the interfaces of its command line and configuration.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from latlab.hosts.look import Run, find_nodes, read_files

PTP_DAEMONS = ("ptp4l", "ptpd", "ptpd2")
STEERING = ("chronyd", "ntpd", "openntpd", "systemd-timesyn", "ptpd", "ptpd2", "phc2sys")
"""As /proc/PID/comm has them, 15 characters long."""
EVENT_PORT = 319
"""UDP port of PTP's event messages (IEEE 1588-2019, annex C)."""


@dataclass(frozen=True)
class Daemon:
    pid: int
    program: str
    argv: tuple[str, ...]
    here: bool
    """It is in the network namespace that was asked about."""
    interfaces: frozenset[str] | None
    """Those that it uses; None: it does not say, so it may be any."""

    def uses(self, nic: str) -> bool:
        return self.here and (self.interfaces is None or nic in self.interfaces)

    @property
    def steers(self) -> bool:
        # chronyd -x and -Q leave the clock alone.
        return self.program in STEERING and not {"-x", "-Q"} & set(self.argv)


def parse_comms(text: str) -> dict[int, str]:
    """`/proc/12/comm:ptp4l`, line by line: programs by their process. Pure."""
    found = (re.fullmatch(r"/proc/([0-9]+)/comm:(.+)", line) for line in text.splitlines())
    return {int(match[1]): match[2] for match in found if match}


def config_files(argv: Sequence[str]) -> list[str]:
    """The configuration files that a command line names. Pure."""
    return _values(argv, "-f")


def interfaces(argv: Sequence[str], texts: Sequence[str | None]) -> frozenset[str] | None:
    """Those of a ptp4l's command line and of its configurations; None when one of these could not be read. Pure."""
    if any(text is None for text in texts):
        return None
    sections = [match for text in texts for match in re.findall(r"^\s*\[([^\]\s]+)\]", text or "", re.MULTILINE)]
    own = ("global", "unicast_master_table", "security_association")
    return frozenset([*_values(argv, "-i"), *(name for name in sections if name not in own)])


def _values(argv: Sequence[str], option: str) -> list[str]:
    """`-i eth0` and `-ieth0` alike."""
    found = [after for before, after in pairwise(argv) if before == option]
    return found + [word[2:] for word in argv[1:] if word.startswith(option) and len(word) > 2]


def find_daemons(run: Run) -> list[Daemon]:
    """All of them that this host's kernel shows us. Four commands at most; HostError when the host is lost."""
    words = "|".join(dict.fromkeys((*PTP_DAEMONS, *STEERING)))
    listed = run(["find", "/proc", "-maxdepth", "2", "-path", "/proc/[0-9]*/comm",
                  "-exec", "grep", "-sHxE", words, "{}", "+"])  # fmt: skip
    comms = parse_comms(listed.stdout)
    if not comms:
        return []
    own = "/proc/self/ns/net"
    spaces = find_nodes(run, [own, *(f"/proc/{pid}/ns/net" for pid in comms)])
    lines = read_files(run, [f"/proc/{pid}/cmdline" for pid in comms]).texts
    argvs = {pid: tuple(lines.get(f"/proc/{pid}/cmdline", "").rstrip("\0").split("\0")) for pid in comms}
    # Seen from that process, in case it has another root.
    named = {pid: [f"/proc/{pid}/root{file}" for file in config_files(argv)] for pid, argv in argvs.items()}
    texts = read_files(run, [file for files in named.values() for file in files]).texts
    found = []
    for pid, program in comms.items():
        mine, its = spaces.get(own), spaces.get(f"/proc/{pid}/ns/net")
        here = mine is None or its is None or mine.link == its.link
        used = interfaces(argvs[pid], [texts.get(file) for file in named[pid]]) if program == "ptp4l" else None
        found.append(Daemon(pid, program, argvs[pid], here, used))
    return found


def already_on(daemons: Sequence[Daemon], nic: str, host: str) -> str | None:
    """Which PTP daemon uses a NIC of `host`; None: none does. Pure."""
    for daemon in daemons:
        if daemon.program in PTP_DAEMONS and daemon.uses(nic):
            perhaps = "" if daemon.interfaces is not None else ", perhaps"
            return (
                f"{daemon.program} already runs on {nic} of {host}{perhaps} (process {daemon.pid}): end it, or give "
                "the bench another NIC; two on one port disturb each other"
            )
    return None


def steered_by(daemons: Sequence[Daemon], host: str) -> str | None:
    """Which program steers the clock of `host`; None: none does. Pure."""
    for daemon in daemons:
        if daemon.steers:
            return (
                f"{daemon.program} (process {daemon.pid}) steers the clock of {host}, which is to follow the PTP "
                "master: stop it for the measurement, or choose the other end as the master"
            )
    return None


def taken_port(proc_net_udp: Mapping[str, str]) -> bool:
    """Whether a socket has PTP's event port, in texts of the form of /proc/net/udp. Pure."""
    end = f":{EVENT_PORT:04X}"
    lines = [line.split() for text in proc_net_udp.values() for line in text.splitlines()]
    return any(len(fields) > 3 and fields[1].endswith(end) for fields in lines)
