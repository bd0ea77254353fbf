# SPDX-License-Identifier: Apache-2.0
"""Timing by PTP: linuxptp at both ends of the flow, with its state in the sync log.

config              ptp4l.conf and the command lines, for each role and version
planning, others    who is the master, whose stamps; who else is on that port
nic                 what a NIC stamps, and how many transmit stamps it holds
running, session    the daemons, beside a measurement
logs, pmc, clocks   what they print, read
comparing           the two ends' clocks, by what was read
events              what happened, by the readings

What a scenario may say is in `latlab.scenario.ptp`.
"""

from __future__ import annotations

from latlab.attachment.wiring import End
from latlab.bench.site import Site
from latlab.scenario.ptp import Ptp
from latlab.timing.ptp.events import Happening, events
from latlab.timing.ptp.nic import tx_slots, tx_stamps_every
from latlab.timing.ptp.planning import make_plan
from latlab.timing.ptp.running import PtpWatch, running

__all__ = ["NAME", "Happening", "Ptp", "PtpWatch", "events", "obstacle", "running", "tx_slots", "tx_stamps_every"]

NAME = "ptp"


def obstacle(site: Site, sender: End, reflector: End, options: Ptp | None = None) -> str | None:
    """Why PTP does not work between these two ends, and what to do; None: it does. Only looks."""
    plan = make_plan(site, sender, reflector, options or Ptp())
    return plan if isinstance(plan, str) else None
