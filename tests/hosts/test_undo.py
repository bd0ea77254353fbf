# SPDX-License-Identifier: Apache-2.0
"""What is deferred is undone: newest first, whatever failed, and however the agent ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from latlab.bench.site import changes_undone
from latlab.errors import BenchError, CommandError, HostError
from latlab.hosts import frames
from latlab.hosts.host import Host
from tests.yard import Yard, alive, end, eventually


def note(yard: Yard, word: str) -> list[str]:
    """A command that leaves a trace: one more line in the yard's book."""
    return ["sh", "-c", f"echo {word} >>{yard.room}/book"]


def book(yard: Yard) -> list[str]:
    path = yard.room / "book"
    return path.read_text().split() if path.exists() else []


def test_newest_first(host: Host, yard: Yard) -> None:
    for word in "abc":
        host.defer(note(yard, word))
    assert host.undo.unwind() == []
    assert book(yard) == ["c", "b", "a"]
    assert host.undo.unwind() == []
    assert book(yard) == ["c", "b", "a"]


def test_down_to_a_mark(host: Host, yard: Yard) -> None:
    host.defer(note(yard, "outer"))
    with changes_undone(host):
        host.defer(note(yard, "inner"))
        assert book(yard) == []
    assert book(yard) == ["inner"]
    host.close()
    assert book(yard) == ["inner", "outer"]


def test_all_of_it_is_tried_and_the_failures_are_told(host: Host, yard: Yard) -> None:
    host.defer(note(yard, "first"))
    host.defer(["sh", "-c", "echo no >&2; exit 3"])
    host.defer(["latlab-no-such-program"])
    host.defer(note(yard, "last"))
    missing, failed = host.undo.unwind()
    assert "latlab-no-such-program" in missing.message
    assert isinstance(failed, CommandError)
    assert failed.command_exit_code == 3
    assert book(yard) == ["last", "first"]
    assert host.undo.mark == 1


def test_what_was_busy_is_tried_again_when_everything_has_ended(host: Host, yard: Yard) -> None:
    host.defer(note(yard, "outer"))
    host.defer(["sh", "-c", f"test -e {yard.room}/free && echo inner >> {yard.room}/book"])
    assert len(host.undo.unwind(1)) == 1
    (yard.room / "free").touch()
    host.close()
    assert book(yard) == ["inner", "outer"]


def test_what_could_not_be_undone_is_said(host: Host) -> None:
    with (
        pytest.raises(BenchError, match=r"not everything could be undone: here: `false`.*") as caught,
        changes_undone(host),
    ):
        host.defer(["false"])
    assert "by hand: false" in caught.value.hint


def test_a_change_that_failed_is_not_undone(host: Host, yard: Yard) -> None:
    with pytest.raises(CommandError):
        host.change(["false"], undo=note(yard, "a"))
    host.change(["true"], undo=note(yard, "b"))
    assert host.undo.unwind() == []
    assert book(yard) == ["b"]


def test_the_undoing_is_written_down_before_the_change_is_made(host: Host, yard: Yard) -> None:
    (journal,) = yard.journals
    assert b"tidy" not in journal.read_bytes()
    host.change(["sh", "-c", f"grep -q tidy {journal}"], undo=["echo", "tidy"])


def test_going_undoes(yard: Yard) -> None:
    host = yard.host()
    for word in "ab":
        host.defer(note(yard, word))
    host.close()
    assert book(yard) == ["b", "a"]
    assert yard.journals == []


@pytest.mark.parametrize("signo", [signal.SIGTERM, signal.SIGHUP])
def test_an_agent_that_is_told_to_go_undoes(yard: Yard, signo: signal.Signals) -> None:
    host = yard.host()
    host.defer(note(yard, "a"))
    os.kill(host.facts.pid, signo)
    assert eventually(lambda: host.channel.lost)
    assert book(yard) == ["a"]
    assert yard.journals == []


def test_a_controller_that_is_killed_is_undone(yard: Yard) -> None:
    """The agent sees its stream end, whatever the controller could still say."""
    code = f"""
import time
from latlab.hosts.channel import Channel
from latlab.hosts.host import Host
from latlab.hosts.stream import ChildStream
host = Host("here", Channel("here", ChildStream({yard.command(str(yard.probe), "agent")!r})), probe="")
host.defer({note(yard, "a")!r})
process = host.start(["sleep", "60"])
while process.pid is None: time.sleep(0.01)
print(process.pid, flush=True)
time.sleep(60)
"""
    controller = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert controller.stdout
    with controller.stdout:
        started = int(controller.stdout.readline())
    assert alive(started)
    controller.kill()
    controller.wait()
    assert eventually(lambda: yard.journals == [])
    assert book(yard) == ["a"]
    assert not alive(started)


def test_the_next_agent_undoes_what_a_killed_one_left(yard: Yard) -> None:
    dead = yard.host()
    dead.defer(note(yard, "a"))
    dead.defer(note(yard, "struck-out"))
    dead.undo.forget()
    dead.defer(["false"])
    dead.defer(note(yard, "b"))
    yard.kill_agent(dead)
    assert book(yard) == []
    assert len(yard.journals) == 1
    found = yard.host().facts.recovered
    assert [(f.command.split()[0], f.exit_code) for f in found] == [("sh", 0), ("false", 1), ("sh", 0)]
    assert book(yard) == ["b", "a"]
    assert len(yard.journals) == 1, "only the living one's is left"
    assert yard.host().facts.recovered == []


def test_the_commands_of_a_recovery_are_told_as_they_were(yard: Yard) -> None:
    dead = yard.host()
    dead.defer(["true", 'a "quoted" \\ word', "tab\there", "two\nlines", "Gr\u00f6\u00dfe"])
    yard.kill_agent(dead)
    (found,) = yard.host().facts.recovered
    assert (found.command, found.exit_code) == ('true a "quoted" \\ word tab here two lines Gr\u00f6\u00dfe', 0)
    assert str(found).startswith("undone: true a ")


@pytest.mark.parametrize(
    ("argv", "exit_code"),
    [(["sh", "-c", "exit 3"], 3), (["latlab-no-such-program"], 127), (["sh", "-c", "kill $$"], -15)],
)
def test_what_a_recovery_could_not_undo_is_told_with_its_exit_code(yard: Yard, argv: list[str], exit_code: int) -> None:
    dead = yard.host()
    dead.defer(argv)
    dead.defer(["true"])
    yard.kill_agent(dead)
    _, found = yard.host().facts.recovered
    assert found.failed
    assert str(found) == f"could not undo: {' '.join(argv)} (exit {exit_code})"


def test_the_last_change_before_a_kill_may_never_have_been_made(yard: Yard) -> None:
    """So its undoing may fail, and nothing is left all the same."""
    dead = yard.host()
    dead.defer(["true"])
    dead.defer(["sh", "-c", "exit 2"])
    yard.kill_agent(dead)
    newest, other = yard.host().facts.recovered
    assert (newest.newest, newest.failed, other.newest) == (True, False, False)
    assert str(newest) == "nothing to undo, it seems: sh -c exit 2 (exit 2)"


def test_orphans_of_a_killed_agent_are_killed(yard: Yard) -> None:
    dead = yard.host()
    # Out of its session, its parent gone, its output elsewhere, its mark behind a large environment.
    large = {f"LLT_{n}": "x" * 30_000 for n in range(4)}
    process = dead.start(["sh", "-c", "setsid sh -c 'sleep 60 & echo $!' >&1; sleep 60"], env=large)
    assert process.wait_for_output("\n", 5)
    orphan = int(process.stdout)
    yard.kill_agent(dead)
    assert process.pid
    assert eventually(lambda: not alive(process.pid or 0)), "children die with the agent"
    assert alive(orphan), "grandchildren do not"
    yard.host()
    assert not alive(orphan)


def test_the_living_are_left_alone(yard: Yard) -> None:
    living = yard.host()
    living.defer(note(yard, "living"))
    process = living.start(["sleep", "60"])
    assert eventually(lambda: process.pid)
    dead = yard.host()
    yard.kill_agent(dead)
    assert yard.host().facts.recovered == []
    assert process.running
    assert book(yard) == []
    assert living.run(["echo", "on"]) == "on\n"


def test_many_that_recover_at_once_run_each_undo_once(yard: Yard) -> None:
    words = [f"w{n}" for n in range(12)]
    for word in words:
        dead = yard.host()
        dead.defer(note(yard, word))
        yard.kill_agent(dead)
    streams = [yard.stream() for _ in range(8)]  # each recovers before it reads a word
    assert eventually(lambda: len(yard.journals) == len(streams))
    assert sorted(book(yard)) == sorted(words)
    for stream in streams:
        end(stream)
    assert yard.journals == []


def test_agents_that_start_and_go_at_once_never_take_each_other_s_journals(yard: Yard) -> None:
    for _ in range(6):
        streams = [yard.stream() for _ in range(8)]
        for stream in streams:
            end(stream)
            assert stream.last_words == ""
    assert yard.journals == []


def record(*argv: str) -> bytes:
    command = frames.encode_command(argv)
    return b"D" + len(command).to_bytes(4, "little") + command


def leave_behind(yard: Yard, content: bytes) -> Path:
    """A dead agent's journal."""
    folder = yard.runtime / "latlab"
    if not folder.exists():
        yard.host().close()
    path = folder / "0123456789abcdef.journal"
    path.write_bytes(content)
    if os.geteuid() == 0:
        os.chown(path, folder.stat().st_uid, folder.stat().st_gid)
    return path


@pytest.mark.parametrize("cut", range(1, 30))
def test_a_record_that_was_cut_off_was_not_acknowledged_and_is_nothing(yard: Yard, cut: int) -> None:
    whole, last = record(*note(yard, "a")), record("false", "never-run", "at all")
    leave_behind(yard, whole + last[:cut])
    assert [entry.command.split()[-1] for entry in yard.host().facts.recovered] == [f">>{yard.room}/book"]
    assert book(yard) == ["a"]


@pytest.mark.parametrize(
    "content", [b"", b"D", b"D\xff\xff\xff\xff", b"X" * 50, b"P" * 9, b"D\x01\0\0\0a", b"D\x00\0\0\0", os.urandom(200)]
)
def test_a_journal_of_nonsense_is_removed(yard: Yard, content: bytes) -> None:
    path = leave_behind(yard, content)
    assert yard.host().facts.recovered == []
    assert not path.exists()


def test_a_folder_that_others_may_write_to_is_refused(yard: Yard) -> None:
    yard.host().close()
    (yard.runtime / "latlab").chmod(0o777)
    with pytest.raises(HostError, match="not a folder of ours to keep the undo journal in"):
        yard.host()


def test_an_undo_that_hangs_does_not_keep_the_others(host: Host, yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    run = host.run_plain
    monkeypatch.setattr(host, "run_plain", lambda argv, **_: run(argv, timeout_s=0.3))
    host.defer(note(yard, "a"))
    host.defer(["sleep", "60"])
    started = time.monotonic()
    (failure,) = host.undo.unwind()
    assert "did not end" in failure.message
    assert time.monotonic() - started < 5
    assert book(yard) == ["a"]


def test_what_the_agent_refuses_is_an_error(host: Host) -> None:
    with pytest.raises(HostError, match="here: its agent refused: Invalid argument"):
        host.defer([""])


def test_a_name_that_is_taken_comes_with_the_way_to_free_it(host: Host) -> None:
    with pytest.raises(CommandError) as caught:
        host.change(
            ["sh", "-c", "echo 'RTNETLINK answers: File exists' >&2; exit 2"], undo=["ip", "link", "del", "a b"]
        )
    assert caught.value.hint.endswith("If nobody needs it: ip link del 'a b'")
    assert host.undo.mark == 0


def test_a_machine_that_is_stuck_is_not_waited_for_again_and_again(
    host: Host, yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its undoings are left to its agent, all of them: it runs them when it finds that we have gone."""
    monkeypatch.setattr("latlab.hosts.host.UNDO_LIMIT_S", 0.3)
    monkeypatch.setattr("latlab.hosts.host.ANSWER_LIMIT_S", 0.3)
    made = [yard.room / name for name in ("one", "two")]
    for path in made:
        path.touch()
        host.defer(["rm", "-f", str(path)])
    os.kill(host.facts.pid, signal.SIGSTOP)
    try:
        with pytest.raises(HostError):
            host.undo.unwind()
        assert host.channel.lost
        assert all(path.exists() for path in made)
    finally:
        os.kill(host.facts.pid, signal.SIGCONT)
    host.close()
    assert eventually(lambda: not any(path.exists() for path in made))
    assert eventually(lambda: yard.journals == [])
