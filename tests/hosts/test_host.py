# SPDX-License-Identifier: Apache-2.0
"""A host through its real agent: what programs print, how they end, and that nothing of them stays."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from latlab.errors import CommandError, HostError
from latlab.hosts import frames
from latlab.hosts.commands import KEPT_OUTPUT, KEPT_SETUP, CommandLog, CommandRecord
from latlab.hosts.host import Host
from tests.yard import Yard, alive, eventually


def test_facts_are_this_machine_s(host: Host) -> None:
    assert host.facts.machine == os.uname().machine
    assert host.facts.kernel == os.uname().release
    assert host.facts.boot_id == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert host.facts.recovered == []


def test_run_gives_what_was_printed(host: Host) -> None:
    assert host.run(["echo", "a  b", "c"]) == "a  b c\n"


@pytest.mark.parametrize("code", [1, 2, 127, 255])
def test_another_exit_code_than_0_is_an_error_with_the_last_words(host: Host, code: int) -> None:
    with pytest.raises(CommandError) as caught:
        host.run(["sh", "-c", f"echo first >&2; echo last >&2; exit {code}"])
    assert caught.value.command_exit_code == code
    assert caught.value.host == "here"
    assert caught.value.message.endswith(f"ended with exit code {code}: last")


def test_run_plain_leaves_the_judgement_to_the_caller(host: Host) -> None:
    result = host.run_plain(["sh", "-c", "echo out; echo err >&2; exit 3"])
    assert (result.exit_code, result.stdout, result.stderr) == (3, "out\n", "err\n")


def test_the_end_by_a_signal_is_a_negative_exit_code(host: Host) -> None:
    assert host.run_plain(["sh", "-c", "kill -9 $$"]).exit_code == -9


def test_ten_megabytes_on_both_outputs_come_whole(host: Host) -> None:
    # The two are written at once, so that neither can wait for the other to be read.
    result = host.run_plain(
        ["sh", "-c", "head -c 10000000 /dev/zero | tr '\\0' o & head -c 10000000 /dev/zero | tr '\\0' e >&2; wait"]
    )
    assert result.exit_code == 0
    assert result.stdout == "o" * 10_000_000
    assert result.stderr == "e" * 10_000_000


def test_what_is_fed_arrives_whole(host: Host) -> None:
    fed = os.urandom(5_000_000)
    result = host.run_plain(["sha256sum"], feed=fed)
    assert result.stdout.split()[0] == hashlib.sha256(fed).hexdigest()


def test_without_feed_standard_input_is_empty(host: Host) -> None:
    assert host.run(["cat"]) == ""


def test_a_child_that_does_not_read_what_it_is_fed(host: Host) -> None:
    assert host.run_plain(["true"], feed=b"x" * 3_000_000).exit_code == 0
    assert host.run(["echo", "the agent", "goes on"]) == "the agent goes on\n"


def test_read_and_write_of_files(host: Host, yard: Yard) -> None:
    host.write(yard.room / "a", "text\nmore\n")
    assert host.read(yard.room / "a") == "text\nmore\n"
    with pytest.raises(CommandError, match="No such file"):
        host.read(yard.room / "b")


@pytest.mark.parametrize("fd", [*range(3, 24), 99])
def test_a_file_is_given_by_its_number(host: Host, yard: Yard, fd: int) -> None:
    path = yard.room / "given"
    host.write(path, "old ")
    process = host.start(["sh", "-c", f"cat /proc/self/fd/{fd}; echo new >/proc/self/fd/{fd}"], files={fd: str(path)})
    assert process.wait(5) == 0, process.stderr
    assert process.stdout == "old "
    assert path.read_text() == "new\n"


def test_a_program_has_no_files_but_its_own(host: Host, yard: Yard) -> None:
    beside = [host.start(["sleep", "60"], stdin=True), host.start(["sleep", "60"], terminal=(24, 80), stdin=True)]
    assert eventually(lambda: all(process.pid for process in beside))
    listed = host.start(["ls", "-l", "/proc/self/fd"], files={7: "/dev/null"})
    assert listed.wait(5) == 0
    numbers = {int(line.split()[8]): line.split()[10] for line in listed.stdout.splitlines() if "->" in line}
    assert {fd for fd, path in numbers.items() if path != "/proc/self/fd" and "/proc/" not in path} == {0, 1, 2, 7}


@pytest.mark.parametrize("fd", range(3, 24))
def test_whatever_number_a_file_has_a_missing_program_is_told(host: Host, yard: Yard, fd: int) -> None:
    path = yard.room / "given"
    host.write(path, "untouched")
    process = host.start(["/no/such/program"], files={fd: str(path)})
    with pytest.raises(HostError, match="No such file") as caught:
        process.wait(5)
    assert caught.value.hint == "Install /no/such/program there."
    assert path.read_text() == "untouched"


@pytest.mark.parametrize(("fd", "path", "said"), [(2, "/dev/null", "Invalid"), (10, "/no/such/file", "No such file")])
def test_a_file_that_cannot_be_given_is_an_error(host: Host, fd: int, path: str, said: str) -> None:
    with pytest.raises(HostError, match=f"cannot open a file for it: {said}"):
        host.start(["true"], files={fd: path}).wait(5)


def test_a_program_that_is_missing_is_named_with_a_hint(host: Host) -> None:
    with pytest.raises(HostError, match="here: `latlab-no-such-program -x`") as caught:
        host.run(["latlab-no-such-program", "-x"])
    assert caught.value.hint == "Install latlab-no-such-program there."
    assert not host.has("latlab-no-such-program")
    assert host.has("sh")


def test_environment_is_added_to(host: Host) -> None:
    process = host.start(["sh", "-c", 'echo "$LLT_A $LC_ALL $LATLAB_AGENT"'], env={"LLT_A": "b=c"})
    process.wait(5)
    assert process.stdout == f"b=c C {host.facts.id}\n"


def test_a_terminal_of_the_size_asked_for(host: Host) -> None:
    process = host.start(["sh", "-c", "stty size; tty; echo and errors >&2"], terminal=(31, 97))
    assert process.wait(5) == 0
    size, tty, errors = process.stdout.split("\r\n")[:3]
    assert size == "31 97"
    assert tty.startswith("/dev/pts/")
    assert errors == "and errors"


def test_keys_on_a_terminal(host: Host) -> None:
    process = host.start(["sleep", "60"], terminal=(24, 80), stdin=True)
    process.write(b"\x03")
    assert process.wait(5) == -signal.SIGINT


def test_a_process_is_talked_to(host: Host) -> None:
    process = host.start(["cat"], stdin=True)
    for word in (b"one\n", b"two\n"):
        process.write(word)
        assert process.read() == word
    process.close_stdin()
    assert process.read() == b""
    assert process.wait(5) == 0


def test_wait_for_output_ends_with_the_program_or_the_time(host: Host) -> None:
    process = host.start(["sh", "-c", "echo ready; sleep 60"])
    assert process.wait_for_output("ready", 5)
    started = time.monotonic()
    assert not process.wait_for_output("never", 0.2)
    assert 0.15 < time.monotonic() - started < 2
    process.stop()
    assert not process.wait_for_output("never", 60)


def test_wait_has_a_limit(host: Host) -> None:
    with pytest.raises(HostError, match=r"did not end within 0\.2 s"):
        host.run(["sleep", "60"], timeout_s=0.2)
    assert "sleep" not in host.run(["sh", "-c", f"ps -o comm= --ppid {host.facts.pid}"])


def test_stop_asks_first_and_then_does_not_ask(host: Host) -> None:
    polite = host.start(["sh", "-c", "trap 'echo bye; exit 5' TERM; echo up; while :; do sleep 0.02; done"])
    assert polite.wait_for_output("up", 5)
    assert polite.stop() == 5
    assert polite.stdout == "up\nbye\n"
    deaf = host.start(["sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.02; done"])
    assert deaf.wait_for_output("up", 5)
    assert deaf.stop(0.2) == -signal.SIGKILL


def test_a_signal_reaches_the_whole_group(host: Host) -> None:
    process = host.start(["sh", "-c", "sleep 60 & echo $!; wait"])
    assert process.wait_for_output("\n", 5)
    grandchild = int(process.stdout)
    assert alive(grandchild)
    process.signal(signal.SIGKILL)
    assert process.wait(5) == -signal.SIGKILL
    assert eventually(lambda: not alive(grandchild))


def test_a_sink_takes_the_output_and_nothing_is_kept(host: Host) -> None:
    taken = bytearray()
    process = host.start(["sh", "-c", "head -c 3000000 /dev/zero; echo kept >&2"], sink=taken.extend)
    assert process.wait(10) == 0
    assert (len(taken), process.stdout, process.stderr) == (3_000_000, "", "kept\n")


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), ValueError("x"), RuntimeError("boom")])
def test_a_sink_s_error_reaches_the_one_who_waits_and_nobody_else(host: Host, error: Exception) -> None:
    def refuse(_: bytes) -> None:
        raise error

    process = host.start(["sh", "-c", "echo a; sleep 0.05; echo b; exit 4"], sink=refuse)
    with pytest.raises(type(error)) as caught:
        process.wait(5)
    assert caught.value is error
    assert process.exit_code == 4
    assert host.run(["echo", "the host", "goes on"]) == "the host goes on\n"


def test_a_child_that_closes_its_output_early(host: Host) -> None:
    process = host.start(["sh", "-c", "echo a; exec >&- 2>&-; sleep 0.2; exit 6"])
    assert process.wait(5) == 6
    assert process.stdout == "a\n"


def test_a_grandchild_that_keeps_the_output_open_does_not_delay_the_end(host: Host) -> None:
    started = time.monotonic()
    process = host.start(["sh", "-c", "sleep 60 & echo $!"])
    assert process.wait(5) == 0
    assert time.monotonic() - started < 3
    assert alive(int(process.stdout))
    host.close()
    assert not alive(int(process.stdout))


def test_a_grandchild_that_never_stops_printing_does_not_stall_the_agent(host: Host) -> None:
    process = host.start(["sh", "-c", "cat /dev/zero & echo; exit 7"], sink=lambda _: None)
    assert process.wait(10) == 7
    assert host.run(["echo", "on"], timeout_s=5) == "on\n"


def test_a_thousand_short_commands(host: Host) -> None:
    for number in range(1000):
        assert host.run_plain(["sh", "-c", f"echo {number}; exit {number % 7}"]).exit_code == number % 7
    assert len(host.run(["ls", f"/proc/{host.facts.pid}/fd"]).split()) < 20
    assert "defunct" not in host.run(["ps", "-o", "args=", "--ppid", str(host.facts.pid)])


def test_two_hundred_at_the_same_time(host: Host) -> None:
    processes = [host.start(["sh", "-c", f"read x; echo {n} $x; exit {n}"], stdin=True) for n in range(200)]
    for process in processes:
        process.write(b"go\n")
    for number, process in enumerate(processes):
        assert process.wait(20) == number
        assert process.stdout == f"{number} go\n"
    assert host.channel._slots.keys() == {0}


def test_commands_from_several_threads(host: Host) -> None:
    wrong: list[str] = []

    def ask(name: str) -> None:
        for number in range(50):
            said = host.run(["echo", name, str(number)])
            if said != f"{name} {number}\n":
                wrong.append(said)

    threads = [threading.Thread(target=ask, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_an_agent_that_dies_in_the_middle_of_a_command(yard: Yard) -> None:
    host = yard.host("hypervisor")
    process = host.start(["sleep", "60"])
    assert eventually(lambda: process.pid)
    threading.Timer(0.2, os.kill, (host.facts.pid, signal.SIGKILL)).start()
    with pytest.raises(HostError, match="hypervisor: the connection was lost while `sleep 50` ran"):
        host.run(["sleep", "50"])
    assert process.pid
    assert eventually(lambda: not alive(process.pid or 0))
    with pytest.raises(HostError, match="hypervisor: the connection was lost"):
        host.run(["true"])
    with pytest.raises(HostError, match="hypervisor: the connection to its agent was lost"):
        host.defer(["true"])


def test_closing_ends_what_runs_however_deaf(yard: Yard) -> None:
    host = yard.host()
    deaf = host.start(["sh", "-c", "trap '' TERM HUP; setsid sh -c 'trap \"\" TERM; echo $$; sleep 60' & wait"])
    assert deaf.wait_for_output("\n", 5)
    host.close()
    assert deaf.pid
    assert not alive(deaf.pid)
    assert not alive(int(deaf.stdout))
    assert yard.journals == []


def test_a_greeting_that_is_repeated_is_heard_once(yard: Yard) -> None:
    """A controller repeats it until it is heard; later ones may arrive when the conversation has begun, in pieces."""
    stream = yard.stream()
    decoder = frames.Decoder(b"repeated")
    for piece in (decoder.greeting, decoder.greeting, decoder.greeting[:5], decoder.greeting[5:]):
        stream.write(piece)
        time.sleep(0.05)
    stream.write(frames.encode(frames.START, 1, frames.encode_command(["echo", "here"])) + decoder.greeting)
    heard: list[frames.Frame] = []
    while not any(frame.kind == frames.EXIT for frame in heard):
        data = stream.read()
        assert data
        heard += decoder.feed(data)
    assert [frame.kind for frame in heard].count(frames.HELLO) == 1
    assert b"".join(frame.payload for frame in heard if frame.kind == frames.STDOUT) == b"here\n"
    assert stream.last_words == ""


def test_another_controller_s_greeting_ends_the_conversation(yard: Yard) -> None:
    """Of a controller that died so suddenly that its end was not seen: what ran for it must not run on."""
    host = yard.host()
    sleeps = host.start(["sleep", "60"])
    assert eventually(lambda: sleeps.pid)
    host.channel._write(frames.Decoder(b"somebody").greeting)
    assert eventually(lambda: not alive(sleeps.pid or 0))
    assert eventually(lambda: host.channel.lost)
    assert yard.journals == []


def test_a_host_without_an_agent_says_why(yard: Yard) -> None:
    (yard.runtime / "latlab").write_text("in the way")
    with pytest.raises(HostError, match=r"here: its agent did not answer: .*not a folder of ours"):
        yard.host()


def test_the_log_holds_every_command_with_its_output(yard: Yard) -> None:
    shown: list[str] = []
    log = CommandLog(show=shown.append)
    path = yard.folder / "commands.jsonl"
    log.to(path)
    host = yard.host("peer", log=log)
    host.run_plain(["sh", "-c", "echo 'a b'; echo err >&2; exit 3"])
    host.run(["sh", "-c", f"head -c {KEPT_OUTPUT + 7} /dev/zero | tr '\\0' x"])
    with pytest.raises(HostError):
        host.run(["latlab-no-such-program"])
    first, second, third = (json.loads(line) for line in path.read_text().splitlines())
    assert (first["host"], first["exit_code"], first["stdout"], first["stderr"]) == ("peer", 3, "a b\n", "err\n")
    assert first["duration_ns"] > 0
    assert second["stdout"] == "x" * KEPT_OUTPUT + f"... ({KEPT_OUTPUT + 7} bytes in all)"
    assert third["exit_code"] is None
    assert "No such file" in third["stderr"]
    assert shown[0] == "sh -c 'echo '\"'\"'a b'\"'\"'; echo err >&2; exit 3'  # on peer"


def record(number: int) -> CommandRecord:
    return CommandRecord("here", ["true", str(number)], 0, 0, 0, "", "")


def logged(path: Path) -> list[int]:
    return [int(json.loads(line)["argv"][1]) for line in path.read_text().splitlines()]


def test_what_made_the_bench_is_at_the_head_of_every_run_s_commands(tmp_path: Path) -> None:
    log = CommandLog()
    log.add(record(1))
    log.to(tmp_path / "a")
    log.add(record(2))
    log.to(None)
    log.add(record(3))
    log.to(tmp_path / "b")
    log.add(record(4))
    assert logged(tmp_path / "a") == [1, 2]
    assert logged(tmp_path / "b") == [1, 3, 4]


def test_what_is_kept_for_later_files_is_bounded(tmp_path: Path) -> None:
    log = CommandLog()
    for number in range(KEPT_SETUP + 10):
        log.add(record(number))
    log.to(tmp_path / "a")
    assert logged(tmp_path / "a") == list(range(KEPT_SETUP))


def test_a_set_up_that_cannot_be_written_is_a_failure_of_the_log(tmp_path: Path) -> None:
    log = CommandLog()
    log.add(record(1))
    log.to(tmp_path / "no such folder/a")
    assert isinstance(log.failure, FileNotFoundError)
