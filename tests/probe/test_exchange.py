# SPDX-License-Identifier: Apache-2.0
"""Two probes on loopback, without privilege: what is sent comes back, and every packet has its record."""

from __future__ import annotations

import os
import signal
import struct
import time
from pathlib import Path

import numpy as np
import pytest

from tests.probe.program import (
    HEADER_BYTES,
    KEY,
    REPLIED,
    SENT,
    SOFTWARE_ORDER,
    TX_STAMPS,
    S,
    T,
    a,
    a2,
    finish,
    probe_program,
    r,
    r2,
    reflector,
    s,
    s2,
    send,
    spawn,
    summary_of,
    w,
)

LOOPBACK = {"udp4": ("127.0.0.1:0", "127.0.0.1"), "udp6": ("[::1]:0", "[::1]")}


@pytest.mark.parametrize("family", ["udp4", "udp6"])
@pytest.mark.parametrize("clock", ["tai", "monotonic"])
def test_every_packet_has_all_its_software_stamps_in_order(family: str, clock: str) -> None:
    bind, host = LOOPBACK[family]
    with reflector("--bind", bind) as far:
        outcome = send("--udp", f"{host}:{far.port}", "--count", "300", "--period", "500us", "--clock", clock)
    assert outcome.exit_code == 0
    assert {name: outcome.summary[name] for name in ("sent", "replied", "lost", "tx_stamps_missing")} == {
        "sent": 300,
        "replied": 300,
        "lost": 0,
        "tx_stamps_missing": 0,
    }
    samples = outcome.samples
    assert (samples["seq"] == np.arange(300)).all()
    assert ((samples["flags"] & (SENT | REPLIED | TX_STAMPS)) == SENT | REPLIED | TX_STAMPS).all()
    assert (np.diff(samples["stamps"][:, SOFTWARE_ORDER], axis=1) >= 0).all()
    assert (samples["stamps"][:, T] == 0).all()


def test_the_pace_is_absolute() -> None:
    """S advances by exactly one period per packet: being late once delays no later packet."""
    with reflector("--bind", "127.0.0.1:0") as far:
        outcome = send("--udp", f"127.0.0.1:{far.port}", "--count", "200", "--period", "1ms")
    assert (np.diff(outcome.samples["stamps"][:, S]) == 1_000_000).all()


def test_the_header_says_what_the_run_is() -> None:
    with reflector("--bind", "127.0.0.1:0") as far:
        outcome = send(
            *("--udp", f"127.0.0.1:{far.port}", "--count", "7", "--period", "2ms", "--size", "200"),
            *("--tx-stamps", "3", "--clock", "monotonic"),
        )
    magic, header, record, version, clock, tai, period, count, size, every, start = struct.unpack_from(
        "<8sIIIIqqQIIq", outcome.stream
    )
    assert (magic, header, record, version, clock) == (b"LATLAB1\n", HEADER_BYTES, 136, 1, time.CLOCK_MONOTONIC)
    assert (period, count, size, every) == (2_000_000, 7, 200, 3)
    assert tai == outcome.summary["tai_offset_ns"]
    assert abs(start - int(outcome.samples["stamps"][0, S])) < 1_000_000_000
    assert len(outcome.stream) == HEADER_BYTES + 7 * 136
    asked = (outcome.samples["flags"] & TX_STAMPS) != 0
    assert asked.tolist() == [True, False, False, True, False, False, True]
    assert ((outcome.samples["stamps"][:, s] != 0) == asked).all()
    assert ((outcome.samples["stamps"][:, s2] != 0) == asked).all()


def test_without_transmit_stamps_none_are_taken() -> None:
    with reflector("--bind", "127.0.0.1:0") as far:
        outcome = send("--udp", f"127.0.0.1:{far.port}", "--count", "50", "--tx-stamps", "0")
    assert outcome.summary["replied"] == 50
    assert (outcome.samples["stamps"][:, [s, s2]] == 0).all()
    assert outcome.summary["tx_stamps_missing"] == 0


@pytest.mark.parametrize("size", [96, 97, 1472, 8900])
def test_a_reply_is_as_long_as_its_request(size: int) -> None:
    with reflector("--bind", "127.0.0.1:0") as far:
        outcome = send("--udp", f"127.0.0.1:{far.port}", "--count", "20", "--size", str(size))
    assert (outcome.summary["replied"], far.summary["rejected"]) == (20, 0)


def test_a_wildcard_reflector_answers_from_the_address_it_was_asked_at() -> None:
    with reflector("--bind", "0.0.0.0:0") as far:
        outcome = send("--udp", f"127.0.0.2:{far.port}", "--count", "20")
    assert outcome.summary["replied"] == 20


def test_another_key_gets_no_answer() -> None:
    with reflector("--bind", "127.0.0.1:0", key="f" * 32) as far:
        outcome = send("--udp", f"127.0.0.1:{far.port}", "--count", "20", "--timeout", "50ms")
    assert (outcome.exit_code, outcome.summary["lost"]) == (0, 20)
    assert far.summary["replied"] == 0
    assert far.summary["rejected"] >= 20


def test_nobody_there_is_a_loss_and_no_failure() -> None:
    """The ICMP refusals come back as errors of the receiving or the sending socket, or not at all."""
    with reflector("--bind", "127.0.0.1:0") as far:
        port = far.port
    outcome = send("--udp", f"127.0.0.1:{port}", "--count", "20", "--timeout", "50ms")
    assert outcome.exit_code == 0
    assert outcome.summary["sent"] + outcome.summary["send_failed"] == 20
    assert outcome.summary["replied"] == 0
    assert len(outcome.samples) == 20


@pytest.mark.parametrize("how", ["stdin", "SIGTERM", "SIGINT"])
def test_stopped_early_it_still_writes_what_it_has(how: str) -> None:
    with reflector("--bind", "127.0.0.1:0") as far:
        sender = spawn("send", "--udp", f"127.0.0.1:{far.port}", "--period", "1ms")
        time.sleep(0.4)
        if how == "stdin":
            assert sender.stdin is not None
            sender.stdin.close()
        else:
            sender.send_signal(signal.Signals[how])
        outcome = finish(sender, 10)
    assert outcome.exit_code == 0
    assert outcome.summary["sent"] > 100
    assert outcome.summary["lost"] == 0
    assert len(outcome.stream) == HEADER_BYTES + 136 * outcome.summary["sent"]


def test_a_key_file_leaves_stdin_alone(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY + "\n")
    with reflector("--bind", "127.0.0.1:0") as far:
        sender = spawn("send", "--udp", f"127.0.0.1:{far.port}", "--count", "50", "--key", str(tmp_path / "key"))
        _, stderr = sender.communicate(timeout=10)  # closes stdin at once
    assert summary_of(stderr)["sent"] == 50


def test_records_go_to_a_file(tmp_path: Path) -> None:
    with reflector("--bind", "127.0.0.1:0") as far:
        outcome = send("--udp", f"127.0.0.1:{far.port}", "--count", "50", "--output", str(tmp_path / "records"))
    assert outcome.stream == b""
    assert (tmp_path / "records").stat().st_size == HEADER_BYTES + 50 * 136


def test_a_full_disk_ends_it_with_one_line() -> None:
    with reflector("--bind", "127.0.0.1:0") as far:
        sender = spawn("send", "--udp", f"127.0.0.1:{far.port}", "--period", "1ms", "--output", "/dev/full")
        _, stderr = sender.communicate(timeout=10)
    assert sender.returncode == 4
    assert "No space left" in stderr.decode()


def test_a_reader_that_went_away_ends_it() -> None:
    with reflector("--bind", "127.0.0.1:0") as far:
        sender = spawn("send", "--udp", f"127.0.0.1:{far.port}", "--period", "1ms")
        assert sender.stdout is not None
        assert sender.stderr is not None
        sender.stdout.read(HEADER_BYTES)
        sender.stdout.close()
        stderr = sender.stderr.read()
        assert sender.wait(10) == 4
        sender.stderr.close()
        assert sender.stdin is not None
        sender.stdin.close()
    assert b"cannot be written" in stderr


def test_a_slow_reader_does_not_hold_up_the_sending() -> None:
    """The records wait in the ring; a stop is seen although nobody reads."""
    with reflector("--bind", "127.0.0.1:0") as far:
        sender = spawn("send", "--udp", f"127.0.0.1:{far.port}", "--period", "200us", "--count", "4000")
        time.sleep(1.5)
        outcome = finish(sender)
    assert outcome.summary["sent"] == 4000
    assert len(outcome.samples) + outcome.summary["records_dropped"] == 4000


def test_the_summary_says_what_the_kernel_granted() -> None:
    with reflector("--bind", "127.0.0.1:0", "--cpu", "0") as far:
        outcome = send("--udp", f"127.0.0.1:{far.port}", "--count", "5", "--cpu", "1023")
    assert far.summary["cpu"] == 0
    assert outcome.summary["cpu"] is None
    assert any("CPU 1023" in warning for warning in outcome.summary["warnings"])
    assert outcome.summary["scheduler"] == "SCHED_OTHER"


def test_gathered_packets_are_read_late_and_none_is_lost() -> None:
    with reflector("--bind", "127.0.0.1:0", "--gather", "5ms") as far:
        to = f"127.0.0.1:{far.port}"
        outcome = send("--udp", to, "--count", "1000", "--period", "200us", "--gather", "5ms", "--timeout", "500ms")
    assert (outcome.summary["replied"], outcome.summary["tx_stamps_missing"]) == (1000, 0)
    stamps = outcome.samples["stamps"]
    assert np.median(stamps[:, a] - stamps[:, r]) > 1_000_000
    assert np.median(stamps[:, a2] - stamps[:, r2]) > 1_000_000


def test_a_late_wakeup_is_flagged() -> None:
    """A period far shorter than the machine can hold: every packet still goes out, and says that it was late."""
    with reflector("--bind", "127.0.0.1:0") as far:
        outcome = send("--udp", f"127.0.0.1:{far.port}", "--count", "2000", "--period", "1us", "--timeout", "200ms")
    samples = outcome.samples
    late = (samples["flags"] & 128) != 0
    assert outcome.summary["late_wakeups"] == late.sum() > 0
    assert (late == (samples["stamps"][:, w] - samples["stamps"][:, S] > 1000)).all()


@pytest.mark.skipif("LATLAB_PROBE" in os.environ, reason="a given probe may be a build for debugging")
def test_the_program_is_one_static_file() -> None:
    image = Path(probe_program()).read_bytes()
    assert image[:4] == b"\x7fELF"
    assert b"/ld-musl" not in image
    assert b"/ld-linux" not in image
