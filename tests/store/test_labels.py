# SPDX-License-Identifier: Apache-2.0
"""Labels: given and taken, by many at once, beside a run.json that stays as it was."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from latlab.errors import StoreError, UsageError
from latlab.store.disk import replace_file
from latlab.store.labels import change_labels, checked, read_labels
from tests.store.runs_made import FORMAT_1, add


def test_labels_are_given_and_taken_and_run_json_stays(tmp_path: Path) -> None:
    run = add(tmp_path, "20261120T140311Z-a-a1b2c3")
    before = (run / "run.json").read_bytes()
    assert read_labels(run) == []
    assert change_labels(run, ["good", "baseline/6.12"]) == ["baseline/6.12", "good"]
    assert change_labels(run, ["good"], ["baseline/6.12", "absent"]) == ["good"]
    assert read_labels(run) == ["good"]
    assert (run / "run.json").read_bytes() == before
    assert {path.name for path in run.iterdir()} == {"run.json", "samples.parquet", "labels.json"}


@pytest.mark.parametrize("name", ["", "-x", "+x", "two words", "a\nb", "ü", "x" * 65, "a,b"])
def test_what_cannot_be_a_label_is_an_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be a label") as caught:
        change_labels(tmp_path, [name])
    assert "letters, digits" in caught.value.hint
    assert checked("v6.12:rt=on@lab-2/x") == "v6.12:rt=on@lab-2/x"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"format": 1, "labels": ["a", ', r"labels.json is damaged at byte 30 of 30 \(line 1, column 31\)"),
        ('{"format": 1}', "holds no list of labels"),
        ('{"format": 1, "labels": [1]}', "holds no list of labels"),
        ("[]", "holds no list of labels"),
    ],
)
def test_a_damaged_file_names_itself_and_its_offset(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "labels.json").write_text(content)
    with pytest.raises(StoreError, match=message) as caught:
        read_labels(tmp_path)
    assert str(tmp_path) in caught.value.message
    assert caught.value.hint


def test_labels_of_a_newer_format_ask_for_an_upgrade(tmp_path: Path) -> None:
    (tmp_path / "labels.json").write_text('{"format": 2, "tags": {}}')
    with pytest.raises(StoreError, match="has format 2; this latlab reads up to 1") as caught:
        read_labels(tmp_path)
    assert "upgrade" in caught.value.hint


def test_nobody_loses_a_label_that_another_gives_at_the_same_time(tmp_path: Path) -> None:
    run = add(tmp_path, "20261120T140311Z-a-a1b2c3", like=FORMAT_1)
    code = (
        "import sys; from pathlib import Path; from latlab.store.labels import change_labels\n"
        "for n in range(20): change_labels(Path(sys.argv[1]), [f'{sys.argv[2]}-{n}'])"
    )
    writers = [subprocess.Popen([sys.executable, "-c", code, str(run), name]) for name in ("a", "b", "c")]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    assert read_labels(run) == sorted(f"{name}-{n}" for name in "abc" for n in range(20))


def test_what_is_no_file_is_not_replaced_by_one(tmp_path: Path) -> None:
    (tmp_path / "labels.json").mkdir()
    with pytest.raises(StoreError, match="is not a file, and cannot become one"):
        replace_file(tmp_path / "labels.json", b"x")
