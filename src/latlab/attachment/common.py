# SPDX-License-Identifier: Apache-2.0
"""Pieces that several attachments share: interface counters, vhost, the guest's virtio NIC."""

from __future__ import annotations

from latlab.attachment.wiring import Wiring
from latlab.bench.site import link
from latlab.errors import BenchError
from latlab.guest.machine import Machine
from latlab.hosts.host import Host
from latlab.scenario.attachments import Vhost


def packet_counters(host: Host, name: str, role: str) -> dict[str, int]:
    """`{"<role> <name> rx packets": n, ... tx ...}` as the kernel counts them."""
    stats = link(host, name)["stats64"]
    return {f"{role} {name} {way} packets": int(stats[way]["packets"]) for way in ("rx", "tx")}


def vhost_wanted(host: Host, wanted: Vhost) -> bool:
    """Whether the guest's NIC is to be served by vhost in the kernel. BenchError when it must be, and cannot."""
    there = host.run_plain(["test", "-c", "/dev/vhost-net"]).exit_code == 0
    if wanted == "auto":
        return there
    if wanted == "on" and not there:
        raise BenchError(
            f"{host.name}: there is no /dev/vhost-net, which `vhost: on` asks for",
            hint="Run: modprobe vhost_net. If the kernel lacks it, use `vhost: off`, or the emulated bench.",
        )
    return wanted == "on"


def vhost_as_said(host: Host, wiring: Wiring, machine: Machine | None) -> dict[str, bool]:
    """Whether QEMU serves the NIC as the run says: it holds /dev/vhost-net, or does not.

    Asked for vhost and unable, QEMU only warns, and serves the NIC itself.
    """
    if machine is None or machine.qemu_pid is None:
        return {}
    held = "/dev/vhost-net" in host.run(["ls", "-l", f"/proc/{machine.qemu_pid}/fd"])
    said = wiring.notes["vhost"]
    return {
        f"vhost is {said}: QEMU {'holds' if said == 'on' else 'does not hold'} /dev/vhost-net": held == (said == "on")
    }


def virtio_nic(netdev: str, mac: str, queues: int = 1) -> tuple[str, str]:
    """The guest's NIC. `queues`: pairs of queues, each with two interrupts, beside the one for configuration."""
    # romfile=: a boot ROM would cost the guest a second at its start.
    several = f",mq=on,vectors={2 * queues + 2}" if queues > 1 else ""
    return ("-device", f"virtio-net-pci,netdev={netdev},mac={mac},romfile={several}")


def load_module(host: Host, name: str, *, optional: bool = False) -> None:
    """Loads a module that is not there yet, with those that it needs, and unloads afterwards what has come.

    BenchError when the kernel lacks it and it is not `optional`.
    """
    if host.run_plain(["test", "-d", f"/sys/module/{name}"]).exit_code == 0:
        return
    needed = modules_needed(host.run_plain(["modprobe", "--show-depends", name]).stdout)
    there = {line.split()[0] for line in host.run_plain(["cat", "/proc/modules"]).stdout.splitlines()}
    come = [name, *(module for module in reversed(needed) if module not in there and module != name)]
    # Not `modprobe -r`, which leaves some of them, and takes others that were there before. No failure when somebody
    # began to use one meanwhile: it is theirs then.
    host.defer(["sh", "-c", 'for module; do rmmod "$module" 2>/dev/null; done; true', "sh", *come])
    done = host.run_plain(["modprobe", name])
    if done.exit_code:
        host.undo.forget()
    if done.exit_code and not optional:
        raise BenchError(
            f"{host.name}: its kernel {host.facts.kernel} has no module {name}",
            hint="Use a kernel that has it: the emulated bench's does.",
        )


def modules_needed(show_depends: str) -> list[str]:
    """`modprobe --show-depends`: every module, in the order in which they are loaded. Pure."""
    lines = [line.split() for line in show_depends.splitlines()]
    paths = [words[1] for words in lines if len(words) > 1 and words[0] == "insmod"]
    return [path.rpartition("/")[2].partition(".ko")[0].replace("-", "_") for path in paths]
