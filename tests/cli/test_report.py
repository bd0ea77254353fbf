# SPDX-License-Identifier: Apache-2.0
"""latlab report, by its real command line: its forms, what is remembered, and what bad input gets."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from latlab.cli import main

FORMAT_1 = Path(__file__).parents[1] / "data" / "run-format-1"
RUNS = ("20261112T140311Z-tap-bridge-a1b2c3", "20261119T140311Z-tap-bridge-a1b2c3")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two runs of one point, of two weeks."""
    for name in RUNS:
        add(tmp_path / "runs", name)
    return tmp_path / "runs"


def add(root: Path, name: str) -> None:
    shutil.copytree(FORMAT_1, root / name)
    document = json.loads((root / name / "run.json").read_text())
    document["created"] = f"2026-11-{name[6:8]}T14:03:11Z"
    (root / name / "run.json").write_text(json.dumps(document))


def latlab(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    output = capsys.readouterr()
    assert "Traceback" not in output.err
    return int(end.value.code or 0), output.out, output.err


def rows(out: str) -> list[dict[str, object]]:
    found = json.loads(out)["rows"]
    assert isinstance(found, list)
    return found


def test_only_a_sent_report_is_remembered(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(root.iterdir())
    code, first, _ = latlab(capsys, "report", "--text", "--runs", root)
    assert code == 0
    assert "latency report 1" in first
    assert "2 runs in 1 row; the first report marks none as new" in first
    assert sorted(root.iterdir()) == before
    _, sent, told = latlab(capsys, "report", "--text", "--runs", root, "--sent")
    assert sent == first
    assert "report 1 is remembered in" in told
    add(root, "20261120T140311Z-tap-bridge-a1b2c3")
    for _ in range(2):
        _, second, _ = latlab(capsys, "report", "--text", "--runs", root)
        assert "latency report 2" in second
        assert "3 runs in 2 rows, 1 new since report 1" in second


def test_since_a_date_or_a_report(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = latlab(capsys, "report", "--json", "--runs", root, "--since", "2026-11-15")
    assert [row["new"] for row in rows(out)] == [False, True]
    latlab(capsys, "report", RUNS[0], "--text", "--runs", root, "--sent")
    _, out, _ = latlab(capsys, "report", "--json", "--runs", root)
    assert [row["new"] for row in rows(out)] == [False, True]
    _, out, _ = latlab(capsys, "report", "--json", "--runs", root, "--since", "0")
    assert [row["new"] for row in rows(out)] == [True]


def test_the_journal_beside_the_runs_is_in_all_forms(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "journal.md").write_text("## 2026-11-19\n### Patches\n- [sent] igb: stamp all packets\n")
    _, text, _ = latlab(capsys, "report", "--text", "--runs", root)
    assert "   - [sent] igb: stamp all packets\n" in text
    _, markdown, _ = latlab(capsys, "report", "--markdown", "--runs", root, "--sent")
    assert "- **sent**: igb: stamp all packets\n" in markdown
    _, later, _ = latlab(capsys, "report", "--json", "--runs", root)
    (item,) = json.loads(later)["journal"]["patches"]
    assert (item["state"], item["carried"]) == ("sent", True)


def test_a_journal_of_bad_form_is_an_error_with_its_lines(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "journal.md").write_text("# Journal\n## Progres\n- x\n## 2026-02-30\n")
    code, out, err = latlab(capsys, "report", "--text", "--runs", root, "--sent")
    assert (code, out) == (3, "")
    assert [line.split(": ")[0] for line in err.splitlines()] == [f"{root}/journal.md:2:1", f"{root}/journal.md:4:1"]
    assert not (root / "reports.txt").exists(), "what failed is not remembered"


@pytest.mark.parametrize(("name", "first"), [("a.md", "## Latency report 1"), ("a.txt", " latency report 1")])
def test_a_files_ending_says_the_form(
    name: str, first: str, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = latlab(capsys, "report", "-o", tmp_path / name, "--runs", root)
    assert (code, out) == (0, f"{tmp_path / name}\n")
    assert (tmp_path / name).read_text().startswith(first)


def test_a_run_that_cannot_be_read_stands_in_the_report(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / RUNS[0] / "run.json").write_text("{")
    code, out, _ = latlab(capsys, "report", "--text", "--runs", root)
    assert code == 0
    assert f" ✗ {RUNS[0]}:" in out
    assert "cut off or damaged" in " ".join(out.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "report needs to know what to write"),
        (["--text", "--json"], "--json and --text are two forms"),
        (["-o", "report.doc"], "report.doc does not say which form"),
        (["--text", "--since", "soon"], "'soon' is neither a report's number nor a date"),
        (["--text", "--since", "7"], "there is no report 7"),
        (["--text", "--journal", "none.md"], "none.md"),
        (["--text", "--journal", "."], ". is a directory, and no journal"),
        (["--text", "--budget", "5us"], "--budget and --at are of the page"),
        (["-o", "a.html", "--since", "1"], "--since, --sent and --journal are of the weekly report"),
        (["--text", "nowhere"], "there is no run 'nowhere'"),
    ],
)
def test_bad_input_is_one_error(
    arguments: list[str], message: str, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    code, out, err = latlab(capsys, "report", *arguments, "--runs", root)
    assert (code, out) == (3, "")
    assert message in err


def test_no_runs_are_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = latlab(capsys, "report", "--text", "--runs", tmp_path)
    assert code == 3
    assert "there are no runs in" in err


def test_a_date_far_ahead_hides_nothing_from_the_next_report(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "journal.md").write_text("## 2099-11-19\n### Progress\n- a slip\n")
    latlab(capsys, "report", "--text", "--runs", root, "--sent")
    assert "journal to 2099" not in (root / "reports.txt").read_text()
    _, later, _ = latlab(capsys, "report", "--text", "--runs", root)
    assert "   - a slip\n" in later
