# SPDX-License-Identifier: Apache-2.0
"""`latlab cleanup` says what was undone and what could not be, and its exit code says it too."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import pytest

from latlab import session
from latlab.cli import main
from latlab.hosts import interrupt
from latlab.hosts.channel import Recovered

DONE, FAILED = Recovered("ip link del dev a", 0), Recovered("ip link del dev b", 1)
NEVER_MADE = Recovered("ip link del dev c", 1, newest=True)


@pytest.mark.parametrize(
    ("recovered", "exit_code", "out", "err"),
    [
        ([], 0, "nothing to undo\n", ""),
        ([DONE], 0, "undone: ip link del dev a\n", ""),
        ([NEVER_MADE], 0, "nothing to undo, it seems: ip link del dev c (exit 1)\n", ""),
        ([DONE, FAILED], 4, "undone: ip link del dev a\n", "could not undo: ip link del dev b (exit 1)\n"),
    ],
)
def test_what_failed_is_said(
    recovered: list[Recovered], exit_code: int, out: str, err: str,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(session, "cleanup", lambda: recovered)
    monkeypatch.setattr(session, "root_may_have_more", lambda: False)
    # The verb ends the process, and until then ignores signals: not those of this one.
    monkeypatch.setattr(interrupt, "at_safe_points", lambda **_: nullcontext())
    with pytest.raises(SystemExit) as caught:
        main(["cleanup"])
    assert caught.value.code == exit_code
    assert capsys.readouterr() == (out, err)


@pytest.mark.parametrize(("uid", "there", "told"), [(1000, True, True), (1000, False, False), (0, True, False)])
def test_a_user_is_told_that_root_may_have_more(
    uid: int, there: bool, told: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:  # fmt: skip
    monkeypatch.setattr(session, "cleanup", list)
    monkeypatch.setattr(session, "ROOT_STATE", tmp_path if there else tmp_path / "none")
    monkeypatch.setattr("os.geteuid", lambda: uid)
    monkeypatch.setattr(interrupt, "at_safe_points", lambda **_: nullcontext())
    with pytest.raises(SystemExit):
        main(["cleanup"])
    out, err = capsys.readouterr()
    assert out == "nothing to undo\n"
    assert ("sudo latlab cleanup" in err) == told
