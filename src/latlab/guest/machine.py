# SPDX-License-Identifier: Apache-2.0
"""A QEMU machine on a host, and the machine as a host itself.

The same thing twice over: the emulated bench is a machine on the computer at hand, and the guest is a machine on the
bench's hypervisor. Its agent is reached over a virtio-serial port, so no network of the machine is used to manage it;
a user's own image, which has no agent, over ssh (see `guest.disk` and `hosts.ssh`).
"""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from latlab.errors import GuestError, HostError
from latlab.guest.disk import Disk, disk_arguments, forwarded_port
from latlab.guest.initramfs import AGENT_PORT
from latlab.guest.qmp import Monitor
from latlab.hosts.channel import Channel
from latlab.hosts.commands import CommandLog
from latlab.hosts.host import Host, Process
from latlab.hosts.relay import RelayStream
from latlab.hosts.ssh import open_ssh_host

BOOT_LIMIT_S = 120
"""An emulated guest of an emulated host boots in 5 to 10 s; beside other work, in ten times that."""
FIRST_LOOK_S, LAST_LOOK_S = 0.02, 0.5
EARLY_DEATH_LINES = 6
RESET = 0
"""QEMU's exit code when its machine's processor was reset (it runs with -no-reboot) or powered off."""
ENDED_BY_SOMEBODY = tuple(-number for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGKILL))
NO_ANSWER_HINT = (
    "It has to ask for an address on its first NIC by DHCP, and to run an ssh server there. "
    "guest.memory, guest.firmware and guest.boot-limit are set in the scenario."
)


@dataclass(frozen=True)
class MachineSpec:
    """What to start. `devices` are QEMU arguments; `files` are opened on the host for it, by number."""

    name: str
    kernel: Path | None
    initramfs: Path | None
    accelerator: str
    """`kvm` or `tcg`."""
    cpus: int = 1
    memory_mib: int = 192
    arch: str = "x86_64"
    machine_options: str = ""
    cpu_options: str = ""
    kernel_arguments: str = ""
    probe: str = "/bin/latlab-probe"
    """Where the machine's own init puts it."""
    devices: tuple[str, ...] = ()
    files: Mapping[int, str] = field(default_factory=dict)
    shares_memory: bool = False
    """Its memory is a file, of huge pages, that another process may map."""
    disk: Disk | None = None
    """What it boots from, if not from `kernel` and `initramfs`."""


def command_line(spec: MachineSpec, folder: str) -> list[str]:
    """QEMU's arguments. `folder` (on the host) will hold its sockets and its console's log."""
    kvm = spec.accelerator == "kvm"
    x86 = spec.arch == "x86_64"
    return [
        f"qemu-system-{spec.arch}",
        "-name", spec.name,
        # Only what is asked for: no default NIC, disk, display or configuration file.
        "-no-user-config", "-nodefaults", "-display", "none", "-no-reboot",
        # One TCG thread for each virtual CPU; one alone would let the guest's CPUs wait for each other.
        "-accel", "kvm" if kvm else "tcg,thread=multi",
        "-machine", ("q35" if x86 else "virt,gic-version=max") + spec.machine_options
        + (",memory-backend=ram" if spec.shares_memory else ""),
        *(_shared_memory(spec) if spec.shares_memory else ()),
        "-cpu", ("host" if kvm else "max") + spec.cpu_options,
        "-smp", str(spec.cpus), "-m", f"{spec.memory_mib}M",
        *(disk_arguments(spec.disk) if spec.disk else _kernel_arguments(spec)),
        # The console is for the kernel's messages only; they are evidence.
        "-serial", f"file:{folder}/console.log",
        *([] if spec.disk else _agent_port(folder)),
        "-qmp", f"unix:{folder}/qmp.sock,server=on,wait=off",
        *spec.devices,
    ]  # fmt: skip


def _shared_memory(spec: MachineSpec) -> list[str]:
    return ["-object", f"memory-backend-memfd,id=ram,size={spec.memory_mib}M,share=on,hugetlb=on"]


def _kernel_arguments(spec: MachineSpec) -> list[str]:
    console = "ttyS0" if spec.arch == "x86_64" else "ttyAMA0"
    return [
        "-kernel", str(spec.kernel), "-initrd", str(spec.initramfs),
        # `panic=-1` with -no-reboot: a guest that panics ends QEMU, and we see it.
        "-append", f"console={console} quiet panic=-1 {spec.kernel_arguments}".strip(),
    ]  # fmt: skip


def _agent_port(folder: str) -> list[str]:
    """Managing a machine of ours never touches a network."""
    return [
        "-device", "virtio-serial-pci",
        "-chardev", f"socket,id=agent,path={folder}/agent.sock,server=on,wait=off",
        "-device", f"virtserialport,chardev=agent,name={AGENT_PORT}",
    ]  # fmt: skip


class Machine:
    """A running machine. `host` is its agent, `monitor` its QMP; `stop` ends it.

    `qemu` is its process, if we started it; a machine that somebody else keeps is only visited.
    """

    def __init__(self, on: Host, spec: MachineSpec, folder: str, log: CommandLog, qemu: Process | None) -> None:
        self.spec, self.folder = spec, folder
        self.started_again = ""
        """Why its first start was in vain, if this is the second one."""
        self._on, self._qemu = on, qemu
        started = time.monotonic()
        monitor = None
        try:
            self._wait_for_sockets()
            self.monitor = monitor = Monitor(on, f"{folder}/qmp.sock")
            self.host = self._open_host(log)
        except (HostError, GuestError) as e:
            try:
                # A guest that answers, and refuses us, has said all that there is to say.
                refused = bool(spec.disk and e.hint)
                why, console = e.message if refused else self._why(e.message), self.console()
            finally:
                if monitor:
                    monitor.close()
                self._end_qemu()
            hint = "The guest's kernel, memory and CPUs are set in the bench and scenario."
            if spec.disk:
                hint = e.hint or ("" if "QEMU ended" in why else NO_ANSWER_HINT)
            silent = self.end_of_qemu == RESET and not console.strip()
            raise GuestError(why, hint=hint, console=console, silent=silent) from e
        self.boot_s = time.monotonic() - started

    def _open_host(self, log: CommandLog) -> Host:
        """Its agent: the one that its init started, or one that is carried in."""
        spec, disk = self.spec, self.spec.disk
        if disk is None:
            relay = self._on.start([self._on.probe, "connect", f"{self.folder}/agent.sock"], stdin=True)
            channel = Channel(spec.name, RelayStream(relay), greeting_timeout_s=BOOT_LIMIT_S)
            return Host(spec.name, channel, probe=spec.probe, log=log)
        login = disk.login(forwarded_port(self.monitor.human("info usernet")))
        limit_s = disk.boot_limit_s
        return open_ssh_host(self._on, spec.name, login, log=log, limit_s=limit_s, alive=lambda: self.running)

    def _wait_for_sockets(self) -> None:
        limit, pause_s = time.monotonic() + BOOT_LIMIT_S, FIRST_LOOK_S
        while self._on.run_plain(["test", "-S", f"{self.folder}/qmp.sock"]).exit_code:
            if not self.running or time.monotonic() > limit:
                raise GuestError("QEMU did not come up")
            time.sleep(pause_s)
            # On an emulated host of one CPU each look takes time from what is looked for.
            pause_s = min(2 * pause_s, LAST_LOOK_S)

    def _why(self, otherwise: str) -> str:
        """Why it did not start: QEMU's own last words, or else the console's."""
        name = self.spec.name
        # Its sockets may have been heard to break before its end was.
        if self._qemu and self._qemu.wait_until_ended(1):
            self._qemu.wait()  # a QEMU that could not even be started says so here
            if words := self._qemu.stderr.strip():
                return f"{name}: {self.how_ended}: {words.splitlines()[-1]}"
        lines = self.console().strip().splitlines()
        panic = next((n for n, line in enumerate(lines) if "Kernel panic" in line), None)
        shown = lines[-EARLY_DEATH_LINES:] if panic is None else lines[panic : panic + 1]
        ending = "; its console ends with:\n  " + "\n  ".join(shown) if shown else "; its console is empty"
        return f"{name}: {otherwise.removeprefix(f'{name}: ')}{ending}"

    def console(self) -> str:
        """What the machine printed on its console: what its kernel said, if it is one of ours."""
        return self._on.run_plain(["cat", f"{self.folder}/console.log"]).stdout

    def kernel_messages(self) -> str:
        """What its kernel has said so far. The user's own guest may say it elsewhere than on the console."""
        if self.spec.disk and not self.host.channel.lost:
            with suppress(HostError):  # lost by now
                return self.host.run_plain(["sh", "-c", "dmesg"]).stdout
        return self.console()

    @property
    def ours(self) -> bool:
        """Whether we started it, and end it."""
        return self._qemu is not None

    @property
    def running(self) -> bool:
        return self._qemu is None or self._qemu.running

    @property
    def end_of_qemu(self) -> int | None:
        """Its exit code, negative for a signal; `None` while it runs, or if that is not known."""
        return self._qemu.exit_code if self._qemu else None

    @property
    def how_ended(self) -> str:
        """The same in words; "" while it runs."""
        code = self.end_of_qemu
        if code is None:
            return ""
        return f"QEMU was ended by signal {-code}" if code < 0 else f"QEMU ended with exit code {code}"

    @property
    def emulator_failed(self) -> str:
        """How, when it ended by itself, or runs and its machine answers no more; "" when somebody ended it."""
        if self.host.answers():
            return ""
        # Its sockets may have been heard to break before its end was.
        if self._qemu and self._qemu.wait_until_ended(1):
            return "" if self.end_of_qemu in ENDED_BY_SOMEBODY else f"{self.spec.name}: {self.how_ended}"
        return f"{self.spec.name} answers no more"

    @property
    def qemu_pid(self) -> int | None:
        """Of its QEMU, on the host that runs it; `None` for a machine that is only visited."""
        return self._qemu.pid if self._qemu else None

    @property
    def last_words(self) -> str:
        """What QEMU printed on standard error."""
        return self._qemu.stderr.strip() if self._qemu else ""

    def leave(self) -> None:
        """Ends the conversation: what we ran there ends, what we changed there is undone. The machine goes on."""
        self.host.close()
        self.monitor.close()

    def stop(self) -> None:
        """Power off as by pulling the plug: nothing in the machine is worth a shutdown."""
        self.monitor.close()
        self._end_qemu()

    def _end_qemu(self) -> None:
        if self._qemu and self._qemu.running:
            self._qemu.stop()
        elif self._qemu:
            with suppress(HostError):
                self._qemu.wait(1)  # it ended by itself: how, is for the log of commands


def start_machine(on: Host, spec: MachineSpec, *, log: CommandLog | None = None) -> Machine:
    """Starts QEMU on a host and waits for its agent. GuestError says why it did not come up."""
    (machine,) = start_machines(on, [spec], log=log)
    return machine


def folder_of(on: Host, spec: MachineSpec) -> str:
    """Where the machine's sockets and its console's log are, on the host that runs it."""
    return f"/tmp/latlab-{on.facts.id}-{spec.name}"


def start_machines(on: Host, specs: Sequence[MachineSpec], *, log: CommandLog | None = None) -> list[Machine]:
    """Several that boot at the same time. All of them, or none and the GuestError of the first that failed."""
    launched: list[tuple[MachineSpec, str, Process]] = []
    machines: list[Machine] = []
    try:
        for spec in specs:
            folder = folder_of(on, spec)
            on.defer(["rm", "-rf", folder])
            on.run(["mkdir", "-m", "700", folder])
            launched.append((spec, folder, on.start(command_line(spec, folder), files=spec.files)))
        for spec, folder, qemu in launched:
            machines.append(Machine(on, spec, folder, log or on.log, qemu))
    except BaseException:
        # Also on Ctrl-C: a QEMU that still runs holds its tap, which then cannot be removed.
        for machine in machines:
            machine.monitor.close()
        for _, _, qemu in launched:
            with suppress(HostError):
                qemu.stop()
        raise
    return machines
