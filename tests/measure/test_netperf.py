# SPDX-License-Identifier: Apache-2.0
"""netperf's command line is the study's, and what it prints is understood or refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latlab.errors import MeasurementError
from latlab.measure import netperf

TCP_RR = """\
Packet rate control is not compiled in.
Packet burst size is not compiled in.\x20
MIGRATED TCP REQUEST/RESPONSE TEST from 0.0.0.0 (0.0.0.0) port 0 AF_INET to 198.18.91.2 () port 12866 AF_INET : demo
Minimum      Mean         Maximum      Stddev       Transaction\x20
Latency      Latency      Latency      Latency      Rate       \x20
Microseconds Microseconds Microseconds Microseconds Tran/s     \x20
                                                               \x20
11           12.80        116          5.76         77802.846  \x20
"""
NO_SERVER = """\
establish control: are you sure there is a netserver listening on 198.18.91.2 at port 12865?
establish_control could not establish the control connection from 0.0.0.0 port 0 address family AF_UNSPEC to 198.18.91.2
"""


def test_the_command_is_the_studys_plus_ports() -> None:
    assert " ".join(netperf.netperf_argv("198.18.91.2", "ip4", "TCP_RR", 1000)) == (
        "netperf -H 198.18.91.2,4 -p 12865 -l -1000 -t TCP_RR -w 10ms -b 1 -v 2 -- "
        "-P ,12866 -O min_latency,mean_latency,max_latency,stddev_latency,transaction_rate"
    )
    assert netperf.netserver_argv("2001:2::1", "ip6", 12865) == ["netserver", "-D", "-L", "2001:2::1,6", "-p", "12865"]


def test_microseconds_become_nanoseconds() -> None:
    found = netperf.parse(TCP_RR)
    assert (found.min_ns, found.max_ns) == (11_000, 116_000)
    assert found.mean_ns == pytest.approx(12_800)
    assert found.stddev_ns == pytest.approx(5_760)
    assert found.transactions_per_s == 77802.846


@pytest.mark.parametrize(
    "text",
    [
        "",
        NO_SERVER,
        TCP_RR.rsplit("\n", 2)[0],  # cut off before the numbers
        TCP_RR.replace("12.80", "-nan"),
        TCP_RR.replace("77802.846", ""),
        TCP_RR.replace("11 ", "-1 "),
    ],
)
def test_what_is_no_result_is_refused(text: str) -> None:
    with pytest.raises(MeasurementError):
        netperf.parse(text)


@given(st.text() | st.text("0123456789.-eEnai \n").map(lambda t: "Microseconds\n" + t))
def test_any_text_gives_a_result_or_a_typed_error(text: str) -> None:
    try:
        found = netperf.parse(text)
    except MeasurementError:
        return
    assert found.min_ns >= 0
