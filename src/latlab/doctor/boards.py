# SPDX-License-Identifier: Apache-2.0
"""Each attachment on a bench of boards. They are looked at over ssh; nothing is carried there, and nothing is tried."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from functools import partial

from latlab import attachment
from latlab.bench import local
from latlab.bench.boards import IN_USE, refuse_other_architecture
from latlab.doctor.benches import AttachmentState, BenchState, attachments, everything_wanted, guests, has, refusals
from latlab.errors import HostError
from latlab.hosts.host import Host
from latlab.hosts.look import on_host
from latlab.hosts.look_ssh import looking
from latlab.hosts.ssh import SshTarget
from latlab.needs import Missing
from latlab.needs.host import HostFacts, look
from latlab.scenario.bench_model import Board, BoardsBench

SUDO = "Log in as root, or let sudo ask for no password: USER ALL=(ALL) NOPASSWD: ALL"


def boards_state(name: str, bench: BoardsBench) -> BenchState:
    """What a run would find there, as far as looking tells. A board that cannot be reached is what is missing."""
    ends = {"hypervisor": bench.hypervisor, "peer": bench.peer}
    with ExitStack() as stack:
        try:
            hosts = [stack.enter_context(looking(who, SshTarget(board.ssh))) for who, board in ends.items()]
            return _looked_at(name, bench, hosts[0], hosts[1])
        except HostError as error:
            why = error.message.removeprefix(f"{error.host}: ")
            board = ends.get(error.host)
            lacking = Missing(f"{error.host} {board.ssh}" if board else error.host, why, error.hint)
    states = tuple(AttachmentState(kind, (lacking,), ()) for kind in attachment.KINDS)
    return BenchState(name, bench.kind, "cannot be reached", states)


def _looked_at(name: str, bench: BoardsBench, hypervisor: Host, peer: Host) -> BenchState:
    facts = _facts(hypervisor, bench.hypervisor)
    lacking, kernel = guests(hypervisor, facts, bench.kernel)
    if kernel:
        facts = replace(facts, guest_modules=has(kernel, everything_wanted().guest_modules))
    lacking += refusals(hypervisor, [("programs for guests", partial(refuse_other_architecture, hypervisor))])
    in_use = [board.ssh for host, board in ((hypervisor, bench.hypervisor), (peer, bench.peer)) if _in_use(host)]
    for host, board in ((hypervisor, bench.hypervisor), (peer, bench.peer)):
        if host.facts.uid:
            lacking.append(Missing(f"root on {board.ssh}", f"{host.name}: neither the login nor `sudo -n` is", SUDO))
        checks = [
            (f"{host.name}'s NIC {board.nic}", partial(local.refuse_used_nic, host, board.nic)),
            (f"{host.name}'s NIC {board.nic}", partial(local.refuse_shaped_nic, host, board.nic)),
            ("free addresses", partial(local.refuse_used_networks, host, bench.addresses)),
        ]
        lacking += [] if in_use else refusals(host, checks)
    about = f"{bench.hypervisor.ssh} {bench.hypervisor.nic} <-> {bench.peer.ssh} {bench.peer.nic} · "
    about += f"kernels {hypervisor.facts.kernel} and {peer.facts.kernel} · {_under(bench, hypervisor)}"
    about += f" · {' and '.join(in_use)} in use by a latlab" if in_use else ""
    return BenchState(name, bench.kind, about, attachments(bench, (), facts, lacking))


def _facts(host: Host, board: Board) -> HostFacts:
    said = host.facts
    return look(
        on_host(host), everything_wanted(), bench="boards", kernel=said.kernel, machine=said.machine, uid=said.uid,
        nic=board.nic,
    )  # fmt: skip


def _in_use(host: Host) -> bool:
    return not host.run_plain(["test", "-d", IN_USE]).exit_code


def _under(bench: BoardsBench, hypervisor: Host) -> str:
    if bench.accelerator == "tcg" or hypervisor.run_plain(["test", "-e", "/dev/kvm"]).exit_code:
        return "guests under tcg"
    return "guests under kvm, if a trial guest runs there"
