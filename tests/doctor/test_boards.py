# SPDX-License-Identifier: Apache-2.0
"""Attachments on two boards, by what is seen of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from latlab.bench.boards import IN_USE
from latlab.doctor import boards
from latlab.doctor.benches import BenchState
from latlab.doctor.boards import boards_state
from latlab.errors import HostError
from latlab.guest.kernel import Kernel
from latlab.hosts.channel import Facts
from latlab.hosts.host import Host
from latlab.hosts.ssh import SshTarget
from latlab.scenario.bench_model import Board, BoardsBench
from tests.needs.facts import ABLE, Told

BENCH = BoardsBench(hypervisor=Board(ssh="board1", nic="eth1"), peer=Board(ssh="root@board2", nic="eth2"))
Examined = Callable[..., BenchState]
KERNEL = Kernel("6.12.1", Path("/boot/vmlinuz-6.12.1"), Path("/"))


class Far(Told):
    def __init__(self, name: str, said: Mapping[str, str], *, uid: int = 0) -> None:
        super().__init__(said=said)
        self.name = name
        self._facts = Facts("", 0, uid, os.uname().machine, f"6.1-{name}", "", 4, [])


def free(nic: str) -> dict[str, str]:
    return {
        f"ip -j -d -s link show dev {nic}": f'[{{"ifname": "{nic}", "flags": []}}]',
        "ip -j -4 route show default": "[]",
        "ip -j -6 route show default": "[]",
        "ip -j link show": "[]",
        "ip -j addr show": "[]",
        f"ip -j addr show dev {nic}": "[]",
        f"tc -j qdisc show dev {nic}": "[]",
    }


@pytest.fixture
def examined(monkeypatch: pytest.MonkeyPatch) -> Examined:
    def state(said: Mapping[str, str] | None = None, *, uid: int = 0, off: str = "") -> BenchState:
        hosts: dict[str, Host] = {
            "board1": Far("hypervisor", {**free("eth1"), "test -e /dev/kvm": ""}, uid=uid),
            "root@board2": Far("peer", {**free("eth2"), **(said or {})}),
        }

        @contextmanager
        def looking(name: str, target: SshTarget) -> Iterator[Host]:
            if target.destination == off:
                raise HostError(name, "it does not answer over ssh: No route to host", hint=f"ssh {off}")
            yield hosts[target.destination]

        monkeypatch.setattr(boards, "looking", looking)
        monkeypatch.setattr(boards, "look", lambda *_, **more: replace(ABLE, bench=more["bench"], uid=more["uid"]))
        monkeypatch.setattr(boards, "guests", lambda *_: ([], KERNEL))
        monkeypatch.setattr(boards, "has", lambda *_: ABLE.guest_modules)
        return boards_state("mine", BENCH)

    return state


def missed(state: BenchState, kind: str = "tap-bridge") -> list[str]:
    (found,) = (a for a in state.attachments if a.kind == kind)
    return [m.what for m in found.missing]


def test_two_boards_that_have_everything(examined: Examined) -> None:
    state = examined()
    assert missed(state) == []
    assert "board1 eth1 <-> root@board2 eth2" in state.about
    assert "guests under kvm, if" in state.about


def test_one_that_is_off_is_named(examined: Examined) -> None:
    state = examined(off="root@board2")
    (found,) = state.attachments[0].missing
    assert (found.what, found.command) == ("peer root@board2", "ssh root@board2")
    assert found.why == "it does not answer over ssh: No route to host"


def test_what_is_in_the_way_on_the_peer(examined: Examined) -> None:
    used = {"ip -j -d -s link show dev eth2": '[{"flags": [], "master": "br0"}]'}
    assert missed(examined(used)) == ["peer's NIC eth2"]
    # Its NIC is that of whoever measures with it now.
    state = examined({**used, f"test -d {IN_USE}": ""})
    assert missed(state) == []
    assert "root@board2 in use by a latlab" in state.about


def test_a_login_that_is_not_root(examined: Examined) -> None:
    assert "root on board1" in missed(examined(uid=1000))
