# SPDX-License-Identifier: Apache-2.0
"""The emulated bench of two machines: two QEMU processes, their 82576 cabled to each other, each with its own clock.

They are reached as boards are: over OpenSSH, by an ssh server in each, with host keys that were made beforehand and
are pinned. What measures on boards measures on them; only their kernels were started by us. No privilege is needed:
the cable is a pair of unix sockets, and ssh comes in by a port of loopback that QEMU forwards.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from latlab.bench import emulated
from latlab.bench.accelerator import Accelerator
from latlab.bench.boards import boards_site
from latlab.bench.site import Site, changes_undone
from latlab.errors import BenchError
from latlab.guest.disk import MANAGED_ADDRESS, MANAGEMENT_MAC, forwarded_port, management_nic
from latlab.guest.kernel import Kernel
from latlab.guest.machine import Machine, MachineSpec, start_machines
from latlab.hosts.host import Host
from latlab.scenario.bench_model import Board, BoardsBench, EmulatedBench

NAMES = ("hypervisor", "peer")
PEER_CPUS, PEER_MEMORY_MIB = 1, 512
TOOLS = {"ssh": "openssh-client", "ssh-keygen": "openssh-client", "dropbear": "dropbear-bin",
         "dropbearkey": "dropbear-bin"}  # fmt: skip
"""What the bench needs of this machine beside QEMU, and the package of it."""

MANAGEMENT_NIC = "mgmt0"
SSH_LIMIT_S = 30
HOME = "/root"


def hypervisor_cpus(bench: EmulatedBench) -> int:
    """At most those that the peer leaves of this machine's: more virtual CPUs than real ones stall each other."""
    return max(1, min(bench.cpus, emulated.real_cpus() - PEER_CPUS))


def specs(bench: EmulatedBench, kernel: Kernel, accelerator: str, folder: str) -> list[MachineSpec]:
    """Hypervisor and peer."""
    wanted = (hypervisor_cpus(bench), PEER_CPUS)
    memories = (bench.memory_mib, PEER_MEMORY_MIB)
    return [
        emulated.spec(
            kernel, name=name, accelerator=accelerator, cpus=wanted[number], memory_mib=memories[number],
            nics=[*_cabled_nic(folder, number), *management_nic()],
        )
        for number, name in enumerate(NAMES)
    ]  # fmt: skip


def _cabled_nic(folder: str, number: int) -> list[str]:
    """One 82576 behind a root port of its own. What it sends goes to the other machine's socket, frame by frame."""
    own, other = NAMES[number], NAMES[1 - number]
    return [
        "-device", "pcie-root-port,id=port0,chassis=1",
        "-netdev", f"dgram,id=cable,local.type=unix,local.path={folder}/{own}.cable,"
        f"remote.type=unix,remote.path={folder}/{other}.cable",
        "-device", f"igb,bus=port0,netdev=cable,mac=52:54:00:a1:00:0{number + 1}",
    ]  # fmt: skip


def ssh_config(folder: str, ports: dict[str, int]) -> str:
    """What ssh is to read: both machines by their names, with our key, and no host key but theirs. Pure."""
    hosts = "".join(
        f"Host {name}\n HostName 127.0.0.1\n Port {port}\n HostKeyAlias {name}\n" for name, port in ports.items()
    )
    return hosts + (
        f"Host *\n User root\n IdentityFile {folder}/login\n IdentitiesOnly yes\n StrictHostKeyChecking yes\n"
        f" UserKnownHostsFile {folder}/known_hosts\n GlobalKnownHostsFile none\n"
    )


@contextmanager
def pair_site(
    bench: EmulatedBench, kernel: Kernel, accelerator: str, host: Host, say: Callable[[str], None]
) -> Iterator[Site]:
    """The bench, inside the block; its machines are children of `host`'s agent. BenchError: why it cannot be had."""
    for tool, package in TOOLS.items():
        if not host.has(tool):
            raise BenchError(
                f"the emulated bench of two machines needs {tool} on this machine",
                hint=f"Debian and Ubuntu: apt install {package}",
            )
    with changes_undone(host):
        folder = f"/tmp/latlab-{host.facts.id}-pair"
        host.change(["mkdir", "-m", "700", folder], undo=["rm", "-rf", folder])
        _make_keys(host, folder)
        machines = start_machines(host, specs(bench, kernel, accelerator, folder))
        try:
            # In this order: the 82576 is eth0, as on one machine. Both machines at once.
            drivers = [machine.host.start(["modprobe", "-a", "igb", "virtio_net"]) for machine in machines]
            for loading in drivers:
                emulated.wait_for_modules(loading)
            loads = emulated.load_later_modules(machines[0].host)
            ports = {machine.spec.name: _serve_ssh(machine, folder) for machine in machines}
            emulated.wait_for_modules(loads)
            host.write(f"{folder}/config", ssh_config(folder, ports))
            boards = BoardsBench(
                hypervisor=Board(ssh="hypervisor", nic=emulated.NIC),
                peer=Board(ssh="peer", nic=emulated.NIC),
                kernel=bench.kernel,
            )
            # That its KVM works, the machine itself is made for; a trial guest would take its time.
            guests_under = Accelerator("kvm", "as on one machine")
            with boards_site(
                boards, host, say, config=f"{folder}/config", limit_s=SSH_LIMIT_S, guests_under=guests_under
            ) as site:
                cpus = " + ".join(str(machine.spec.cpus) for machine in machines)
                yield replace(
                    site,
                    kind="emulated",
                    carrier=host,
                    emulators=tuple(machines),
                    console=machines[0].console,
                    peer_console=machines[1].console,
                    cable=f"82576 <-> 82576 of two machines under {accelerator}",
                    headline=f"2 machines · {cpus} CPUs ({accelerator}) · 82576 <-> 82576 · "
                    f"kernel {site.hypervisor.facts.kernel}",
                )
        finally:
            for machine in machines:
                machine.stop()


def _make_keys(host: Host, folder: str) -> None:
    """Ours to log in with, and one for each machine, which ssh is told beforehand."""
    host.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "latlab", "-f", f"{folder}/login"])
    known = []
    for name in NAMES:
        said = host.run(["dropbearkey", "-t", "ed25519", "-f", f"{folder}/{name}.key"])
        public = next(line for line in said.splitlines() if line.startswith("ssh-ed25519 "))
        known.append(" ".join([name, *public.split()[:2]]))
    host.write(f"{folder}/known_hosts", "\n".join(known) + "\n")


def _serve_ssh(machine: Machine, folder: str) -> int:
    """Starts an ssh server in the machine: the port of this machine's loopback that leads to it."""
    host = machine.host
    name = next(
        n["ifname"] for n in json.loads(host.run(["ip", "-j", "link", "show"])) if n["address"] == MANAGEMENT_MAC
    )
    host.run(["ip", "link", "set", "dev", name, "name", MANAGEMENT_NIC])
    host.run(["ip", "addr", "add", MANAGED_ADDRESS, "dev", MANAGEMENT_NIC])
    host.run(["ip", "link", "set", "dev", MANAGEMENT_NIC, "up"])
    # root's own home is that of the real machine, and may be closed to whoever runs QEMU.
    host.run(["mount", "-t", "tmpfs", "-o", "mode=700", "tmpfs", HOME])
    host.run(["mkdir", "-m", "700", f"{HOME}/.ssh"])
    host.run(["cp", f"{folder}/login.pub", f"{HOME}/.ssh/authorized_keys"])
    host.start(["dropbear", "-F", "-E", "-s", "-r", f"{folder}/{machine.spec.name}.key", "-p", "22"])
    return forwarded_port(machine.monitor.human("info usernet"))
