# SPDX-License-Identifier: Apache-2.0
"""Open vSwitch of our own: a database, a switch daemon and one bridge, which know nothing of the machine's own OVS.

Everything of it is in one folder (database, sockets, logs), and its two daemons are our children, so they die with us.
What the kernel would keep after them is made by our own commands before they start (the kernel's datapath, the tap
devices of the userspace one), so that each is undone by its own command too, whoever is left to run it: the daemons are
told nothing of cleaning up. They are started last, so they are stopped first.

Three attachments use it (`ovs`, `ovs_afxdp`, `ovs_dpdk`). Checked with OVS 3.1 (Debian 12).
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass

from latlab.attachment.common import load_module
from latlab.attachment.tap_bridge import make_tap
from latlab.errors import BenchError
from latlab.hosts.host import Host, Process

BRIDGE = "llbr0"
PROGRAM = "ovs-vswitchd"
SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
KERNEL, USERSPACE = "system@ovs-system", "netdev@ovs-netdev"
"""The datapaths' names. OVS has one datapath of each type, and no way to give it another name."""

INSTALL = "Debian and Ubuntu: apt install --no-install-recommends openvswitch-switch"
TOOLS = ("ovsdb-tool", "ovsdb-server", "ovs-vsctl", "ovs-appctl", "ovs-dpctl", "start-stop-daemon")
CONFIGURE_LIMIT_S = 45
"""A DPDK port takes seconds to come up on an emulated machine."""
START_LIMIT_S = 20
COMM_LENGTH = 15
"""Of a process's name in the kernel."""
ENOUGH_CPUS, FEW_CPUS_SLEEP_US = 4, 100
"""With fewer, a thread that never sleeps takes a large part of what the guest, QEMU and the other end need too."""
NOISE = ("|coverage|", "|poll_loop|", "failed to enumerate system datapaths")
"""Its own statistics; and that there is no kernel module, each time that it is asked for a userspace datapath."""
LAST_LINES = 5


@dataclass(frozen=True)
class Switch:
    """Our OVS on a host, also when it is not running (any more)."""

    host: Host

    @property
    def folder(self) -> str:
        return f"/tmp/latlab-{self.host.facts.id}-ovs"

    @property
    def control(self) -> str:
        return f"{self.folder}/vswitchd.ctl"

    def vsctl(self, *words: str) -> list[str]:
        """A command that changes or reads the database, and waits until the daemon has acted on it."""
        return ["ovs-vsctl", f"--db=unix:{self.folder}/db.sock", f"--timeout={CONFIGURE_LIMIT_S}", *words]

    def appctl(self, *words: str) -> str:
        """What the running daemon answers. CommandError when it does not."""
        return self.host.run(["ovs-appctl", "--timeout=10", f"--target={self.control}", *words])

    def get(self, table: str, record: str, column: str) -> str:
        return self.host.run(self.vsctl("--no-wait", "get", table, record, column)).strip().strip('"')

    @property
    def running(self) -> bool:
        words = ["ovs-appctl", "--timeout=10", f"--target={self.control}", "version"]
        return self.host.run_plain(words).exit_code == 0

    def log(self) -> list[str]:
        """The lines of the daemon's log, without what is no news."""
        text = self.host.run_plain(["cat", f"{self.folder}/vswitchd.log"]).stdout
        return [line for line in text.splitlines() if not any(noise in line for noise in NOISE)]

    def last_words(self) -> str:
        return "\n".join(self.log()[-LAST_LINES:])

    def complaint(self, error: str, about: str = "") -> str:
        """An error of `ovs-vsctl`, and the last warning or error in the daemon's log, best one that names `about`."""
        lines = [line for line in self.log() if re.search(r"\|(WARN|ERR|EMER)\|", line) and "|timeval|" not in line]
        lines = [line for line in lines if about in line] or lines
        return f"{error}: {lines[-1].split('|', 4)[-1]}" if lines else error


@dataclass(frozen=True)
class Port:
    """A port of the bridge: its name, and the columns of its Interface record beside the name."""

    name: str
    settings: tuple[str, ...] = ()
    tag: int | None = None
    """Its VLAN, as an access port: the bridge adds and removes the tag."""


def refuse_missing(host: Host, program: str = PROGRAM, install: str = INSTALL) -> None:
    """BenchError when OVS is not installed."""
    for name in (*TOOLS, program):
        if not host.has(name):
            raise BenchError(f"{host.name}: {name} is not installed, which Open vSwitch needs", hint=install)


def refuse_second_datapath(host: Host, datapath: str) -> None:
    """BenchError when the machine's own OVS has the datapath: there is one of each type, and each daemon that opens it
    removes the ports that it does not know.
    """
    kind, _, name = datapath.partition("@")
    if kind == "system":
        taken = datapath in host.run_plain(["ovs-dpctl", "dump-dps"]).stdout.split()
    else:
        taken = name in (entry["ifname"] for entry in json.loads(host.run(["ip", "-j", "link", "show"])))
    if taken:
        raise BenchError(
            f"{host.name}: the datapath {datapath} is in use by another Open vSwitch, and two cannot share it",
            hint="Stop that one for the measurement (systemctl stop openvswitch-switch), or leave this attachment out.",
        )


def start(host: Host, *, program: str = PROGRAM, settings: Sequence[str] = ()) -> tuple[Switch, Process]:
    """The two daemons, running, without a bridge yet. `settings`: columns of the database's root record, set before
    the daemon reads them.
    """
    switch = Switch(host)
    folder = switch.folder
    host.defer(["rm", "-rf", folder])
    host.run(["mkdir", "-m", "700", folder])
    # Where they put what is not named on their command lines: the bridge's sockets, DPDK's files.
    places = ("OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR", "OVS_SYSCONFDIR", "RUNTIME_DIRECTORY")
    # libxdp would pin its dispatcher in /sys/fs/bpf, where it would stay when the daemon is killed.
    environment = [*(f"{place}={folder}" for place in places), "LIBXDP_SKIP_DISPATCHER=1"]
    host.run(["ovsdb-tool", "create", f"{folder}/conf.db", SCHEMA])
    server = [
        "ovsdb-server", f"{folder}/conf.db", f"--remote=punix:{folder}/db.sock", f"--unixctl={folder}/db.ctl",
        f"--pidfile={folder}/ovsdb.pid", f"--log-file={folder}/ovsdb.log", "-vconsole:off",
    ]  # fmt: skip
    _wait_for_socket(_start(host, server, f"{folder}/ovsdb.pid", environment), host, f"{folder}/db.sock")
    host.run(switch.vsctl("--no-wait", "init"))
    if settings:
        host.run(switch.vsctl("--no-wait", "set", "Open_vSwitch", ".", *settings))
    daemon = [
        program, f"unix:{folder}/db.sock", f"--unixctl={switch.control}", f"--pidfile={folder}/vswitchd.pid",
        f"--log-file={folder}/vswitchd.log", "-vconsole:off",
    ]  # fmt: skip
    return switch, _start(host, daemon, f"{folder}/vswitchd.pid", environment)


def _start(host: Host, argv: list[str], pidfile: str, environment: Sequence[str]) -> Process:
    # It may be dead by then, and its number another process's: only a process of this very name is ended.
    name = argv[0].rpartition("/")[2][:COMM_LENGTH]
    stop = ["start-stop-daemon", "--stop", "--oknodo", "--quiet", "--retry", "TERM/5/KILL/5"]
    host.defer([*stop, "--pidfile", pidfile, "--name", name])
    return host.start(["env", *environment, *argv])


def _wait_for_socket(process: Process, host: Host, path: str) -> None:
    limit = time.monotonic() + START_LIMIT_S
    while host.run_plain(["test", "-S", path]).exit_code:
        if not process.running or time.monotonic() > limit:
            raise BenchError(
                f"{host.name}: ovsdb-server does not come up: {process.stderr.strip() or 'it says nothing'}",
                hint="Is there room in /tmp? Its log is there too.",
            )
        time.sleep(0.02)


def make_taps_of_datapath(host: Host) -> None:
    """The userspace datapath's own tap devices, which outlive its daemon: made by us, they are undone by us."""
    for name in (USERSPACE.partition("@")[2], BRIDGE):
        make_tap(host, name)


@dataclass(frozen=True)
class Polling:
    """The thread that polls the ports of a userspace datapath."""

    cpu: int
    sleep_us: int
    """The longest that it may sleep when nothing comes; 0: it never sleeps, and takes its CPU wholly."""

    @property
    def settings(self) -> list[str]:
        """Columns of the root record."""
        # The second name is that of OVS 3.1, where it was new.
        sleeps = [f"{name}={self.sleep_us}" for name in ("pmd-sleep-max", "pmd-maxsleep") if self.sleep_us]
        return [f"other_config:{word}" for word in (f"pmd-cpu-mask={1 << self.cpu:#x}", *sleeps)]

    @property
    def note(self) -> str:
        return f"CPU {self.cpu}, " + (f"sleeps up to {self.sleep_us} us" if self.sleep_us else "never sleeps")


def load_modules(host: Host, *, optional: bool = False) -> None:
    """The kernel's datapath, and what goes with it; `optional` for a userspace datapath, whose daemon looks for the
    kernel's too: that loads both, and nobody would unload them.
    """
    load_module(host, "nfnetlink_cttimeout", optional=True)
    load_module(host, "openvswitch", optional=optional)


def polling(host: Host, cpu: int | None, sleep_ns: int | None) -> Polling:
    """As asked for. Otherwise: on the last CPU, without sleep where there are CPUs left for everybody else."""
    cpus = host.facts.cpus
    number = cpus - 1 if cpu is None else cpu
    if number >= cpus:
        raise BenchError(
            f"{host.name} has no CPU {number} to poll on: its CPUs are 0 to {cpus - 1}",
            hint="Name another one in `pmd-cpu`, or none.",
        )
    if sleep_ns is None:
        return Polling(number, 0 if cpus >= ENOUGH_CPUS else FEW_CPUS_SLEEP_US)
    return Polling(number, sleep_ns // 1_000)


def make_bridge(switch: Switch, daemon: Process, datapath: str, ports: Sequence[Port]) -> None:
    """The bridge with its ports. BenchError with the daemon's own words when a port does not come up."""
    kind = datapath.partition("@")[0]
    words = ["add-br", BRIDGE, "--", "set", "bridge", BRIDGE, f"datapath_type={kind}", "fail_mode=standalone"]
    for port in ports:
        words += ["--", "add-port", BRIDGE, port.name, *([f"tag={port.tag}"] if port.tag else [])]
        if port.settings:
            words += ["--", "set", "interface", port.name, *port.settings]
    _configure(switch, daemon, words)
    for name in (BRIDGE, *(port.name for port in ports)):
        error = switch.get("interface", name, "error")
        # `[]`: no error.
        if error not in ("", "[]"):
            raise BenchError(
                f"{switch.host.name}: Open vSwitch cannot use {name}: {switch.complaint(error, name)}",
                hint="`latlab run --show-commands` shows what it was told.",
            )


def _configure(switch: Switch, daemon: Process, words: Sequence[str]) -> None:
    """A daemon that died would be waited for until the time is over."""
    job = switch.host.start(switch.vsctl(*words), background=False)
    while not job.wait_until_ended(0.1):
        if not daemon.running:
            job.stop()
            raise BenchError(
                f"{switch.host.name}: ovs-vswitchd ended while it was configured; its log ends with:\n"
                f"{switch.last_words()}",
                hint="See what it says about memory, hugepages or the NIC.",
            )
    if job.wait():
        raise BenchError(
            f"{switch.host.name}: Open vSwitch was not configured: {switch.complaint(job.stderr.strip())}",
            hint="`latlab run --show-commands` shows what it was told.",
        )


def set_mtu(switch: Switch, ports: Sequence[str], mtu: int) -> None:
    """Of ports that the kernel does not know. BenchError when one does not take it."""
    if mtu == 1500:
        return
    for name in ports:
        switch.host.run(switch.vsctl("set", "interface", name, f"mtu_request={mtu}"))
        found = switch.get("interface", name, "mtu")
        # Of a port of a guest that is not there yet it is 0.
        if found not in ("", "0", str(mtu)):
            raise BenchError(
                f"{switch.host.name}: the port {name} took an MTU of {found}, not {mtu}", hint="Use a smaller MTU."
            )
