# SPDX-License-Identifier: Apache-2.0
"""Whatever stands on the command line, the probe says what is wrong in one line, or does what it was told."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.probe.program import probe_program

USAGE = 3
UNABLE = 4


def run(*arguments: str | bytes) -> subprocess.CompletedProcess[bytes]:
    """Without a key on stdin nothing is ever sent, however right the options are."""
    return subprocess.run(
        [probe_program(), *arguments], check=False, stdin=subprocess.DEVNULL, capture_output=True, timeout=10
    )


TO = ("send", "--udp", "127.0.0.1:7000")

WRONG = {
    "no verb": ((), "no verb"),
    "unknown verb": (("sned",), "unknown verb 'sned'"),
    "no address": (("send",), "--udp ADDR:PORT"),
    "both transports": ((*TO, "--l2", "lo", "--dst", "02:00:00:00:00:01"), "either --udp"),
    "no MAC": (("send", "--l2", "lo"), "--dst MAC"),
    "a MAC of five": (("send", "--l2", "lo", "--dst", "02:00:00:00:01"), "not a MAC address"),
    "tag with UDP": ((*TO, "--vlan", "5"), "go with --l2"),
    "priority without tag": (("send", "--l2", "lo", "--dst", "02:00:00:00:00:01", "--pcp", "3"), "--vlan ID"),
    "period 0": ((*TO, "--period", "0ms"), "--period: 0ms is out of range: give 1us to 60s"),
    "period without unit": ((*TO, "--period", "5"), "ns, us, ms or s"),
    "negative period": ((*TO, "--period", "-5ms"), "not a time"),
    "enormous period": ((*TO, "--period", "99999999999999999999s"), "not a time"),
    "count 0": ((*TO, "--count", "0"), "1 to 10000000000"),
    "count too large": ((*TO, "--count", "1000000000000"), "1 to 10000000000"),
    "a run of millennia": ((*TO, "--count", "10000000000", "--period", "60s"), "70 years"),
    "size too small": ((*TO, "--size", "95"), "96 to 8900"),
    "size in words": ((*TO, "--size", "big"), "not a whole number"),
    "hexadecimal": ((*TO, "--size", "0x80"), "not a whole number"),
    "unknown clock": ((*TO, "--clock", "utc"), "tai, monotonic"),
    "value missing": ((*TO, "--count"), "the value is missing"),
    "value of a flag": ((*TO, "--hw=1"), "takes no value"),
    "unknown option": ((*TO, "--perod", "1ms"), "unknown option '--perod'"),
    "xdp without a program": (("xdp", "--device", "lo", "--pin", "/x"), "--program PATH"),
    "xdp of no mode": (("xdp", "--mode", "fast"), "native, generic"),
    "no port": (("send", "--udp", "127.0.0.1"), "not an address and port"),
    "port 0": (("send", "--udp", "127.0.0.1:0"), "port 0"),
    "port too large": (("send", "--udp", "127.0.0.1:65536"), "not an address and port"),
    "host name": (("send", "--udp", "localhost:7000"), "not an address and port"),
    "IPv6 without brackets": (("send", "--udp", "::1:7000"), "[2001:db8::1]:7000"),
    "two families": ((*TO, "--bind", "[::1]:0", "--key", "/dev/null"), "32 hexadecimal digits"),
    "long interface": (("reflect", "--l2", "a" * 16), "cannot be an interface's name"),
    "reflect nowhere": (("reflect",), "either --bind"),
    "no key": (TO, "32 hexadecimal digits"),
    "no key file": ((*TO, "--key", "/nonexistent/key"), "No such file"),
}


@pytest.mark.parametrize(("arguments", "message"), WRONG.values(), ids=WRONG.keys())
def test_a_mistake_gets_one_line_and_the_usage_code(arguments: tuple[str, ...], message: str) -> None:
    done = run(*arguments)
    assert done.returncode == USAGE
    assert done.stderr.count(b"\n") == 1
    assert message in done.stderr.decode()
    assert done.stdout == b""


@pytest.mark.parametrize("verb", ["send", "reflect"])
def test_help_names_every_option_with_its_range(verb: str) -> None:
    done = run(verb, "--help")
    assert done.returncode == 0
    assert b"--key TEXT" in done.stdout
    assert b"1 to 98" in done.stdout


OPTIONS = ["udp", "bind", "device", "l2", "dst", "vlan", "pcp", "priority", "key", "period", "count", "size", "clock"]
OPTIONS += [
    "timeout",
    "tx-stamps",
    "hw",
    "fifo",
    "cpu",
    "rx-cpu",
    "spin",
    "busy-poll",
    "output",
    "lead",
    "gather",
    "help",
]
VALUES = [
    "127.0.0.1:7",
    "[::1]:7",
    "[fe80::1%lo]:7",
    "lo",
    "02:00:00:00:00:01",
    "1ms",
    "1s",
    "tai",
    "-",
    "0",
    "1",
    "96",
]

text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)
option = st.sampled_from(OPTIONS)
value = st.one_of(st.sampled_from(VALUES), st.integers().map(str), text)
word = st.one_of(
    option.map(lambda name: f"--{name}"),
    st.tuples(option, value).map(lambda pair: f"--{pair[0]}={pair[1]}"),
    value,
)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(["send", "reflect"]), st.lists(word, max_size=8))
def test_any_command_line_ends_well(verb: str, words: list[str]) -> None:
    """Never a signal, never silence: 0 with help, else one line."""
    # The records must not go into files with strange names, nor keys come from any file.
    words = [word for word in words if not word.startswith(("--output", "--key"))]
    done = run(verb, *words, "--output", "-") if verb == "send" else run(verb, *words)
    assert done.returncode in (0, USAGE, UNABLE)
    if done.returncode:
        assert done.stderr.startswith(b"latlab-probe: ")
        assert done.stderr.count(b"\n") == 1


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(max_size=30).map(lambda data: data.replace(b"\0", b"")), max_size=5))
def test_any_bytes_end_well(words: list[bytes]) -> None:
    # Other verbs have their own tests; one of them would run.
    done = run(*words) if not words or words[0] in (b"send", b"reflect") else run(b"send", *words)
    assert done.returncode in (0, USAGE, UNABLE)
