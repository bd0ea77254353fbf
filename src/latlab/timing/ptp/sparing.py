# SPDX-License-Identifier: Apache-2.0
"""How many of our packets may ask a NIC for a transmit stamp beside a ptp4l that needs its own: see `nic`."""

from __future__ import annotations

import re

from latlab.attachment.wiring import End
from latlab.scenario.model import Flow
from latlab.scenario.ptp import Ptp
from latlab.scenario.timing import Timing
from latlab.timing.ptp.nic import tx_slots, tx_stamps_every

USUAL_LOG_INTERVAL = -3
"""Of sync and of delay messages, where the scenario does not say."""


def stamps_every(flow: Flow, timing: Timing, *ends: End) -> int:
    """N: one packet in N asks for transmit stamps, 0: none. 1 where no NIC's register is shared with ptp4l."""
    if not flow.hardware or not isinstance(timing, Ptp) or timing.stamps == "software":
        return 1
    intervals = (timing.log_sync_interval, timing.log_delay_interval)
    per_s = sum(2.0 ** -(USUAL_LOG_INTERVAL if log is None else log) for log in intervals)
    each = [
        tx_stamps_every(
            tx_slots(_driver(end), kernel_version(end.host.facts.kernel)),
            period_ns=flow.period_ns, count=flow.count, ptp_per_s=per_s,
        )
        for end in ends
    ]  # fmt: skip
    return 0 if 0 in each else max(each)


def kernel_version(text: str) -> tuple[int, int]:
    """Of `uname -r`; (0, 0) when it is none."""
    found = re.match(r"(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _driver(end: End) -> str:
    """As ethtool names it; "" when it does not."""
    found = re.search(r"^driver: (\S+)", end.host.run_plain(["ethtool", "-i", end.nic]).stdout, re.MULTILINE)
    return found[1] if found else ""
