# SPDX-License-Identifier: Apache-2.0
"""Two machines as a bench: what is refused before anything is changed, and what is changed with its undoing."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from latlab.bench import boards
from latlab.bench.accelerator import Accelerator
from latlab.bench.boards import IN_USE, configure, refuse_other_architecture, refuse_same_machine, reserve
from latlab.errors import BenchError
from latlab.guest.kernel import Kernel
from latlab.scenario.bench_model import Board, BoardsBench
from tests.canned import FACTS, CannedHost

KERNEL = Kernel("6.12.1", Path("/boot/vmlinuz-6.12.1"), Path("/"))
BENCH = BoardsBench(hypervisor=Board(ssh="board1", nic="eth1"), peer=Board(ssh="board2", nic="eth2"))


def board(name: str, nic: str, answers: dict[str, Any] | None = None, flags: str = "LOWER_UP") -> CannedHost:
    found = {
        f"ip -j -d -s link show dev {nic}": [{"ifname": nic, "flags": flags.split()}],
        "ip -j -4 route show default": [{"dst": "default", "dev": "eth0"}],
        "ip -j -6 route show default": [],
        "ip -j link show": [{"ifname": "lo"}, {"ifname": nic}],
        "ip -j addr show": [{"ifname": "eth0", "addr_info": [{"local": "192.0.2.7", "prefixlen": 24}]}],
        f"ip -j addr show dev {nic}": [],
        f"tc -j qdisc show dev {nic}": [],
    }
    facts = replace(FACTS, boot_id=f"boot of {name}", machine=os.uname().machine)
    return CannedHost(found | (answers or {}), name=name, facts=facts)


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boards, "find_kernel", lambda _: KERNEL)
    monkeypatch.setattr(boards, "choose", lambda *_: Accelerator("kvm", "a trial guest ran"))


def test_the_peer_gets_its_address_and_both_nics_are_up() -> None:
    hypervisor, peer = board("hypervisor", "eth1"), board("peer", "eth2", flags="UP LOWER_UP")
    site = configure(hypervisor, peer, BENCH)
    assert hypervisor.afterwards == [f"rm -rf /tmp/latlab-{FACTS.id}-files", "ip link set dev eth1 down"]
    assert [line.split()[3] for line in peer.afterwards] == ["del", "del"], "it was up, and stays so"
    assert "ip -4 addr add 198.18.77.2/24 dev eth2" in peer.asked
    assert (site.nic, site.peer_nic, site.kind) == ("eth1", "eth2", "boards")
    assert site.cable == "board1 eth1 <-> board2 eth2"


@pytest.mark.parametrize(
    ("who", "answer", "said"),
    [
        ("peer", {"ip -j -d -s link show dev eth2": 1}, "peer has no interface eth2"),
        ("hypervisor", {"ip -j -d -s link show dev eth1": [{"flags": [], "master": "br0"}]}, "already part of br0"),
        ("peer", {"ip -j -4 route show default": [{"dst": "default", "dev": "eth2"}]}, "peer: eth2 carries the"),
        ("peer", {"ip -j addr show": [{"ifname": "tun0", "addr_info": [{"local": "198.18.77.9", "prefixlen": 24}]}]},
         "peer: the address 198.18.77.9 is already in use"),
        ("hypervisor", {"tc -j qdisc show dev eth1": [{"kind": "taprio", "handle": "1:", "root": True}]}, "taprio"),
    ],
)  # fmt: skip
def test_what_somebody_uses_is_refused_before_anything_is_changed(who: str, answer: dict[str, Any], said: str) -> None:
    hosts = [
        board(name, nic, answer if name == who else None) for name, nic in (("hypervisor", "eth1"), ("peer", "eth2"))
    ]
    with pytest.raises(BenchError, match=said) as caught:
        configure(hosts[0], hosts[1], BENCH)
    assert caught.value.hint
    assert [host.afterwards for host in hosts] == [[], []]


def test_one_machine_is_not_two() -> None:
    one = board("hypervisor", "eth1")
    with pytest.raises(BenchError, match="the same machine"):
        refuse_same_machine(one, CannedHost({}, name="peer", facts=one.facts))
    refuse_same_machine(one, board("peer", "eth2"))


def test_another_architecture_is_said_before_a_guest_is_made_for_the_wrong_one() -> None:
    arm = CannedHost({}, facts=replace(FACTS, machine="riscv64"))
    with pytest.raises(BenchError, match="it is riscv64, and this machine") as caught:
        refuse_other_architecture(arm)
    assert "Run latlab on a riscv64 machine" in caught.value.hint


def test_a_board_has_one_user() -> None:
    free = CannedHost({})
    reserve(free)
    assert free.afterwards == [f"rmdir {IN_USE}"]
    with pytest.raises(BenchError, match="peer: another latlab is measuring with it"):
        reserve(CannedHost({f"mkdir {IN_USE}": 1}, name="peer"))
