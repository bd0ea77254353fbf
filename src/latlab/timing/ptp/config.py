# SPDX-License-Identifier: Apache-2.0
"""ptp4l's configuration for each role, and the command lines of linuxptp's programs. Pure.

The automotive profile is linuxptp's own configs/automotive-master.cfg and automotive-slave.cfg; the default one is
linuxptp's default.cfg over Ethernet, with eight synchronisations a second where the NICs stamp. Names differ between
versions: before 4.0 clientOnly was slaveOnly, serverOnly was masterOnly, and there was no read-only socket (config.c
of v3.1.1 and v4.0).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from latlab.scenario.ptp import Ptp, Switch

Role = Literal["master", "slave"]
Stamps = Literal["hardware", "software"]
Version = tuple[int, int]

OLDEST: Version = (3, 0)
"""The first with BMCA noop, inhibit_announce and ignore_source_id (config.c of v2.0 and v3.0)."""
RENAMED: Version = (4, 0)
LOG_EVERY_SYNC = -7
"""summary_interval at which every synchronisation is a line of its own, up to 128 a second."""
PHC2SYS_RATE_HZ = 8

AUTOMOTIVE: Mapping[str, str] = {
    "gmCapable": "1",
    "priority1": "248",
    "priority2": "248",
    "syncReceiptTimeout": "3",
    "neighborPropDelayThresh": "800",
    "min_neighbor_prop_delay": "-20000000",
    "assume_two_step": "1",
    "path_trace_enabled": "1",
    "follow_up_info": "1",
    "transportSpecific": "0x1",
    "ptp_dst_mac": "01:80:C2:00:00:0E",
    "BMCA": "noop",
    "inhibit_announce": "1",
    "asCapable": "true",
}
AUTOMOTIVE_MASTER: Mapping[str, str] = {"inhibit_delay_req": "1"}
AUTOMOTIVE_SLAVE: Mapping[str, str] = {
    "ignore_source_id": "1",
    "step_threshold": "1",
    "operLogSyncInterval": "0",
    "operLogPdelayReqInterval": "2",
    "msg_interval_request": "1",
    "servo_offset_threshold": "30",
    "servo_num_offset_values": "10",
}
MASTER_PRIORITY = "100"
"""priority1 of the default profile's master: better than the 128 that every other clock has."""


@dataclass(frozen=True)
class Place:
    """Where one ptp4l works: a NIC, and a folder of its own for its files and sockets."""

    nic: str
    folder: str

    @property
    def config(self) -> str:
        return f"{self.folder}/ptp4l.conf"

    @property
    def socket(self) -> str:
        return f"{self.folder}/ptp4l"

    @property
    def read_only_socket(self) -> str:
        return f"{self.folder}/ptp4lro"

    @property
    def pmc_socket(self) -> str:
        return f"{self.folder}/pmc"


def parse_version(text: str) -> Version | None:
    """Of what `ptp4l -v` prints: `3.1.1`, `4.2`, `v4.4-3-gabcdef`. None when it is no version. Pure."""
    match = re.match(r"\s*v?([0-9]{1,4})\.([0-9]{1,4})", text)
    return (int(match[1]), int(match[2])) if match else None


def settings(options: Ptp, role: Role, version: Version, stamps: Stamps, place: Place, *,
             free_running: bool = False) -> dict[str, str]:  # fmt: skip
    """Every option of ptp4l.conf that is not left to linuxptp's default, in its order."""
    automotive = options.profile == "automotive"
    client_only, server_only = ("clientOnly", "serverOnly") if version >= RENAMED else ("slaveOnly", "masterOnly")
    found: dict[str, str] = dict(AUTOMOTIVE) if automotive else {}
    if automotive:
        found |= AUTOMOTIVE_MASTER if role == "master" else AUTOMOTIVE_SLAVE
        if stamps == "software":
            del found["neighborPropDelayThresh"]  # 800 ns is a wire's; software stamps see the stack too
    elif role == "master":
        found["priority1"] = MASTER_PRIORITY
    found |= {
        "network_transport": "L2" if options.transport == "profile" else options.transport,
        "delay_mechanism": _or(options.delay_mechanism, "P2P" if automotive else "E2E"),
        "time_stamping": stamps,
        "domainNumber": str(options.domain),
        "socket_priority": str(options.socket_priority),
        "fault_reset_interval": str(options.fault_reset_interval),
        "tx_timestamp_timeout": str((options.tx_timestamp_timeout_ns or 10_000_000) // 1_000_000),
    }
    found |= _intervals(options, role, stamps)
    if options.bmca != "profile":
        found["BMCA"] = options.bmca
    for name, switch in (
        ("inhibit_announce", options.inhibit_announce),
        ("ignore_source_id", options.ignore_source_id),
        ("follow_up_info", options.follow_up_info),
    ):
        if switch != "profile":
            found[name] = _bit(switch)
    if role == "slave":
        found[client_only] = _bit(options.client_only) if options.client_only != "profile" else "1"
    elif found.get("BMCA") == "noop":
        found[server_only] = "1"
    if options.step_threshold_ns is not None:
        found["step_threshold"] = seconds(options.step_threshold_ns)
    if free_running:
        found["free_running"] = "1"
        # A free clock's offset is logged at every estimate of its frequency. Below 0 only from 4.0 on.
        sync = int(found["logSyncInterval"])
        found["freq_est_interval"] = str(sync if version >= RENAMED else max(0, sync))
    found |= options.extras
    found |= {
        "summary_interval": str(LOG_EVERY_SYNC),
        "logging_level": "6",
        "use_syslog": "0",
        "verbose": "1",
        "uds_address": place.socket,
    }
    if version >= RENAMED:
        found["uds_ro_address"] = place.read_only_socket
    return found


def _intervals(options: Ptp, role: Role, stamps: Stamps) -> dict[str, str]:
    automotive = options.profile == "automotive"
    # With software stamps linuxptp's own: at 8 a second its servo takes 40 s to begin, and its check of the clock's
    # rate (clockcheck.c) takes a message that waited 25 ms for a CPU for a clock that jumped.
    usual = -3 if stamps == "hardware" else 0
    sync = (-3 if automotive else usual) if options.log_sync_interval is None else options.log_sync_interval
    delay = (0 if automotive else usual) if options.log_delay_interval is None else options.log_delay_interval
    found = {
        "logSyncInterval": str(sync),
        "logAnnounceInterval": str(options.log_announce_interval or 0),
        "logMinDelayReqInterval": str(delay),
        "logMinPdelayReqInterval": str(delay),
    }
    if automotive and role == "slave":
        # What it asks the master for once it is locked: else the profile's own would undo what was asked for here.
        found |= {"operLogSyncInterval": str(sync)} if options.log_sync_interval is not None else {}
        found |= {"operLogPdelayReqInterval": str(delay)} if options.log_delay_interval is not None else {}
    return found


def _or(value: str, profile: str) -> str:
    return profile if value == "profile" else value


def _bit(switch: Switch) -> str:
    return "1" if switch == "on" else "0"


def seconds(duration_ns: int) -> str:
    """`1500000000` is "1.5": exact."""
    whole, rest = divmod(duration_ns, 10**9)
    return f"{whole}.{rest:09d}".rstrip("0").rstrip(".")


def render(values: Mapping[str, str]) -> str:
    """The text of ptp4l.conf."""
    return "[global]\n" + "".join(f"{name} {value}\n" for name, value in values.items())


def scheduled(options: Ptp, argv: list[str]) -> list[str]:
    """A daemon under the scenario's scheduling."""
    words = ["chrt", "-f", str(options.fifo)] if options.fifo is not None else []
    return [*words, *(["taskset", "-c", str(options.cpu)] if options.cpu is not None else []), *argv]


def ptp4l_argv(options: Ptp, place: Place) -> list[str]:
    return scheduled(options, ["ptp4l", "-f", place.config, "-i", place.nic])


def pmc_argv(values: Mapping[str, str], place: Place) -> list[str]:
    """`values`: ptp4l's settings, whose domain and transportSpecific a request must carry to be answered."""
    specific = f"{int(values.get('transportSpecific', '0'), 0):x}"
    return ["pmc", "-u", "-b", "0", "-d", values["domainNumber"], "-t", specific,
            "-s", place.socket, "-i", place.pmc_socket]  # fmt: skip


def phc2sys_argv(options: Ptp, role: Role, values: Mapping[str, str], place: Place) -> list[str]:
    """The system's clock follows the slave's NIC; the master's NIC follows the system's clock."""
    source, sink = (place.nic, "CLOCK_REALTIME") if role == "slave" else ("CLOCK_REALTIME", place.nic)
    argv = ["phc2sys", "-s", source, "-c", sink,
            "-w",  # not before ptp4l is in its role; and by its UTC offset, since a NIC counts TAI
            "-R", str(PHC2SYS_RATE_HZ), "-m", "-q", "-z", place.socket, "-n", values["domainNumber"],
            f"--transportSpecific={int(values.get('transportSpecific', '0'), 0)}"]  # fmt: skip
    if values.get("step_threshold"):
        argv += ["-S", values["step_threshold"]]
    return scheduled(options, argv)
