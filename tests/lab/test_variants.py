# SPDX-License-Identifier: Apache-2.0
"""Several guests, queues, MTU, offloads, shared set-ups: on the local bench, each run proven and undone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.lab.latlab_command import latlab
from tests.lab.machine_state import State, is_root, lasting_differences

FLOW = "flow: {period: 5ms, count: 100}"
GUESTS = f"""
attachment: [user, {{tap-bridge: {{queues: 2}}}}, {{macvtap: {{queues: 2}}}}]
guest: {{count: 2, cpus: 2, memory: 128MiB}}
load: [none, {{streams: 3, rate: 500kbit, source: guests}}]
reuse-guest: true
{FLOW}
"""
NICS = """
attachment: [baseline, tap-bridge, macvtap]
nic: [{offloads: off}, {mtu: 4000}]
flow: {period: 5ms, count: 100, size: 1400B}
"""
JUMBO = """
attachment: tap-bridge
nic: {mtu: 4000}
flow: {period: 5ms, count: 100, size: 3900B}
"""


def measured(text: str, folder: Path, before: State) -> list[dict[str, Any]]:
    """The runs of a scenario on the local bench, whole, oldest first; the machine is as it was."""
    if not is_root():
        pytest.skip("needs root")
    path, runs = folder / "scenario.yaml", str(folder / "runs")
    path.write_text(text)
    done = latlab("run", str(path), "--bench", "local", "--runs", runs, folder=folder)
    assert done.process.returncode == 0, done.stderr
    assert lasting_differences(before) == []
    listed = latlab("list", "--runs", runs, "--json", folder=folder).json
    found = [latlab("show", run["id"], "--runs", runs, "--json", folder=folder).json for run in listed]
    for run in found:
        assert run["verdict"]["value"] != "invalid", run["verdict"]
        assert run["evidence"]
        assert all(item["ok"] for item in run["evidence"])
        if run["load"] == "none":
            assert (run["n"], run["lost"]) == (100, 0), run["attachment"]
    return found


@pytest.mark.timeout(240)
def test_several_guests_are_idle_or_make_the_load(tmp_path: Path, before: State) -> None:
    runs = measured(GUESTS, tmp_path, before)
    assert [run["attachment"] for run in runs[::2]] == ["user", "tap-bridge queues=2", "macvtap queues=2"]
    for first, second in zip(runs[::2], runs[1::2], strict=True):
        # One attachment and its two guests served both runs, and the second says so.
        assert "reused" not in first["env"]
        assert second["env"]["reused"] == f"attachment and guests of {first['id']}"
        assert second["load_achieved"]["ran"]
        assert second["load_achieved"]["achieved_bps"] > 0.3 * 3 * 500_000
        # What the second guest receives is no part of what the first one received.
        (guest,) = (item for item in second["evidence"] if item["what"] == "flow: guest eth0 rx packets")
        assert 100 <= guest["after"] - guest["before"] < 150


@pytest.mark.timeout(240)
def test_mtu_and_offloads_are_set_everywhere_and_put_back(tmp_path: Path, before: State) -> None:
    runs = measured(NICS, tmp_path, before)
    assert len(runs) == 6
    for run in runs:
        if run["point"]["nic"]["offloads"] == "off":
            kept = run["env"]["offloads that stay on"]
            # A macvtap's are its guest's: all others are off.
            assert kept == "none" or all(word.startswith("hypervisor llmvt0 ") for word in kept.split(", ")), kept


@pytest.mark.timeout(120)
def test_packets_larger_than_usual_arrive_whole(tmp_path: Path, before: State) -> None:
    (run,) = measured(JUMBO, tmp_path, before)
    assert run["point"]["nic"]["mtu_bytes"] == 4000
