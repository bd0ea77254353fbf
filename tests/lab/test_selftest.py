# SPDX-License-Identifier: Apache-2.0
"""The self-test on the emulated bench, for real: faults are injected, seen and judged, and nothing of it stays.

How small a fault is seen depends on who else uses this machine; what is asserted is that the faults were made, that
they are as large as they say, and that lost packets, which no other load of this machine makes, are found.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab.latlab_command import Command

LIMIT_S = 170
"""40 s when nothing else runs here."""


@pytest.mark.timeout(LIMIT_S + 20)
def test_faults_are_injected_and_the_large_ones_are_named(tmp_path: Path) -> None:
    bench, runs = tmp_path / "tested.yaml", tmp_path / "runs"
    bench.write_text("kind: emulated\n")
    only = ["--only", "delay", "--only", "loss"]
    command = Command(["selftest", str(bench), *only, "--faults", "4", "--json", "--runs", str(runs)], tmp_path)
    try:
        command.wait(LIMIT_S)
        assert command.process.returncode in (0, 2), command.stderr
        assert command.defects() == []
        assert command.wait_until_all_ended() == {}
    finally:
        command.end()
    found = command.json
    assert found["floor"]["level_ns"] > 0
    assert found["floor"]["round_trip_ns"] > 0
    injected = sorted((one["kind"], one["way"]) for one in found["injections"])
    assert injected == [(kind, way) for kind in ("delay", "loss") for way in ("forward", "return")]
    reasons = {one["kind"]: one["reason"] for one in found["left_out"]}
    assert reasons["reordering"] == "not asked for"
    for one in found["injections"]:
        assert one["end_ns"] - one["start_ns"] > 0.9e9
        assert not one["as_network"]
        if one["kind"] == "delay":
            assert one["true_size"] == pytest.approx(one["size"], abs=2_000)
        else:
            assert one["true_size"] > 0
            assert one["named"] is not False
    (run,) = [path for path in runs.iterdir() if path.is_dir()]
    assert (run / "samples.parquet").exists()
