# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C and its kin: raised where we wait, once for each, on the main thread only."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from latlab.hosts import interrupt
from latlab.hosts.host import Host
from tests.yard import Yard, alive, eventually

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.mark.parametrize("signo", SIGNALS)
def test_each_signal_is_raised_once_and_at_a_safe_point(signo: signal.Signals) -> None:
    with interrupt.at_safe_points():
        interrupt.check()
        os.kill(os.getpid(), signo)
        reached = True
        with pytest.raises(KeyboardInterrupt):
            interrupt.check()
        interrupt.check()
        os.kill(os.getpid(), signo)
        with pytest.raises(KeyboardInterrupt):
            interrupt.check()
    assert reached


def test_handlers_are_as_before_afterwards() -> None:
    before = [signal.getsignal(s) for s in SIGNALS]
    with interrupt.at_safe_points():
        assert [signal.getsignal(s) for s in SIGNALS] != before
    assert [signal.getsignal(s) for s in SIGNALS] == before


def test_a_signal_of_an_earlier_block_is_not_raised_in_a_later_one() -> None:
    with interrupt.at_safe_points():
        os.kill(os.getpid(), signal.SIGINT)
    with interrupt.at_safe_points():
        interrupt.check()


def test_another_thread_never_raises() -> None:
    raised: list[BaseException] = []

    def wait() -> None:
        try:
            interrupt.check()
        except KeyboardInterrupt as error:
            raised.append(error)

    with interrupt.at_safe_points():
        os.kill(os.getpid(), signal.SIGINT)
        thread = threading.Thread(target=wait)
        thread.start()
        thread.join()
        assert raised == []
        with pytest.raises(KeyboardInterrupt):
            interrupt.check()


def test_waiting_for_a_host_is_interrupted_and_the_command_has_ended(host: Host) -> None:
    started = time.monotonic()
    with interrupt.at_safe_points():
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            host.run(["sleep", "60"])
    assert time.monotonic() - started < 3
    assert "sleep" not in host.run(["ps", "-o", "comm=", "--ppid", str(host.facts.pid)])


def test_after_the_first_what_was_changed_is_undone(host: Host, yard: Yard) -> None:
    flag = yard.room / "flag"
    with interrupt.at_safe_points():
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGTERM)).start()
        with pytest.raises(KeyboardInterrupt):
            host.change(["sh", "-c", f"touch {flag}; sleep 60"], undo=["rm", str(flag)])
        assert flag.exists()
        assert host.undo.unwind() == []
    assert not flag.exists()


def test_the_second_cuts_the_undoing_short_and_the_agent_does_it(yard: Yard) -> None:
    host, flag = yard.host(), yard.room / "flag"
    host.write(flag, "")
    host.defer(["rm", str(flag)])
    host.defer(["sh", "-c", "sleep 1"])
    with interrupt.at_safe_points():
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            host.run(["sleep", "60"])
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            host.undo.unwind()
    assert flag.exists()
    host.close()
    assert not flag.exists()


def test_agents_do_not_hear_the_terminal_s_ctrl_c(yard: Yard) -> None:
    host = yard.host()
    assert os.getsid(host.facts.pid) == host.facts.pid
    process = host.start(["sleep", "60"])
    assert eventually(lambda: process.pid)
    os.kill(host.facts.pid, signal.SIGINT)
    assert host.run(["echo", "on"]) == "on\n"
    assert process.pid
    assert alive(process.pid)
