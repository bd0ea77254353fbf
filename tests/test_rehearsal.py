# SPDX-License-Identifier: Apache-2.0
"""A rehearsal: the commands of a whole plan, in order, without touching a machine."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from latlab import rehearsal
from latlab.guest.kernel import Kernel
from latlab.rehearsal import rehearse_plan, rehearse_point, rehearsed_site
from latlab.scenario.attachments import Baseline, Macvtap, TapBridge, User
from latlab.scenario.bench_model import Addresses, Board, BoardsBench, EmulatedBench, LocalBench
from latlab.scenario.model import Flow, Guest, Load, Netperf, Ping, Point, Probe, Scenario
from latlab.scenario.plan import make_plan
from tests.golden import check_golden

KERNEL = Kernel("6.12.1", Path("/boot/vmlinuz-6.12.1"), Path("/"))
GOLDEN = Path(__file__).parent / "data/rehearsal.sh"


def point(**others: Any) -> Point:
    given: dict[str, Any] = {"flow": Flow(), "load": None, "guest": Guest(), "instruments": (Probe(),)} | others
    return Point(**given)


def script(**others: Any) -> list[str]:
    return rehearse_point(
        point(**others), rehearsed_site("local", Addresses(), KERNEL, nic="eth0", peer_nic="eth1")
    )  # fmt: skip


def test_load_and_instruments_too() -> None:
    lines = script(
        attachment=TapBridge(vhost="off"), load=Load(streams=2, program="netperf"),
        flow=Flow(direction="up", vlan=5, transport="l2"),
        instruments=(Probe(), Netperf(tests=("TCP_RR", "UDP_RR")), Ping()),
    )  # fmt: skip
    check_golden(GOLDEN, "\n".join(lines) + "\n")


@pytest.mark.parametrize("attachment", [Baseline(), User(), TapBridge(), Macvtap()])
@pytest.mark.parametrize("direction", ["up", "down"])
@pytest.mark.parametrize("program", ["iperf3", "netperf"])
def test_a_script_is_one_for_a_shell(attachment: Any, direction: Any, program: Any) -> None:
    lines = script(attachment=attachment, flow=Flow(direction=direction), load=Load(program=program, protocol="tcp"))
    assert (
        subprocess.run(["sh", "-n"], input="\n".join(lines), text=True, capture_output=True, check=False).stderr == ""
    )
    (sends,) = (line for line in lines if "latlab-probe send" in line)
    (reflects,) = (line for line in lines if "latlab-probe reflect" in line)
    in_peer, other = (sends, reflects) if direction == "down" else (reflects, sends)
    assert in_peer.startswith("ip netns exec peer ")
    assert not other.startswith("ip netns exec peer ")
    # A reflector waits beside what follows; the sender is waited for.
    assert "&" in shlex.split(reflects, comments=True)
    assert "&" not in shlex.split(sends, comments=True)


@pytest.mark.parametrize(("program", "server"), [("iperf3", "iperf3 -s"), ("netperf", "netserver -D -f")])
def test_the_loads_server_runs_where_the_load_comes_from(program: Any, server: str) -> None:
    for source, prefix, address in (("hypervisor", "", "198.18.77.1"), ("peer", "ip netns exec peer ", "198.18.77.2")):
        load = Load(program=program, protocol="tcp", source=source, streams=1)  # type: ignore[arg-type]
        lines = script(attachment=TapBridge(), load=load)
        (serves,) = (line for line in lines if server in line)
        assert serves.startswith(prefix + server)
        assert address in serves
        (asks,) = (line for line in lines if line.startswith((f"{program} -c", f"{program} -H")))
        assert address in asks
        assert asks.endswith("# in the guest")


BOARDS = BoardsBench(hypervisor=Board(ssh="board1", nic="eth1"), peer=Board(ssh="root@board2", nic="eth2"))


def test_what_runs_on_a_board_is_said_with_its_board(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rehearsal, "find_kernel", lambda _: KERNEL)
    plan = make_plan(Scenario(attachments=(TapBridge(),), loads=(None,), instruments=(Probe(),)), BOARDS)
    lines = list(rehearse_plan(plan, BOARDS))
    checked = subprocess.run(["sh", "-n"], input="\n".join(lines), text=True, capture_output=True, check=False)
    assert checked.stderr == ""
    (sends,) = (line for line in lines if "latlab-probe send" in line)
    assert shlex.split(sends)[:3] == ["ssh", "--", "root@board2"]
    assert shlex.split(sends)[3].startswith("latlab-probe send --udp")
    (reflects,) = (line for line in lines if "latlab-probe reflect" in line)
    assert not reflects.startswith("ssh")
    assert reflects.endswith("# in the guest")
    assert next(line.split()[:3] for line in lines if "type bridge" in line) == ["ssh", "--", "board1"]
    assert not any("netns" in line for line in lines)


@pytest.mark.parametrize("bench", [EmulatedBench(), EmulatedBench(machines=2), LocalBench(), BOARDS])
def test_a_plan_is_every_point_under_its_name(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rehearsal, "find_kernel", lambda _: KERNEL)
    scenario = Scenario(attachments=(Baseline(), TapBridge()), loads=(None, Load()), instruments=(Probe(),))
    plan = make_plan(scenario, bench)
    lines = list(rehearse_plan(plan, bench))
    headings = [line for line in lines if line.startswith("# ")]
    assert headings == [f"# {p.number}: {p.label}" for p in plan.points]
    assert len(headings) == 4
    assert sum("qemu-system-" in line for line in lines) == 2
    assert sum("iperf3" in line and "-s" in line for line in lines) == 2
