# SPDX-License-Identifier: Apache-2.0
"""ping's summaries, of both programs, with and without replies."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latlab.errors import MeasurementError
from latlab.measure import ping
from latlab.scenario.model import Ping

IPUTILS = """\
PING 198.18.91.2 (198.18.91.2) 56(84) bytes of data.

--- 198.18.91.2 ping statistics ---
3 packets transmitted, 3 received, 0% packet loss, time 412ms
rtt min/avg/max/mdev = 0.046/0.156/0.376/0.155 ms
"""
IPUTILS_ERRORS = """\
PING 2001:2:0:91::2(2001:2:0:91::2) 56 data bytes
From 2001:2:0:91::1 icmp_seq=1 Destination unreachable: Address unreachable

--- 2001:2:0:91::2 ping statistics ---
3 packets transmitted, 0 received, +3 errors, 100% packet loss, time 404ms

"""
IPUTILS_PIPE = """\
--- 198.18.91.2 ping statistics ---
10 packets transmitted, 9 received, +1 duplicates, 10% packet loss, time 9012ms
rtt min/avg/max/mdev = 0.046/1.5/1100.376/2 ms, pipe 2
"""
BUSYBOX = """\
PING 198.18.91.2 (198.18.91.2): 56 data bytes

--- 198.18.91.2 ping statistics ---
3 packets transmitted, 3 packets received, 0% packet loss
round-trip min/avg/max = 0.054/0.075/0.101 ms
"""
BUSYBOX_NONE = """\
PING 198.18.91.9 (198.18.91.9): 56 data bytes

--- 198.18.91.9 ping statistics ---
2 packets transmitted, 0 packets received, 100% packet loss
"""


def test_the_command() -> None:
    assert ping.ping_argv("198.18.91.2", "ip4", Ping(count=10)) == [
        "ping", "-4", "-q", "-c", "10", "-i", "1", "-W", "2", "198.18.91.2",
    ]  # fmt: skip
    argv = ping.ping_argv("2001:2::2", "ip6", Ping(interval_ns=2_000_000))
    assert argv[1] == "-6"
    assert argv[argv.index("-i") + 1] == "0.002"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (IPUTILS, (3, 3, 46_000, 156_000, 376_000, 155_000)),
        (IPUTILS_PIPE, (10, 9, 46_000, 1_500_000, 1_100_376_000, 2_000_000)),
        (IPUTILS_ERRORS, (3, 0, None, None, None, None)),
        (BUSYBOX, (3, 3, 54_000, 75_000, 101_000, None)),
        (BUSYBOX_NONE, (2, 0, None, None, None, None)),
    ],
    ids=["iputils", "iputils-duplicates", "iputils-errors", "busybox", "busybox-none"],
)
def test_summaries(text: str, expected: tuple[float | None, ...]) -> None:
    found = ping.parse(text)
    values = (found.sent, found.received, found.min_ns, found.mean_ns, found.max_ns, found.mdev_ns)
    assert values == pytest.approx(expected)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ping: connect: Network is unreachable",
        IPUTILS.replace("rtt min", "rtt"),
        IPUTILS.replace("0.046", "0.0.46"),
    ],
)
def test_what_is_no_summary_is_refused(text: str) -> None:
    with pytest.raises(MeasurementError):
        ping.parse(text)


PIECES = st.sampled_from(
    [" packets transmitted, ", " received", "rtt min/avg/max = ", "/", "0.1", "3", ".", " ms", "\n"]
)


@given(st.text() | st.lists(PIECES).map("".join))
def test_any_text_gives_a_summary_or_a_typed_error(text: str) -> None:
    try:
        found = ping.parse(text)
    except MeasurementError:
        return
    assert found.sent >= 0
    assert (found.min_ns is None) or found.min_ns >= 0
