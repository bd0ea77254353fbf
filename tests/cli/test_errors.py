# SPDX-License-Identifier: Apache-2.0
"""What bad input gets, through the real command line: one clear error, what to do next, and no traceback.

What needs a machine's network for it is in tests/lab/test_bad_input.py.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from latlab.store.run_dir import DOCUMENT_NAME
from tests.lab.latlab_command import Command, latlab

DATA = Path(__file__).parents[1] / "data"


def complain(folder: Path, *arguments: str, **env: str) -> Command:
    """Runs it, and checks what every complaint has in common."""
    command = latlab(*arguments, folder=folder, env=env)
    assert command.process.returncode == 3, command.stderr
    assert command.stdout == ""
    assert "Traceback" not in command.stderr
    assert command.defects() == []
    return command


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("attachment: baseline\nflwo: {count: 3}\n", "2:1", 'unknown key "flwo" in the scenario. Did you mean "flow"?'),
        ("attachment: baseline\nflow: {cuont: 3}\n", "2:8", 'unknown key "cuont" in flow. Did you mean "count"?'),
        ("attachment: baseline\nflow: {count: three}\n", "2:15", 'flow.count is a whole number, not "three"'),
        ("attachment: brdge\n", "1:13", 'unknown attachment "brdge". Did you mean "tap-bridge"?'),
        ("attachment: baseline\nflow: {period: 0}\n", "2:16", 'flow.period is at least 1us, not "0"'),
        ("attachment: baseline\nflow: {period: 0ms}\n", "2:16", 'flow.period is at least 1us, not "0ms"'),
        (
            "attachment: baseline\nflow: {count: 1000000000000}\n",
            "2:15",
            'flow.count is at most 10000000000, not "1000000000000"',
        ),
    ],
)
def test_a_bad_scenario_names_the_place(tmp_path: Path, text: str, place: str, message: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    for verb in (["plan"], ["run", "--runs", str(tmp_path / "runs")]):
        command = complain(tmp_path, verb[0], str(file), *verb[1:])
        assert command.stderr == f"{file}:{place}: {message}\n"
    assert not (tmp_path / "runs").exists()


def test_all_mistakes_at_once(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("attachment: brdge\nflow: {count: three, period: 0}\nlaod: none\n")
    lines = complain(tmp_path, "plan", str(file)).stderr.splitlines()
    assert [line.split(": ")[0].removeprefix(f"{file}:") for line in lines] == ["1:13", "2:15", "2:30", "3:1"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file. Check the path."),
        (b"attachment: [\n", "while parsing a flow node"),
        (b"attachment: \xa3\n", "is not UTF-8. Save the file as UTF-8."),
    ],
)
def test_a_file_that_is_no_scenario(tmp_path: Path, content: bytes | None, message: str) -> None:
    file = tmp_path / "mine.yaml"
    if content is not None:
        file.write_bytes(content)
    command = complain(tmp_path, "plan", str(file))
    assert command.stderr.startswith(f"{file}:")
    assert message in command.stderr
    assert len(command.stderr.splitlines()) == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_scenario_that_may_not_be_read(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("attachment: baseline\n")
    file.chmod(0)
    assert "Permission denied" in complain(tmp_path, "plan", str(file)).stderr


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [
        (["plan", "fisrt-look"], ['latlab: no scenario is called "fisrt-look"', 'Did you mean "first-look"?']),
        (["plan", "minimal", "--bench", "lcoal"], ['latlab: no bench is called "lcoal"', 'Did you mean "local"?']),
        (["plan", "minimal", "--set", "flow.cuont=3"], ["--set:1:6: unknown key", 'Did you mean "count"?']),
        (["plan", "minimal", "--set", "flow"], ["--set:1:1:", "--set flow.period=2ms"]),
        (["rnu", "minimal"], ["No such command 'rnu'", "--help"]),
        (["run", "minimal", "--bnch", "local"], ["No such option '--bnch'", "--help"]),
        (["run"], ["Missing argument 'SCENARIO'", "--help"]),
        (["show", "2030"], ["latlab: there is no run '2030'", "`latlab list` shows the runs"]),
    ],
)
def test_a_slip_of_the_pen_gets_a_hint(tmp_path: Path, arguments: list[str], lines: list[str]) -> None:
    command = complain(tmp_path, *arguments)
    for line in lines:
        assert line in command.stderr
    assert len(command.stderr.splitlines()) <= 4


def test_runs_where_nothing_can_be_kept(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for runs in (tmp_path / "file", tmp_path / "file" / "runs", Path("/proc/runs")):
        command = complain(tmp_path, "run", "minimal", "--bench", "local", "--runs", str(runs))
        what, hint = command.stderr.splitlines()
        assert what.startswith(f"latlab: {runs}: cannot")
        assert "--runs" in hint


def test_no_runs_yet(tmp_path: Path) -> None:
    complain(tmp_path, "show", "latest", "--runs", str(tmp_path / "none"))
    listed = latlab("list", "--runs", str(tmp_path / "none"), folder=tmp_path)
    assert listed.process.returncode == 0
    assert "`latlab run SCENARIO` makes one" in listed.stdout
    assert latlab("list", "--json", "--runs", str(tmp_path / "none"), folder=tmp_path).json == []


@pytest.fixture
def two_runs(tmp_path: Path) -> tuple[Path, Path]:
    """A folder with a good run and a second one, for a test to damage."""
    for name in ("20261120T120000Z-good-aaaaaa", "20261120T130000Z-cut-bbbbbb"):
        shutil.copytree(DATA / "run-format-1", tmp_path / "runs" / name)
    return tmp_path / "runs", tmp_path / "runs/20261120T130000Z-cut-bbbbbb"


@pytest.mark.parametrize("damage", ["document cut", "document empty", "document gone", "samples cut", "all empty"])
def test_a_run_that_was_cut_off_hides_no_other(tmp_path: Path, two_runs: tuple[Path, Path], damage: str) -> None:
    """`list` shows the rest and says what is wrong with this one; `show` is one error, or shows what is left."""
    runs, cut = two_runs
    document = cut / DOCUMENT_NAME
    if damage == "document cut":
        document.write_bytes(document.read_bytes()[:300])
    elif damage == "document empty":
        document.write_bytes(b"")
    elif damage == "samples cut":
        samples = cut / "samples.parquet"
        samples.write_bytes(samples.read_bytes()[: samples.stat().st_size // 2])
    else:
        document.unlink()
        if damage == "all empty":
            (cut / "samples.parquet").unlink()
    listed = latlab("list", "--json", "--runs", str(runs), folder=tmp_path)
    assert listed.process.returncode == 0, listed.stderr
    good, bad = listed.json
    assert (good["status"], good["n"] > 0) == ("done", True)
    shown = latlab("show", str(cut), "--runs", str(runs), folder=tmp_path)
    assert shown.defects() == []
    if damage == "samples cut":
        assert shown.process.returncode == 0, "the document holds the statistics: it needs no samples"
    else:
        assert bad["status"] == "broken"
        assert shown.process.returncode == 3
        assert len(shown.stderr.splitlines()) == 2
        can_be_read = "its samples can still be read" in shown.stderr
        assert can_be_read == (damage != "all empty")
    assert latlab("show", good["id"], "--runs", str(runs), folder=tmp_path).process.returncode == 0
