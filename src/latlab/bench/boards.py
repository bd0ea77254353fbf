# SPDX-License-Identifier: Apache-2.0
"""The boards bench: hypervisor and peer are machines over OpenSSH, and their NICs are cabled to each other.

One connection each, an agent carried in through it, and everything that runs there ends when it does. The user's ssh
configuration and known hosts decide. A NIC that somebody uses is refused, as on the local bench. What the guest boots
from is copied to the hypervisor.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from latlab.bench.accelerator import Accelerator, choose
from latlab.bench.local import refuse_shaped_nic, refuse_used_networks, refuse_used_nic
from latlab.bench.site import Site, add_address, changes_undone, link, plan_addresses, wait_for_carrier
from latlab.errors import BenchError, CommandError, HostError
from latlab.guest.kernel import find_kernel
from latlab.hosts.carried import Carried
from latlab.hosts.host import Host
from latlab.hosts.ssh import SshTarget, open_ssh_host
from latlab.scenario.bench_model import Board, BoardsBench

IN_USE = "/run/latlab/board-in-use"
"""A folder on each board while somebody measures with it: made by one only, removed with its maker's agent."""


@contextmanager
def boards_site(
    bench: BoardsBench, on: Host, say: Callable[[str], None], *, config: str | None = None,
    limit_s: float = 0, guests_under: Accelerator | None = None,
) -> Iterator[Site]:  # fmt: skip
    """The bench, inside the block. `on` is where ssh runs.

    Of machines of ours it is known what ssh reads in the place of the user's `config`, that their ssh servers may need
    `limit_s` to start, and what `guests_under` there run under; on others that is tried.

    HostError for a board that cannot be reached, BenchError for one that cannot be measured with; both name it.
    """
    with ExitStack() as stack:
        hosts = []
        for name, board in (("hypervisor", bench.hypervisor), ("peer", bench.peer)):
            host = open_ssh_host(on, name, SshTarget(board.ssh, config=config), limit_s=limit_s)
            stack.callback(host.close)
            for recovered in host.facts.recovered:
                say(f"{name}, after a crash: {recovered}")
            hosts.append(host)
        hypervisor, peer = hosts
        refuse_same_machine(hypervisor, peer)
        stack.enter_context(changes_undone(hypervisor, peer))
        for host in hosts:
            reserve(host)
        yield configure(hypervisor, peer, bench, guests_under)


def configure(hypervisor: Host, peer: Host, bench: BoardsBench, guests_under: Accelerator | None = None) -> Site:
    """Makes a bench of two machines. Everything is deferred for undoing first, on the machine that is changed."""
    ends = ((hypervisor, bench.hypervisor), (peer, bench.peer))
    for host, board in ends:
        refuse_used_networks(host, bench.addresses)
        refuse_used_nic(host, board.nic)
        refuse_shaped_nic(host, board.nic)
    kernel = find_kernel(bench.kernel)
    refuse_other_architecture(hypervisor)
    hypervisor.carried = Carried(hypervisor)
    accelerator = guests_under or choose(hypervisor, kernel, bench.accelerator)
    addresses = plan_addresses(bench.addresses.ipv4, bench.addresses.ipv6)
    for host, board in ends:
        _bring_up(host, board)
    add_address(peer, bench.peer.nic, addresses.peer)
    for host, board in ends:
        wait_for_carrier(host, board.nic)
    cable = f"{bench.hypervisor.ssh} {bench.hypervisor.nic} <-> {bench.peer.ssh} {bench.peer.nic}"
    return Site(
        kind="boards",
        hypervisor=hypervisor,
        peer=peer,
        nic=bench.hypervisor.nic,
        peer_nic=bench.peer.nic,
        guest_accelerator=accelerator.name,
        guest_kernel=kernel,
        addresses=addresses,
        console=lambda: _kernel_messages(hypervisor),
        peer_console=lambda: _kernel_messages(peer),
        cable=cable,
        headline=f"2 machines · {cable} · kernels {hypervisor.facts.kernel} and {peer.facts.kernel} · "
        f"guests under {accelerator.name} ({accelerator.reason})",
    )


def _kernel_messages(host: Host) -> str:
    """What its kernel has said so far; nothing of a host that is lost, whose loss is told elsewhere."""
    try:
        return host.run_plain(["dmesg"]).stdout
    except HostError:
        return ""


def _bring_up(host: Host, board: Board) -> None:
    if "UP" not in link(host, board.nic)["flags"]:
        host.change(["ip", "link", "set", "dev", board.nic, "up"], undo=["ip", "link", "set", "dev", board.nic, "down"])


def refuse_same_machine(hypervisor: Host, peer: Host) -> None:
    """BenchError when one kernel is both ends: its packets to itself never take the cable."""
    if hypervisor.facts.boot_id == peer.facts.boot_id:
        raise BenchError(
            "hypervisor and peer are the same machine, which sends itself nothing over a cable",
            hint="Name another machine, or run latlab there with a bench of kind: local, nic and peer-nic.",
        )


def refuse_other_architecture(hypervisor: Host) -> None:
    """BenchError when the guest's files, which are made of this machine's, would not run there."""
    here = os.uname().machine
    if hypervisor.facts.machine != here:
        raise BenchError(
            f"hypervisor: it is {hypervisor.facts.machine}, and this machine, whose programs the guest gets, is {here}",
            hint=f"Run latlab on a {hypervisor.facts.machine} machine: the hypervisor itself will do.",
        )


def reserve(host: Host) -> None:
    """BenchError when somebody measures with this board now, whoever and from wherever."""
    try:
        host.change(["mkdir", IN_USE], undo=["rmdir", IN_USE])
    except CommandError as error:
        raise BenchError(
            f"{host.name}: another latlab is measuring with it",
            hint=f"Wait until it ends. If there is none, on that machine: rmdir {IN_USE}",
        ) from error
