# SPDX-License-Identifier: Apache-2.0
"""What `latlab compare` says and with which exit code, through the command line, on runs in a folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from latlab.cli import main
from latlab.comparison import compare
from latlab.errors import NotComparableError
from latlab.report.compare import compare_text, headlines
from latlab.stats.comparing import Question
from latlab.stats.summary import MetricResult
from latlab.store.document import RunDocument, Verdict
from latlab.store.run_dir import run_paths
from latlab.verbs.compare import parse_tolerance
from tests.golden import check_golden
from tests.runs_maker import BENCH, POINT, Network, latencies, run, summary

GOLDEN = Path(__file__).parent / "compared"
NETWORK = Network()


def keep(root: Path, document: RunDocument) -> None:
    folder = root / document.id
    folder.mkdir(parents=True)
    (folder / "run.json").write_bytes(document.to_json())


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Six runs over a bridge; six over macvtap, a third slower, of another kernel; one emulated; one invalid."""
    monkeypatch.chdir(tmp_path)
    rng, folder = np.random.default_rng(5), tmp_path / "runs"
    for number in range(12):
        bridge = number % 2 == 0
        values = latencies(NETWORK, rng) * (3 if bridge else 4) // 3
        metrics: dict[str, MetricResult] = {
            "round_trip": summary(values), "down": summary(values // 2, bound_ns=2_500),
        }  # fmt: skip
        kind = "tap-bridge" if bridge else "macvtap"
        point = POINT | {"attachment": {"kind": kind}}
        kernel = {"latlab": "0.2.0", "kernel of the hypervisor": "6.12.94" if bridge else "6.12.95"}
        keep(folder, run(number, metrics, attachment=kind, point=point, method="exchange", versions=kernel,
                         point_id="a1b2c3d4e5f6" if bridge else "b1b2c3d4e5f6", lost=0 if bridge else 2))  # fmt: skip
    emulated = BENCH.model_copy(update={"kind": "emulated", "name": "emulated"})
    keep(folder, run(60, metrics, attachment="vfio", bench=emulated))
    keep(folder, run(61, metrics, attachment="user", verdict=Verdict(value="invalid", reasons=["no packet came"])))
    return folder


BRIDGE, MACVTAP = "*-tap-bridge-*", "*-macvtap-*"


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    out, err = capsys.readouterr()
    assert isinstance(ended.value.code, int)
    return ended.value.code, out, err


def test_worse_is_1_and_better_is_0(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = said(capsys, "compare", BRIDGE, MACVTAP)
    assert (code, err) == (1, "")
    first = " ".join(out.split("\n\n")[0].split())
    assert first.startswith("round trip p99 is 3")
    assert "worse: " in first
    assert "beyond the A/A noise of" in first
    assert first.endswith("6 runs against 6 runs")
    code, out, _ = said(capsys, "compare", MACVTAP, BRIDGE)
    assert code == 0
    assert "better: " in out


def test_what_is_printed(root: Path) -> None:
    check_golden(GOLDEN / "worse.txt", compare_text(compare(BRIDGE, MACVTAP, root)).plain)
    one, other = "20261120T1403", "20261120T1405"
    text = compare_text(compare(one, other, root, Question(tolerance=0.05, stages=True))).plain
    check_golden(GOLDEN / "one-run-a-side.txt", text)
    undecided = compare(
        f"{one},20261120T1407,20261120T1411", f"{other},20261120T1409", root, Question(metrics=("down",))
    )
    check_golden(GOLDEN / "undecided.txt", compare_text(undecided).plain)


@pytest.mark.parametrize("name", sorted(path.name for path in GOLDEN.glob("*.txt")))
def test_lines_fit_in_100_columns(name: str) -> None:
    assert [line for line in (GOLDEN / name).read_text().splitlines() if len(line) > 100] == []


def test_json_has_what_the_text_has(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = said(capsys, "compare", BRIDGE, MACVTAP, "--json", "--tolerance", "5%")
    values = json.loads(out)
    assert code == values["exit_code"] == 1
    (pair,) = values["comparisons"]
    found = compare(BRIDGE, MACVTAP, root, Question(tolerance=0.05))
    assert pair["headlines"] == headlines(found.pairs[0].comparison)
    gate = next(row for row in pair["rows"] if row["gate"])
    assert (gate["metric"], gate["quantity"], gate["word"], gate["tolerance"]) == (
        "round_trip",
        "p99",
        "worse",
        "too much",
    )
    assert gate["low"] < gate["difference"] < gate["high"]
    assert gate["difference"] == gate["b"] - gate["a"]
    names = [(entry["section"], entry["name"]) for entry in pair["environment"]]
    assert names == [("point", "attachment.kind"), ("kernel", "kernel of the hypervisor")]
    assert any("not only the attachment differs, also: kernel" in note for note in pair["notes"])


def test_the_tolerance_decides_what_counts(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "compare", BRIDGE, MACVTAP, "--tolerance", "50%")[0] == 0
    assert "no more than the tolerance of 50 %" in " ".join(said(
        capsys, "compare", BRIDGE, MACVTAP, "--tolerance", "50%")[1].split())  # fmt: skip
    assert said(capsys, "compare", BRIDGE, MACVTAP, "--tolerance", "5%", "--quantile", "p50,p90")[0] == 1


def test_a_baseline_gates(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "baseline", "set", "main", BRIDGE)[0] == 0
    assert said(capsys, "baseline", "list")[1].startswith(" main ")
    assert said(capsys, "baseline", "list", "--json")[1].count("tap-bridge") == 6
    assert said(capsys, "compare", "baseline:main", "20261120T1404")[0] == 1
    assert "baseline main: 1 run, in place of 6" in said(capsys, "baseline", "set", "main", "20261120T1404")[1]
    assert said(capsys, "compare", "baseline:main", "20261120T1406")[0] == 0
    assert said(capsys, "baseline", "remove", "main")[0] == 0
    code, out, err = said(capsys, "compare", "baseline:main", "latest")
    assert (code, out) == (3, "")
    assert err == "latlab: runs has no baseline 'main'\n        latlab baseline set NAME RUN... makes one\n"


def test_a_matrix_on_another_nic_is_compared_when_the_nic_is_under_test(root: Path, tmp_path: Path) -> None:
    for path in run_paths(root)[:8]:
        text = (path / "run.json").read_text()
        moved = tmp_path / "other" / path.name.replace("20261120", "20261121")
        moved.mkdir(parents=True)
        (moved / "run.json").write_text(text.replace("20261120T", "20261121T").replace("enp1s0 (igb)", "enp2s0 (igc)"))
    first = ",".join(path.name for path in run_paths(root)[:8])
    with pytest.raises(NotComparableError, match="no point of A"):
        compare(first, str(tmp_path / "other"), root)
    found = compare(first, str(tmp_path / "other"), root, Question(under_test=("nic",)))
    assert len(found.pairs) == 2
    assert [(e.section, e.name) for e in found.pairs[0].environment] == [("bench", "nic")]


def test_a_matrix_is_compared_point_by_point(root: Path) -> None:
    early = ",".join(f"20261120T14{minute:02}" for minute in range(3, 9))
    late = ",".join(f"20261120T14{minute:02}" for minute in range(9, 15))
    found = compare(f"{early},20261120T1503", late, root)
    assert [pair.comparison.a.label for pair in found.pairs] == ["tap-bridge, no load", "macvtap, no load"]
    assert found.exit_code == 0
    assert found.left_out == ("only A has vfio, no load (1 run): not compared",)
    alone = compare("20261120T1403,20261120T1405,20261120T1407", "20261120T1409,20261120T1411,20261120T1413", root)
    noise = [pair.comparison.gates[0].found for pair in (found.pairs[0], alone.pairs[0])]
    assert noise[0] is not None
    assert noise[1] is not None
    assert (noise[0].noise or 0) > (noise[1].noise or 0), "two gates are harder to call than one"


@pytest.mark.parametrize(
    ("arguments", "code", "lines"),
    [
        (["latest", BRIDGE], 2, ["1 of 1 runs of A cannot be believed", "no packet came", "--without-invalid"]),
        (["latest,20261120T1403", "20261120T1405"], 2, ["1 of 2 runs of A", "no packet came"]),
        (["20261120T1503", "20261120T1403"], 3, ["must not be compared: emulated against real: emulated against"]),
        (["20261120T1403", "20261120T1404", "--under-test", "kernel"], 3, ["other attachment: tap-bridge against"]),
        (["20261120T1403,20261120T1404", "20261120T1503"], 3, ["no point of A (2) is one of B (1)", "on each side"]),
        (["20261120T1403", "20261120T1403"], 3, ["is on both sides"]),
        (["20261120T1403", "2030"], 3, ["there is no run '2030'", "`latlab list` shows the runs"]),
        (["20261120T1403", "20261120T1404", "--quantile", "p98"], 3, ["p98 is no quantile", "p99.9"]),
        (["20261120T1403", "20261120T1404", "--metric", "rtt"], 3, ["rtt is no metric", "round_trip"]),
        (["20261120T1403", "20261120T1404", "--quantile", "p99.99"], 2, ["has no p99.99 in A", "Measure longer"]),
        (["20261120T1403", "20261120T1404", "--metric", "up"], 2, ["up cannot be compared: not measured in A"]),
        (["20261120T1403", "20261120T1404", "--tolerance", "5"], 3, ["not a tolerance: '5'", "write --tolerance 5%"]),
        (["20261120T1403", "20261120T1404", "--tolerance", "5ms"], 3, ["not a tolerance: '5ms'", "--tolerance 5%"]),
        (["20261120T1403", "20261120T1404", "--under-test", "x"], 3, ["x is nothing that can be under test", "kernel"]),
    ],
)  # fmt: skip
def test_what_bad_input_gets(
    root: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, lines: list[str]
) -> None:
    ended, out, err = said(capsys, "compare", *arguments)
    assert (ended, out) == (code, "")
    assert err.startswith("latlab: ")
    assert len(err.splitlines()) <= 2
    for line in lines:
        assert line in err


def test_invalid_runs_may_be_left_out(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = said(capsys, "compare", f"{BRIDGE},latest", MACVTAP, "--without-invalid")
    assert code == 1
    assert "1 of 7 runs of A cannot be believed, and were left out" in out
    assert said(capsys, "compare", "latest", MACVTAP, "--without-invalid")[0] == 2


@pytest.mark.parametrize(("text", "share"), [("5%", 0.05), ("0%", 0), (" 2.5 % ", 0.025), ("150%", 1.5)])
def test_tolerances(text: str, share: float) -> None:
    assert parse_tolerance(text) == pytest.approx(share)


def test_text_of_a_run_cannot_reach_the_terminal_as_control(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evil: dict[str, Any] = {"versions": {"qemu\x1b[31m": "\x1b]0;x\x07"}, "attachment": "tap\x1b[2J", "bench": BENCH}
    metrics: dict[str, MetricResult] = {"round_trip": summary(latencies(NETWORK, np.random.default_rng(1)))}
    keep(root, run(70, metrics).model_copy(update=evil))
    _, out, err = said(capsys, "compare", "20261120T1403", "20261120T1513", "--under-test", "timing,attachment")
    assert "\x1b" not in out + err
