# SPDX-License-Identifier: Apache-2.0
"""`latlab-probe clock`: what it reads is so, what it is told wrongly gets one line. No test here changes a clock."""

from __future__ import annotations

import itertools
import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.probe.program import probe_program

FINE, USAGE, UNABLE = 0, 3, 4

PARTS = ["read", "state", "stamps", "filter", "step", "frequency"]
WRONG = {
    "no part": ((), "which part"),
    "unknown part": (("raed",), "unknown part 'raed'"),
    "nothing to compare with": (("read",), "one of --phc PATH, --nic IFNAME and --counter"),
    "two to compare with": (("read", "--counter", "--nic", "lo"), "one of --phc PATH"),
    "vcpu without counter": (("read", "--nic", "lo", "--vcpu", "/x"), "--vcpu goes with --counter"),
    "too many tries": (("read", "--counter", "--tries", "26"), "1 to 25"),
    "too often": (("read", "--counter", "--period", "1us"), "give 1ms to 60s"),
    "no reading": (("read", "--counter", "--count", "0"), "1 to 1000000000"),
    "state takes nothing": (("state", "now"), "unknown option 'now'"),
    "stamps of no NIC": (("stamps",), "--nic IFNAME"),
    "filter of no NIC": (("filter", "--receive", "all", "--transmit", "on"), "--nic IFNAME"),
    "no filter": (("filter", "--nic", "lo", "--transmit", "on"), "--receive: none, all"),
    "unknown filter": (("filter", "--nic", "lo", "--receive", "most"), "ntp-all"),
    "nothing of transmit": (("filter", "--nic", "lo", "--receive", "all"), "--transmit: off, on"),
    "a step of nothing": (("step",), "the amount is missing"),
    "a step in words": (("step", "far"), "'far' is not a whole number of ns"),
    "a step with a unit": (("step", "5ms"), "'5ms' is not a whole number of ns"),
    "a step of two days": (("step", "172800000000000"), "at most a day"),
    "a step that is not allowed": (("step", "1"), "--this-clock-is-mine"),
    "a step back that is not allowed": (("step", "-1", "--from", "5"), "--this-clock-is-mine"),
    "a step from nowhere": (("step", "1", "--from", "here"), "'here' is not a difference of clocks"),
    "a frequency of nothing": (("frequency", "--scaled"), "the amount is missing"),
    "a broken frequency": (("frequency", "1.5"), "'1.5' is not a whole number of ppb"),
    "a frequency beyond the kernel's": (("frequency", "-500001"), "-500000 to 500000 ppb"),
    "a scaled one beyond it": (("frequency", "32768001", "--scaled"), "-500000 to 500000 ppb"),
    "a frequency that is not allowed": (("frequency", "0"), "--this-clock-is-mine"),
}


def clock(*arguments: str | bytes) -> subprocess.CompletedProcess[bytes]:
    argv = [probe_program(), "clock", *arguments]
    return subprocess.run(argv, check=False, stdin=subprocess.DEVNULL, capture_output=True, timeout=20)


def lines(*arguments: str) -> list[dict[str, Any]]:
    done = clock(*arguments)
    assert done.returncode == FINE, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize(("arguments", "message"), WRONG.values(), ids=WRONG.keys())
def test_a_mistake_gets_one_line_and_the_usage_code(arguments: tuple[str, ...], message: str) -> None:
    done = clock(*arguments)
    assert done.returncode == USAGE
    assert done.stderr.count(b"\n") == 1
    assert message in done.stderr.decode()
    assert done.stdout == b""


UNABLE_TO = {
    "no such NIC": (("stamps", "--nic", "no-such-nic"), "No such device"),
    "a NIC without a clock": (("read", "--nic", "lo", "--count", "1"), "it has no clock"),
    "a NIC without stamps": (("filter", "--nic", "lo", "--receive", "all", "--transmit", "on"), "cannot be set so"),
    "no clock there": (("read", "--phc", "/dev/no-such-clock"), "No such file"),
    "not a clock": (("read", "--phc", "/dev/null"), "no PTP hardware clock"),
    "no vCPU there": (("read", "--counter", "--count", "1", "--vcpu", "/none"), "/none/tsc-offset: No such file"),
}


@pytest.mark.parametrize(("arguments", "message"), UNABLE_TO.values(), ids=UNABLE_TO.keys())
def test_what_this_machine_cannot_is_said_in_one_line(arguments: tuple[str, ...], message: str) -> None:
    done = clock(*arguments)
    assert done.returncode == UNABLE
    assert done.stderr.count(b"\n") == 1
    assert message in done.stderr.decode()


words = st.sampled_from([*PARTS, "--nic", "lo", "--counter", "--count", "2", "--period", "1ms", "--scaled", "-5", "0"])


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(words | st.binary(min_size=1, max_size=12).filter(lambda b: b"\0" not in b), max_size=5))
def test_any_arguments_end_with_a_known_code_and_at_most_one_complaint(arguments: list[str | bytes]) -> None:
    done = clock(*arguments)
    assert done.returncode in (FINE, USAGE, UNABLE)
    assert done.stderr.count(b"\n") == (done.returncode != FINE)


def test_counter_and_clock_go_on_together() -> None:
    before_ns = time.clock_gettime_ns(time.CLOCK_TAI)
    found = lines("read", "--counter", "--count", "4", "--period", "2ms")
    assert len(found) == 4
    assert before_ns <= found[0]["tai_ns"]
    assert found[-1]["tai_ns"] <= time.clock_gettime_ns(time.CLOCK_TAI)
    for earlier, later in itertools.pairwise(found):
        assert earlier["tai_ns"] < later["tai_ns"]
        assert earlier["counter"] + earlier["ticks"] < later["counter"]


def test_a_vcpu_is_read_with_each_line_as_debugfs_tells_it(tmp_path: Path) -> None:
    (tmp_path / "tsc-offset").write_text("-8793945612345678901\n")
    read = ("read", "--counter", "--count", "1", "--vcpu", str(tmp_path))
    (found,) = lines(*read)
    assert (found["offset"], found["ratio"], found["bits"]) == (-8793945612345678901, None, None)
    (tmp_path / "tsc-scaling-ratio").write_text("18446744073709551615\n")
    (tmp_path / "tsc-scaling-ratio-frac-bits").write_text("48\n")
    (found,) = lines(*read)
    assert (found["ratio"], found["bits"]) == (2**64 - 1, 48)


@pytest.mark.parametrize("text", ["", "\n", "12x\n", "--5\n", "99999999999999999999\n", "1 2\n"])
def test_a_vcpu_that_tells_no_number_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "tsc-offset").write_text(text)
    done = clock("read", "--counter", "--count", "1", "--vcpu", str(tmp_path))
    assert done.returncode == UNABLE
    assert done.stderr.count(b"\n") == 1


def test_it_reads_until_its_input_is_closed() -> None:
    argv = [probe_program(), "clock", "read", "--counter", "--period", "1ms"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        for _ in range(20):
            assert json.loads(process.stdout.readline())["ticks"] >= 0
        process.stdin.close()
        assert all(json.loads(line) for line in process.stdout)
        assert process.wait(10) == FINE


def test_the_state_is_the_kernels() -> None:
    def wall_offset_ns() -> int:
        return time.clock_gettime_ns(time.CLOCK_REALTIME) - time.clock_gettime_ns(time.CLOCK_MONOTONIC)

    one = wall_offset_ns()
    (found,) = lines("state")
    # Between the two readings that a difference is made of, anybody may have been interrupted.
    assert abs(found["wall_offset_ns"] - one) < 1_000_000_000
    assert found["width_ns"] >= 0
    assert found["frequency_ppb"] == pytest.approx(found["frequency_scaled"] * 1000 / 65536, abs=0.001)
    tai_ns = time.clock_gettime_ns(time.CLOCK_TAI) - time.clock_gettime_ns(time.CLOCK_REALTIME)
    assert found["tai_offset_ns"] == round(tai_ns, -9)


def test_the_loopback_interface_stamps_nothing_by_itself() -> None:
    (found,) = lines("stamps", "--nic", "lo")
    assert found["phc"] is None
    assert found["config"] is None
    assert "software-receive" in found["capabilities"]
    assert "hardware-receive" not in found["capabilities"]


@pytest.mark.parametrize("part", PARTS)
def test_every_part_has_its_help(part: str) -> None:
    done = clock(part, "--help")
    assert done.returncode == FINE
    assert done.stdout.startswith(f"latlab-probe clock {part}: ".encode())
    assert part.encode() in clock("--help").stdout
