# SPDX-License-Identifier: Apache-2.0
"""`latlab watch`, as a user runs it, on runs that are written meanwhile: in a terminal (a pty), a pipe, and a file."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from latlab.errors import StoreError
from latlab.store.growing import GrowingRun as Reader
from latlab.timing.reading import Reading
from latlab.watching import Following, watch
from tests.growing_run import TWO_CLOCKS, GrowingRun, packets
from tests.samples_maker import START_NS

ROOT = Path(__file__).parents[1]
LIMIT_S = 60
ESCAPES = re.compile(r"\x1b\[[?0-9;]*[A-Za-z]")


class Watch:
    """The command, in a terminal of its own."""

    def __init__(self, *arguments: str, **env: str) -> None:
        self._ours, theirs = os.openpty()
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "TERM": "xterm", **env}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "latlab", "watch", *arguments],
            stdin=theirs, stdout=theirs, stderr=theirs, env=environment, cwd=ROOT, start_new_session=True,
        )  # fmt: skip
        os.close(theirs)
        os.set_blocking(self._ours, False)
        self.shown = ""

    def until(self, there: Callable[[str], bool]) -> str:
        """All that was shown, as soon as it is as it should be."""
        limit = time.monotonic() + LIMIT_S
        while not there(self.shown):
            assert time.monotonic() < limit, self.shown
            with contextlib.suppress(BlockingIOError, OSError):  # nothing new; or the other end has been closed
                self.shown += os.read(self._ours, 65_536).decode()
            time.sleep(0.01)
        return self.shown

    def end(self) -> tuple[int, str]:
        """Its exit code, and what stayed on the terminal when the screen was given back."""
        self.until(lambda _: self.process.poll() is not None)
        self.until(lambda shown: shown.endswith("\n"))
        return self.process.returncode, ESCAPES.sub("", self.shown.rpartition("\x1b[?1049l")[2])

    def close(self) -> None:
        self.process.kill()
        self.process.wait(10)
        os.close(self._ours)


@pytest.fixture
def terminal() -> Iterator[Callable[..., Watch]]:
    made: list[Watch] = []

    def start(*arguments: object, **env: str) -> Watch:
        made.append(Watch(*map(str, arguments), **env))
        return made[-1]

    yield start
    for one in made:
        one.close()


@pytest.fixture
def run(tmp_path: Path) -> Iterator[GrowingRun]:
    one = GrowingRun(tmp_path, count=1_000)
    yield one
    one.run.close()


def json_lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(row) for row in text.splitlines()]


def test_a_run_is_watched_until_it_ends(run: GrowingRun, terminal: Callable[..., Watch]) -> None:
    seen = terminal(run.path)
    seen.until(lambda shown: "no packet was measured yet" in shown)
    run.begin()
    run.add(packets(0, 400, lost=(7,)))
    seen.until(lambda shown: "400 of 1,000 packets" in shown and "1 of 400" in shown)
    run.add(packets(400, 600, peaks={999: 3_000_000}))
    seen.until(lambda shown: "the run is being finished" in shown)
    run.finish()
    code, left = seen.end()
    assert code == 0
    assert seen.shown.count("\x1b[?1049h") == seen.shown.count("\x1b[?1049l") == 1
    assert "1,000 of 1,000 packets" in left
    assert "largest of each second, last 0:01: 3000 to 3000 us" in left
    assert "done: valid" in left


def test_ctrl_c_leaves_the_run_alone(run: GrowingRun, terminal: Callable[..., Watch]) -> None:
    run.begin()
    run.add(packets(0, 400))
    seen = terminal("--runs", run.path.parent)
    seen.until(lambda shown: "400 of 1,000" in shown)
    seen.process.send_signal(signal.SIGINT)
    code, left = seen.end()
    assert code == 130
    assert "left; the run goes on" in left
    assert "400 of 1,000" in left
    assert "machine" not in left


def test_ctrl_z_gives_the_screen_back_until_it_goes_on(run: GrowingRun, terminal: Callable[..., Watch]) -> None:
    run.begin()
    seen = terminal(run.path)
    seen.until(lambda shown: "measuring" in shown)
    os.kill(seen.process.pid, signal.SIGTSTP)
    seen.until(lambda shown: shown.endswith("\x1b[?1049l"))
    run.add(packets(0, 10))
    os.kill(seen.process.pid, signal.SIGCONT)
    seen.until(lambda shown: "10 of 1,000" in shown.rpartition("\x1b[?1049h")[2])


def test_a_writer_that_is_killed_ends_it(tmp_path: Path, terminal: Callable[..., Watch]) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-m", "tests.growing_run", str(tmp_path), "60"], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    try:
        assert writer.stdout
        path = writer.stdout.readline().strip()
        seen = terminal(path)
        seen.until(lambda shown: re.search(r"[1-9]\d\d of 60,000 packets", shown) is not None)
        writer.kill()
        writer.wait(10)
        code, left = seen.end()
    finally:
        writer.kill()
        writer.wait(10)
        if writer.stdout:
            writer.stdout.close()
    assert code == 0
    assert "interrupted: invalid, its writer is gone: what had come until then is kept" in left
    assert "ptp locked: the reflector's is 0.12 us ahead of the sender's, ±4.10 us" in left


def test_a_terminal_that_cannot_draw_gets_lines(run: GrowingRun, terminal: Callable[..., Watch]) -> None:
    run.begin()
    run.add(packets(0, 400))
    seen = terminal(run.path, TERM="dumb")
    seen.until(lambda shown: "40 %  p50 4" in shown)
    run.finish()
    seen.end()
    assert "\x1b" not in seen.shown


def test_no_color_is_heeded(run: GrowingRun, terminal: Callable[..., Watch]) -> None:
    run.begin()
    run.add(packets(0, 400, lost=(7,)))
    seen = terminal(run.path, NO_COLOR="1")
    seen.until(lambda shown: "1 of 400" in shown)
    run.finish()
    seen.end()
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", seen.shown)


def test_damage_is_named_by_its_offset(run: GrowingRun, terminal: Callable[..., Watch]) -> None:
    run.begin()
    run.add(packets(0, 10))
    seen = terminal(run.path)
    seen.until(lambda shown: "10 of 1,000" in shown)
    run.append(b"\0" * 136)
    code, left = seen.end()
    assert code == 3
    assert f"latlab: {run.raw}: damaged at byte {128 + 1_360}: a record without a flag" in left


def test_json_is_one_object_a_second(run: GrowingRun) -> None:
    run.begin()
    run.add(packets(0, 400))
    command = [sys.executable, "-m", "latlab", "watch", str(run.path), "--json"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT / "src")}
    )
    try:
        assert process.stdout
        rows = [json.loads(process.stdout.readline())]
        begun = time.monotonic()
        rows += [json.loads(process.stdout.readline()) for _ in range(3)]
        took_s = time.monotonic() - begun
        run.finish()
        rows += json_lines(process.stdout.read())
        assert process.wait(LIMIT_S) == 0
    finally:
        process.kill()
        process.wait(10)
        if process.stdout:
            process.stdout.close()
    assert took_s > 2
    assert all(row["phase"] == "measuring" and row["records"] == 400 for row in rows[:4])
    assert (rows[-1]["phase"], rows[-1]["status"], rows[-1]["verdict"]["value"]) == ("ended", "done", "valid")


def once(run: GrowingRun, *, as_json: bool = False) -> str:
    out = io.StringIO()
    assert watch(run.path.parent, run.path.name, as_json=as_json, once=True, out=out) == 0
    return out.getvalue()


def test_once_shows_how_it_stands_and_ends(run: GrowingRun) -> None:
    assert "no packet was measured yet" in once(run)
    run.begin()
    run.add(packets(0, 400))
    assert "400 of 1,000 packets" in once(run)
    assert json.loads(once(run, as_json=True))["records"] == 400


def test_a_header_that_has_not_come_whole_is_waited_for(run: GrowingRun) -> None:
    run.append(run.header.pack()[:100])
    found = json.loads(once(run, as_json=True))
    assert (found["phase"], found["cut_bytes"]) == ("waiting", 100)
    run.append(run.header.pack()[100:])
    assert json.loads(once(run, as_json=True))["phase"] == "measuring"


def test_a_run_that_ended_before_says_so(run: GrowingRun) -> None:
    run.begin()
    run.add(packets(0, 1_000, lost=(3,)))
    run.finish()
    for shown in (once(run), _watched(run)):
        assert "done: valid" in shown
        assert "lost    1 of 1,000" in shown


def _watched(run: GrowingRun) -> str:
    out = io.StringIO()
    assert watch(run.path.parent, "latest", out=out) == 0
    return out.getvalue()


def test_one_that_was_left_is_read_to_its_last_whole_record(run: GrowingRun) -> None:
    run.begin()
    run.add(packets(0, 400))
    run.append(b"\x01" * 50)
    run.run.close()
    shown = _watched(run)
    assert "interrupted" in shown
    assert "400 of 1,000 packets" in shown
    assert "end within a record: 50 bytes are left out" in shown


def test_one_that_was_left_after_its_samples_became_parquet(run: GrowingRun) -> None:
    run.begin()
    run.add(packets(0, 1_000))
    run.run.convert_samples()
    run.run.close()
    shown = _watched(run)
    assert "interrupted" in shown
    assert "1,000 of 1,000 packets" in shown


def test_how_the_clocks_stand(tmp_path: Path) -> None:
    run = GrowingRun(tmp_path, method="ptp", timescales=TWO_CLOCKS)
    run.hear(
        Reading(START_NS, "reflector", "ptp4l", "master", 90, path_delay_ns=800, servo_state="s0"),
        Reading(START_NS, "reflector", "ptp4l", "sender", 90, 900),
    )
    want = {"method": "ptp", "offset_ns": 90, "error_ns": 900, "locked": False, "words": "not locked"}
    assert json.loads(once(run, as_json=True))["clocks"] == want
    run.hear(Reading(START_NS + 9, "reflector", "ptp4l", "master", 80, path_delay_ns=800, servo_state="s2"))
    assert json.loads(once(run, as_json=True))["clocks"] == {**want, "locked": True, "words": "locked"}
    run.run.close()


def test_how_the_clocks_are_compared_may_be_said_after_we_came(tmp_path: Path) -> None:
    """run.json is written when the run begins, and again before its first packet."""
    run = GrowingRun(tmp_path, method="none", timescales={})
    with Reader(run.path) as reader:
        following = Following(reader)
        assert following.look(None).state.clocks.method == "none"
        run.run.document.timing.method = "exchange"
        run.run.document.timescales = dict(TWO_CLOCKS)
        run.run.save()
        run.begin()
        run.add(packets(0, 10))
        assert following.look(None).state.clocks.words == "by the packets"
    run.run.close()


def test_what_was_measured_before_we_came_is_read_bit_by_bit(run: GrowingRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("latlab.watching.AT_ONCE_BYTES", 1_360)
    run.begin()
    run.add(packets(0, 400))
    with Reader(run.path) as reader:
        following = Following(reader)
        looks = [following.look(0.0)]
        while looks[-1].behind:
            looks.append(following.look(0.0))
    assert [look.phase for look in looks[:3]] == ["reading"] * 3
    assert (looks[-1].phase, looks[-1].state.own) == ("measuring", looks[-1].state.counts.sent)
    assert 390 <= looks[-1].state.own <= 400


@pytest.mark.parametrize("name", ["latest", "2031", "nowhere/at/all"])
def test_a_run_that_is_not_there(tmp_path: Path, name: str) -> None:
    with pytest.raises(StoreError):
        watch(tmp_path, name, out=io.StringIO())


def test_a_path_is_a_run_too(run: GrowingRun) -> None:
    out = io.StringIO()
    assert watch(Path("elsewhere"), str(run.path), as_json=True, once=True, out=out) == 0
    assert json.loads(out.getvalue())["id"] == run.path.name
