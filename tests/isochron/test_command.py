# SPDX-License-Identifier: Apache-2.0
"""import, export and show --printf through the real command line: a log becomes a run, and a run a log."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.isochron.logs import CYCLE_NS, Log, received, sent, whole
from tests.lab.latlab_command import Command, latlab

DATA = Path(__file__).parents[1] / "data"


def called(folder: Path, *arguments: str | Path, code: int = 0) -> Command:
    command = latlab(*map(str, arguments), folder=folder)
    assert command.process.returncode == code, command.stderr
    assert "Traceback" not in command.stderr
    assert command.defects() == []
    return command


def imported(folder: Path, log: Log, *options: str) -> dict[str, Any]:
    """The run that a log becomes, as `latlab show --json` gives it."""
    (folder / "isochron.dat").write_bytes(log.bytes())
    runs = folder / "runs"
    made = called(folder, "import", folder / "isochron.dat", "--runs", runs, "--json", *options).json
    shown: dict[str, Any] = called(folder, "show", made["path"], "--runs", runs, "--json").json
    assert shown["id"] == made["id"]
    return shown


def test_a_log_becomes_a_run(tmp_path: Path) -> None:
    log = whole(1_200)
    log = replace(log, received=[*log.received[:1_100], *[(0, 0, 0, 0)] * 100])
    run = imported(tmp_path, log, "--direction", "up")
    counts = {key: run["counts"][key] for key in ("sent", "received", "lost", "replied", "late_wakeups", "missing")}
    assert counts == {"sent": 1_200, "received": 1_100, "lost": 100, "replied": 0, "late_wakeups": 0, "missing": {}}
    metrics = run["metrics"]
    assert metrics["round_trip"] == metrics["down"] == {"not_measured": "measured one way only"}
    wire = metrics["up_wire_to_wire"]
    assert (wire["n"], wire["min_ns"], wire["mean_ns"], wire["max_ns"]) == (1_100, 501, 1_050.5, 1_600)
    assert wire["quantiles_ns"]["p50"] == 500 + 550
    single = {key: metrics[f"up_{key}"]["max_ns"] for key in ("sender_wakeup", "send_path", "delivery_nic")}
    assert single == {"sender_wakeup": 1_000, "send_path": 3_000, "delivery_nic": 9_000}
    assert metrics["up_sender_wakeup"]["n"] == 1_200
    assert (run["status"], run["verdict"]["value"]) == ("done", "suspect")
    assert "nothing is known of the clocks" in run["verdict"]["reasons"][0]
    assert run["env"]["isochron"]["flag_names"] == ["DO_TS"]
    assert run["env"]["isochron"]["cycle_ns"] == CYCLE_NS
    assert run["env"]["isochron"]["started"] == "2027-01-15T07:59:22+00:00"
    assert run["bench"]["kind"] == "imported"
    assert sorted(run["files"]) == ["run.json", "samples.parquet"]  # and no timing.parquet: nothing is known


def test_nobody_is_blamed_for_what_may_have_been_a_clock(tmp_path: Path) -> None:
    log = whole(2_000)
    rows = [received(n, 500 + n % 7 * 100 + (20_000_000 if 1_000 <= n < 1_003 else 0)) for n in range(1, 2_001)]
    run = imported(tmp_path, replace(log, received=rows))
    assert run["timing"]["method"] == "none"
    (found,) = run["anomalies"]
    assert (found["verdict"], found["kind"], found["packets"]) == ("unknown", "stall", 3)
    assert found["size"] == pytest.approx(20_000_000, rel=0.01)


def test_packets_that_arrived_before_they_were_sent_refute_the_clocks(tmp_path: Path) -> None:
    log = whole(20)
    run = imported(tmp_path, replace(log, received=[*log.received[:19], received(20, -5_000)]), "--direction", "up")
    assert "and they were not in sync: R - T went down to -5000 ns" in run["verdict"]["reasons"]
    assert run["metrics"]["up_wire_to_wire"]["min_ns"] == -5_000


@pytest.mark.parametrize(
    ("log", "value", "reason"),
    [
        (replace(whole(), flags=3), "suspect", "isochron did not look at the clocks either (--omit-sync)"),
        (
            replace(whole(3), sent=[sent(1), sent(2), (0,) * 6]),
            "suspect",
            "1 of 3 packets were not sent, as far as the sender's log goes",
        ),
        (replace(whole(2), received=[(0,) * 4] * 2), "invalid", "no packet arrived"),
        (replace(whole(2), sent=[(0,) * 6] * 2), "invalid", "no packet was sent"),
    ],
)  # fmt: skip
def test_the_verdict_says_what_is_wrong(tmp_path: Path, log: Log, value: str, reason: str) -> None:
    verdict = imported(tmp_path, log)["verdict"]
    assert verdict["value"] == value
    assert reason in verdict["reasons"]


def test_a_log_that_went_through_a_run_is_the_same_log(tmp_path: Path) -> None:
    log = replace(whole(50), flags=0x1F, times=(7, 200_000, -3, CYCLE_NS, 11))
    log = replace(log, received=[*log.received[:20], (0, 0, 0, 0), *log.received[21:]])
    run = imported(tmp_path, log)
    done = called(tmp_path, "export", run["path"], "-f", "isochron", "-o", tmp_path / "out.dat")
    assert done.stdout == f"{tmp_path}/out.dat: 50 packets, 1 not received\n"
    assert (tmp_path / "out.dat").read_bytes() == log.bytes()


def test_one_packet_a_line_in_isochrons_letters(tmp_path: Path) -> None:
    run = imported(tmp_path, whole(2))
    done = called(tmp_path, "show", run["path"], "--printf", r"%u %d %T\n", "--printf-args", "qAS")
    assert done.stdout == "1 200000 1800000000.000000000\n2 200000 1800000000.001000000\n"
    done = called(tmp_path, "show", DATA / "run-format-1", "--printf", r"%u %d\n", "--printf-args", "qa", "--return")
    lines = [tuple(map(int, line.split())) for line in done.stdout.splitlines()]
    assert [number for number, _ in lines] == [*range(1, 121)]
    assert [number for number, home in lines if not home] == [61]  # the one whose reply did not come


def test_a_run_says_what_isochron_will_not_summarise(tmp_path: Path) -> None:
    done = called(tmp_path, "export", DATA / "run-format-1", "-f", "isochron", "-o", tmp_path / "out.dat", "--return")
    assert done.stdout == f"{tmp_path}/out.dat: 120 packets, 1 not received\n"
    assert "120 of 120 packets lack one of s, t, T" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["import", "absent.dat"], "No such file"),
        (["import", "."], "is not a file"),
        (["import", "cut.dat"], "cut.dat is cut short, or damaged at offset 72"),
        (["import", "old.dat"], "the log's version is 3; latlab reads version 4"),
        (["import", "late.dat"], "at offset 1312, the receiver's log has packet 9 in the place of packet 15"),
        (["export", "RUN", "-f", "isochron", "-o", "no/such/folder.dat"], "No such file"),
        *((["export", "RUN", "-f", form, "-o", "DEVICE"], "is not a file") for form in ("isochron", "csv", "flent")),
        (["export", "nothing", "-f", "isochron", "-o", "x"], "there is no run 'nothing'"),
        (["export", "RUN", "-f", "xls", "-o", "x"], "'xls' is not one of 'csv', 'parquet'"),
        (["show", "RUN", "--printf", "%s", "--printf-args", "S"], "%s is no conversion"),
        (["show", "RUN", "--printf-args", "S"], "give --printf FORMAT too"),
        (["show", "RUN", "--printf", "", "--json"], "two ways to show a run"),
    ],
)
def test_bad_input_is_one_clear_error_and_leaves_nothing(tmp_path: Path, arguments: list[str], complaint: str) -> None:
    log = whole(16)
    (tmp_path / "cut.dat").write_bytes(log.bytes()[:-1])
    (tmp_path / "old.dat").write_bytes(replace(log, version=3).bytes())
    rows = [*log.received[:14], received(9), received(16)]
    (tmp_path / "late.dat").write_bytes(replace(log, received=rows).bytes())
    device = tmp_path / "device"
    os.mkfifo(device)  # not /dev/null itself: root could replace it, were this to fail
    before = sorted(tmp_path.iterdir())
    words = [str(DATA / "run-format-1") if word == "RUN" else word for word in arguments]
    words = [str(device) if word == "DEVICE" else word for word in words]
    words = [str(tmp_path / word) if word.endswith(".dat") else word for word in words]
    command = called(tmp_path, *words, "--runs", tmp_path / "runs", code=3)
    assert complaint in command.stderr
    assert command.stdout == ""
    assert sorted(path for path in tmp_path.iterdir() if not path.name.startswith("command-")) == before


def test_a_name_that_cannot_be_shown_is_no_trouble(tmp_path: Path) -> None:
    path = tmp_path / "\udcff\n.dat"
    path.write_bytes(whole(2).bytes())
    called(tmp_path, "import", path, "--runs", tmp_path / "runs")
    (listed,) = json.loads(called(tmp_path, "list", "--runs", tmp_path / "runs", "--json").stdout)
    assert listed["scenario"] == "\ufffd?.dat"
