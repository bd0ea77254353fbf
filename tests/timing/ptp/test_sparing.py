# SPDX-License-Identifier: Apache-2.0
"""A ptp4l that stamps in hardware is left its transmit stamps; whoever shares none with it gives up none."""

from __future__ import annotations

import pytest

from latlab.attachment.wiring import End
from latlab.measure.probe import send_command
from latlab.scenario.model import Flow
from latlab.scenario.ptp import Ptp
from latlab.scenario.timing import Auto, Timing
from latlab.timing.ptp.sparing import kernel_version, stamps_every
from tests.canned import CannedHost

FLOW = Flow(hardware=True, count=1_000_000)


def end(driver: str) -> End:
    host = CannedHost({"ethtool -i eth0": f"driver: {driver}\nversion: 6.12\n"})
    return End(host, "eth0", None, None, "52:54:00:00:00:01")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("flow", "timing"),
    [(Flow(), Ptp()), (FLOW, Auto()), (FLOW, Ptp(stamps="software"))],
    ids=["software stamps of ours", "no ptp4l", "software stamps of ptp4l"],
)
def test_where_nothing_is_shared_every_packet_is_stamped(flow: Flow, timing: Timing) -> None:
    assert stamps_every(flow, timing, end("igb"), end("igb")) == 1


def test_the_scarcer_nic_decides() -> None:
    assert stamps_every(FLOW, Ptp(), end("veth"), end("veth")) == 1
    assert stamps_every(FLOW, Ptp(), end("igb"), end("veth")) > 1


def test_the_sender_is_told() -> None:
    here = end("igb")
    assert "--tx-stamps" not in send_command(Flow(transport="l2"), here, here)
    command = send_command(Flow(transport="l2"), here, here, 250)
    assert command[command.index("--tx-stamps") + 1] == "250"


@pytest.mark.parametrize(
    ("text", "version"), [("6.12.95+deb12-amd64", (6, 12)), ("5.10.0", (5, 10)), ("", (0, 0)), ("x6.1", (0, 0))]
)
def test_a_kernels_version_is_read(text: str, version: tuple[int, int]) -> None:
    assert kernel_version(text) == version
