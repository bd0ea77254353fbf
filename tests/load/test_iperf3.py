# SPDX-License-Identifier: Apache-2.0
"""iperf3's command lines, and what its results say, from real outputs of iperf3 3.12 that was interrupted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latlab.errors import MeasurementError
from latlab.load import iperf3
from latlab.load.streams import Carried
from tests.load.loads import streams

DATA = Path(__file__).parent.parent / "data" / "iperf3"


def carried(name: str, *, udp: bool, into_app: bool) -> Carried:
    client, server = (iperf3.parse((DATA / f"{name}-{end}.json").read_text()) for end in ("client", "server"))
    return iperf3.carried(client, server, udp=udp, into_app=into_app)


def test_the_server_serves_one_test_on_the_sources_own_address() -> None:
    assert " ".join(iperf3.server_argv(streams(into_app=True))) == "iperf3 -s -1 -J -i 0 -4 -B 198.18.77.2 -p 5201"


@pytest.mark.parametrize(
    ("load", "into_app", "end"),
    [
        ({}, True, "-u -l 1400 -b 0 -R"),
        ({}, False, "-u -l 1400 -b 0"),
        ({"rate_bps": 5_000_000}, False, "-u -l 1400 -b 5000000"),
        ({"protocol": "tcp"}, True, "-R"),
        ({"protocol": "tcp", "rate_bps": 5_000_000}, False, "-b 5000000 -l 6250"),
    ],
)
def test_the_client_runs_at_the_application(load: dict[str, Any], into_app: bool, end: str) -> None:
    argv = " ".join(iperf3.client_argv(streams(into_app=into_app, nat=True, **load)))
    start = "iperf3 -c 198.18.77.2 -4 -p 5201 -J -i 0 -t 0 -P 3 --connect-timeout 10000"
    assert argv.split() == f"{start} {end}".split()


def test_ip6() -> None:
    argv = iperf3.client_argv(streams(into_app=True, family="ip6"))
    assert argv[2:4] == ["2001:2:0:77::2", "-6"]


@given(st.integers(1_000, 10**12))
def test_a_block_is_a_packet_at_least_and_iperf3s_own_at_most(rate_bps: int) -> None:
    assert 1_400 <= iperf3.block_bytes(rate_bps) <= 131_072


@pytest.mark.parametrize("udp", [True, False])
@pytest.mark.parametrize("into_app", [True, False])
def test_both_streams_carried_their_rate(udp: bool, into_app: bool) -> None:
    name = f"{'udp' if udp else 'tcp'}-{'same' if into_app else 'opposite'}-rated"
    found = carried(name, udp=udp, into_app=into_app)
    assert len(found.bytes) == 2
    for received in found.bytes:
        assert received * 8 / found.duration_s == pytest.approx(5e6, rel=0.05)
    assert found.lost_datagrams == (0 if udp else None)
    assert found.sent_bytes == pytest.approx(sum(found.bytes), rel=0.05)


def test_a_sender_that_did_not_count_is_no_failure() -> None:
    found = carried("udp-same-unlimited", udp=True, into_app=True)
    assert found.sent_bytes is None
    assert found.lost_datagrams == 108_742
    assert sum(found.bytes) == (297_690 - 108_742) * 1400


def test_a_receiver_that_did_not_count_is_one() -> None:
    with pytest.raises(MeasurementError, match="the client has terminated"):
        carried("udp-same-unlimited", udp=True, into_app=False)


def test_text_after_the_result_is_no_harm() -> None:
    text = (DATA / "tcp-same-rated-client.json").read_text()
    assert iperf3.parse(text + "iperf3: error - unable to send control message: Broken pipe\n") == iperf3.parse(text)


@pytest.mark.parametrize("text", ["", "iperf3: error - unable to connect to server", '{"start": {', "{" * 100_000])
def test_what_is_no_result_is_refused(text: str) -> None:
    with pytest.raises(MeasurementError):
        iperf3.parse(text)


VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=3) | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["end", "streams", "udp", "seconds", "packets", "lost_packets", "sender", "bytes", "start",
                         "test_start", "blksize", "error"]), inner, max_size=4),
)  # fmt: skip


@given(st.text() | VALUES.map(json.dumps), st.booleans(), st.booleans())
def test_any_text_gives_a_result_or_a_typed_error(text: str, udp: bool, into_app: bool) -> None:
    try:
        document = iperf3.parse(text)
        found = iperf3.carried(document, document, udp=udp, into_app=into_app)
    except MeasurementError:
        return
    assert isinstance(found, Carried)
