# SPDX-License-Identifier: Apache-2.0
"""The main job on the local bench, end to end: every attachment, with and without load, and what its runs say.

Four scenarios are run, once each, and leave the machine as it was; the tests look at their runs. Numbers are compared
with each other only: how fast this machine is, is not for a test to say.
"""

from __future__ import annotations

import json
import re
import statistics
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from latlab import attachment, session
from latlab.attachment import baseline
from latlab.attachment.common import packet_counters
from latlab.attachment.wiring import Evidence, Wiring
from latlab.bench.site import Site
from tests.lab.latlab_command import Command, latlab
from tests.lab.machine_state import State, is_root, lasting_differences, read_state

COUNT = 200
FLOW = f"period: 2ms, count: {COUNT}"
MATRIX = f"""
attachment: [baseline, user, tap-bridge, macvtap]
load: [none, {{streams: 2, protocol: udp, rate: 1Mbit}}]
flow: {{{FLOW}}}
instruments: [probe, netperf: {{tests: [TCP_RR, UDP_RR], transactions: 50}}, ping: {{count: 5, interval: 20ms}}]
"""
FLOWS = f"""
attachment: [baseline, tap-bridge]
flow:
  - {{direction: up, {FLOW}}}
  - {{transport: udp6, {FLOW}}}
  - {{transport: l2, direction: up, {FLOW}}}
  - {{transport: l2, vlan: 5, pcp: 3, {FLOW}}}
"""
OPTIONS = f"""
attachment: [macvtap: {{mode: [vepa, private, passthru]}}, tap-bridge: {{vhost: off}}]
flow: {{{FLOW}}}
"""
LOADS = f"""
attachment: tap-bridge
load:
  - {{streams: 2, protocol: tcp, rate: 1Mbit}}
  - {{streams: 2, protocol: udp, rate: 1Mbit, source: hypervisor}}
  - {{streams: 2, protocol: tcp, program: netperf}}
flow: {{{FLOW}}}
"""
CPU_REASON = re.compile(r"sent a whole period late|SCHED_FIFO was refused")
"""All that may make a run suspect here: a machine that has other work to do."""
BOOT_LIMIT_S = 15.0
"""The aim is 5 s, on a machine that does nothing else; the median is printed."""


class Ran:
    """A scenario that was run to its end: the command, and each run as `latlab show --json` reads it."""

    def __init__(self, name: str, scenario: str, folder: Path) -> None:
        if not is_root():
            pytest.skip("needs root")
        before = read_state()
        file, self.runs = folder / f"{name}.yaml", folder / f"runs-{name}"
        file.write_text(scenario)
        self.command: Command = latlab(
            "run", str(file), "--bench", "local", "--runs", str(self.runs), "--json", folder=folder
        )
        assert self.command.wait_until_all_ended() == {}
        assert lasting_differences(before) == []
        listed = latlab("list", "--json", "--runs", str(self.runs), folder=folder)
        assert listed.process.returncode == 0, listed.stderr
        self.listed: list[dict[str, Any]] = listed.json
        self.shown: list[dict[str, Any]] = [
            latlab("show", run["id"], "--json", "--runs", str(self.runs), folder=folder).json for run in self.listed
        ]
        self.boots_s = [float(s) for s in re.findall(r"guest (\d+\.\d) s", self.command.stderr)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("local")


@pytest.fixture(scope="module")
def matrix(folder: Path) -> Ran:
    return Ran("matrix", MATRIX, folder)


@pytest.fixture(scope="module")
def flows(folder: Path) -> Ran:
    return Ran("flows", FLOWS, folder)


@pytest.fixture(scope="module")
def options(folder: Path) -> Ran:
    return Ran("options", OPTIONS, folder)


@pytest.fixture(scope="module")
def loads(folder: Path) -> Ran:
    return Ran("loads", LOADS, folder)


def assert_good(run: dict[str, Any]) -> None:
    """Measured, proven, and told apart from a machine that is busy."""
    name = run["id"]
    assert run["status"] == "done", (name, run["verdict"])
    assert run["verdict"]["value"] in ("valid", "suspect"), (name, run["verdict"])
    assert all(CPU_REASON.search(reason) for reason in run["verdict"]["reasons"]), (name, run["verdict"])
    assert run["counts"]["sent"] == COUNT
    assert run["evidence"], name
    assert all(entry["ok"] for entry in run["evidence"]), (name, run["evidence"])
    if run["load"] == "none":
        assert (run["counts"]["lost"], run["n"]) == (0, COUNT), name
    round_trip = run["metrics"]["round_trip"]
    assert 0 < round_trip["min_ns"] <= round_trip["quantiles_ns"]["p50"] <= round_trip["max_ns"]


def assert_one_way(run: dict[str, Any]) -> None:
    """One clock: both ways are positive. Two clocks: they have a bound. Both together are within the round trip."""
    up, down, round_trip = (run["metrics"][name] for name in ("up", "down", "round_trip"))
    shared = run["attachment"] == "baseline"
    assert run["timing"]["method"] == ("shared" if shared else "exchange"), run["env"].get("timing")
    for way in (up, down):
        assert (way["bound_ns"] == 0) == shared
        assert way["min_ns"] + way["bound_ns"] > 0
    assert up["mean_ns"] + down["mean_ns"] <= round_trip["mean_ns"]


def assert_all_good(ran: Ran, points: int) -> None:
    assert ran.command.process.returncode == 0, ran.command.stderr
    assert len(ran.shown) == points
    for run in ran.shown:
        assert_good(run)
        assert_one_way(run)


@pytest.mark.timeout(180)
def test_every_attachment_with_and_without_load(matrix: Ran) -> None:
    assert_all_good(matrix, 8)
    measured = {(run["attachment"], run["load"] == "none") for run in matrix.shown}
    assert measured == {
        (name, quiet) for name in ("baseline", "user", "tap-bridge", "macvtap") for quiet in (True, False)
    }


def test_a_load_ran_as_fast_as_it_was_asked_to(matrix: Ran) -> None:
    loaded = [run for run in matrix.shown if run["load"] != "none"]
    for run in loaded:
        achieved = run["load_achieved"]
        assert achieved["ran"] is True
        assert achieved["achieved_bps"] == pytest.approx(2_000_000, rel=0.5), run["id"]
    assert [run["load_achieved"] for run in matrix.shown if run["load"] == "none"] == [None] * 4


def test_the_other_instruments_measured_too(matrix: Ran) -> None:
    for run in matrix.shown:
        results = run["instruments"]
        for name, n in (("netperf TCP_RR", 50), ("netperf UDP_RR", 50), ("ping", 5)):
            result = results[name]
            if (run["attachment"], name) == ("user", "ping"):
                assert "passes no ping" in result["not_measured"]
            elif run["load"] == "none":
                assert (result["n"], result["not_measured"]) == (n, None), (run["id"], name)
                assert 0 < result["min_ns"] <= result["mean_ns"] <= result["max_ns"]


def test_every_attachment_costs_something(matrix: Ran) -> None:
    """A round trip through a guest is longer than one without: else the packets did not go there."""
    fastest = {
        run["attachment"]: run["metrics"]["round_trip"]["min_ns"] for run in matrix.shown if run["load"] == "none"
    }
    assert all(fastest["baseline"] < fastest[name] for name in ("user", "tap-bridge", "macvtap")), fastest


def test_list_and_show_say_the_same(matrix: Ran) -> None:
    """And `run --json` says it too."""
    for listed, shown in zip(matrix.listed, matrix.shown, strict=True):
        assert listed["verdict"] == shown["verdict"]["value"]
        for field in ("id", "attachment", "load", "n", "lost", "quantiles_ns", "status", "point_id"):
            assert listed[field] == shown[field], field
        assert listed["quantiles_ns"]["p50"] > 0
        assert listed["quantiles_ns"]["p99.9"] is None, "200 samples are too few for it"
        assert {"run.json", "samples.parquet", "commands.jsonl", "env-before.json", "env-after.json"} <= set(
            shown["files"]
        )
    printed = matrix.command.json
    assert sorted(run["id"] for run in printed) == sorted(run["id"] for run in matrix.listed)


@pytest.mark.timeout(180)
def test_other_flows(flows: Ran) -> None:
    """Out of the guest, over IPv6, in raw Ethernet frames, and with a VLAN tag, which the bridge passes on."""
    assert_all_good(flows, 8)
    measured = {(f["direction"], f["transport"], f["vlan"]) for f in (run["point"]["flow"] for run in flows.shown)}
    assert measured == {("up", "udp4", None), ("down", "udp6", None), ("up", "l2", None), ("down", "l2", 5)}


@pytest.mark.timeout(180)
def test_modes_of_macvtap_and_a_bridge_without_vhost(options: Ran) -> None:
    assert_all_good(options, 4)
    notes = [run["env"]["attachment"] for run in options.shown]
    assert sorted(note["mode"] for note in notes if "mode" in note) == ["passthru", "private", "vepa"]
    assert [note for note in notes if "mode" not in note] == [{"vhost": "off", "queues": "1"}]


def machines_of(run: dict[str, Any], *words: str) -> set[str]:
    """The machines on which the run started a command that holds all these words."""
    lines = (Path(run["path"]) / "commands.jsonl").read_text().splitlines()
    commands = [json.loads(line) for line in lines]
    return {command["host"] for command in commands if set(words) <= set(command["argv"])}


@pytest.mark.timeout(180)
def test_loads_of_other_protocols_sources_and_programs(loads: Ran) -> None:
    assert loads.command.process.returncode == 0, loads.command.stderr
    found = {run["load"]: run for run in loads.shown}
    tcp, here, netperf = (
        found[label] for label in ("2 tcp same 1M", "2 udp same 1M from hypervisor", "2 tcp same by netperf")
    )
    assert len(found) == 3
    for run in found.values():
        assert run["status"] == "done", run["verdict"]
        assert run["load_achieved"]["ran"] is True, run["verdict"]
        assert run["counts"]["sent"] == COUNT
        assert all(entry["ok"] for entry in run["evidence"]), (run["id"], run["evidence"])
    for run in (tcp, here):
        assert_good(run)
        assert run["load_achieved"]["achieved_bps"] == pytest.approx(2_000_000, rel=0.5), run["id"]
    # Without a rate it takes what there is: more than the others were allowed to.
    assert netperf["load_achieved"]["achieved_bps"] > 2_000_000
    assert machines_of(tcp, "iperf3", "-s") == {"peer"}
    assert machines_of(here, "iperf3", "-s") == {"hypervisor"}
    assert machines_of(netperf, "netserver") == {"peer"}
    assert machines_of(netperf, "netperf", "TCP_MAERTS") == {"guest"}


def test_guests_boot_soon(matrix: Ran, options: Ran) -> None:
    boots = matrix.boots_s + options.boots_s
    assert len(boots) == 10
    median = statistics.median(boots)
    sys.stderr.write(f"guest to its first answer: median {median:.1f} s of {len(boots)}, worst {max(boots):.1f} s\n")
    assert median < BOOT_LIMIT_S


def test_an_unusable_kvm_is_found_out_soon(matrix: Ran) -> None:
    """From the start to a bench that is up, trial guest and all."""
    up = re.search(r"up in (\d+\.\d) s", matrix.command.stderr)
    assert up
    assert float(up.group(1)) < 3
    if "under tcg" in matrix.command.stderr:
        assert re.search(r"KVM does not work here: \S", matrix.command.stderr)


def test_packets_that_took_another_way_are_found_out(
    before: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An attachment whose packets do not pass where it says: all of them are answered, and the run is invalid."""

    def evidence(site: Site, wiring: Wiring, machine: object) -> Evidence:
        return Evidence(packet_counters(site.hypervisor, "lo", "NIC"), {"the NIC is in the bridge": False})

    wrong = SimpleNamespace(attach=baseline.attach, evidence=evidence, VLAN_AT="nic", NEEDS=())
    monkeypatch.setitem(attachment.KINDS, "baseline", wrong)
    (tmp_path / "mine.yaml").write_text(f"attachment: baseline\nflow: {{{FLOW}}}\n")
    made = session.prepare(str(tmp_path / "mine.yaml"), "local", [])
    assert session.run(made, tmp_path / "runs") == 2
    shown = latlab("show", "--json", "--runs", str(tmp_path / "runs"), folder=tmp_path).json
    assert (shown["status"], shown["verdict"]["value"], shown["n"]) == ("done", "invalid", COUNT)
    reasons = "; ".join(shown["verdict"]["reasons"])
    assert f"but grows by {COUNT} or more" in reasons
    assert "the NIC is in the bridge: not so" in reasons
    assert "invalid" in capsys.readouterr().err
    assert lasting_differences(before) == []
