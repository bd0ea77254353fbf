# SPDX-License-Identifier: Apache-2.0
"""netperf's bulk tests: which runs where, what cannot be, and what its result says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latlab.errors import BenchError, MeasurementError
from latlab.load import netperf_streams
from tests.load.loads import GUEST, PEER, streams

UDP_STREAM = """\
MIGRATED UDP STREAM TEST from 0.0.0.0 (0.0.0.0) port 0 AF_INET to 198.18.91.2 () port 0 AF_INET : demo
ELAPSED_TIME=2.02
LOCAL_BYTES_SENT=275857400
LOCAL_BYTES_RECVD=0
REMOTE_BYTES_SENT=0
REMOTE_BYTES_RECVD=159049800
"""
OUTPUT = "ELAPSED_TIME,LOCAL_BYTES_SENT,LOCAL_BYTES_RECVD,REMOTE_BYTES_SENT,REMOTE_BYTES_RECVD"


@pytest.mark.parametrize(
    ("protocol", "into_app", "test", "server"),
    [
        ("udp", True, "UDP_STREAM", GUEST),
        ("udp", False, "UDP_STREAM", PEER),
        ("tcp", True, "TCP_MAERTS", PEER),
        ("tcp", False, "TCP_STREAM", PEER),
    ],
)
def test_who_serves_and_which_test_runs(protocol: str, into_app: bool, test: str, server: object) -> None:
    it = streams(into_app=into_app, protocol=protocol, program="netperf")
    assert netperf_streams.test_name(it) == test
    assert netperf_streams.ends(it)[1].reach == server


def test_the_commands() -> None:
    it = streams(into_app=True, program="netperf")
    assert " ".join(netperf_streams.server_argv(it, 2)) == "netserver -D -f -L 198.18.77.3,4 -p 12869"
    assert " ".join(netperf_streams.client_argv(it, 0)) == (
        f"netperf -H 198.18.77.3,4 -p 12867 -l 10000000 -t UDP_STREAM -- -k {OUTPUT} -m 1400 -R 1"
    )


def test_udp_into_a_guest_behind_nat_is_refused() -> None:
    with pytest.raises(BenchError, match="behind NAT") as caught:
        netperf_streams.client_argv(streams(into_app=True, nat=True, program="netperf"), 0)
    assert "iperf3" in caught.value.hint
    netperf_streams.client_argv(streams(into_app=True, nat=True, program="netperf", protocol="tcp"), 0)


def test_a_rate_is_refused() -> None:
    with pytest.raises(BenchError, match="--enable-intervals") as caught:
        netperf_streams.ends(streams(into_app=False, program="netperf", rate_bps=5_000_000))
    assert "iperf3" in caught.value.hint


def test_the_receivers_bytes_count() -> None:
    assert netperf_streams.parse(UDP_STREAM, remote_sends=False) == netperf_streams.Report(2.02, 275857400, 159049800)
    assert netperf_streams.parse(UDP_STREAM, remote_sends=True) == netperf_streams.Report(2.02, 0, 0)


@given(st.text() | st.text("=0123456789.\n").map(lambda t: UDP_STREAM.replace("=0\n", t)), st.booleans())
def test_any_text_gives_a_report_or_a_typed_error(text: str, remote_sends: bool) -> None:
    try:
        report = netperf_streams.parse(text, remote_sends=remote_sends)
    except MeasurementError:
        return
    assert report.received_bytes >= 0
