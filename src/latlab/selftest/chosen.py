# SPDX-License-Identifier: Apache-2.0
"""Which kinds of faults a bench can be given, and why not the others."""

from __future__ import annotations

from collections.abc import Collection

from latlab.bench.site import Site
from latlab.selftest import stage
from latlab.selftest.faults import KINDS, Way
from latlab.selftest.injectors import INJECTORS
from latlab.selftest.plan import Chosen
from latlab.selftest.ptp_injectors import master_lost, servo
from latlab.timing.ptp.planning import INSTALL

IN_THE_WAY = ("delay", "loss", "duplication", "reordering")
"""What netem does."""
WITH_PTP = {"master-lost": master_lost, "servo": servo}
"""Beside a clock service only: in a flow of their own, because it moves the clocks itself."""
ALL = {**INJECTORS, **WITH_PTP}


def choose(site: Site, *, guest: bool, only: Collection[str] = ()) -> Chosen:
    """The kinds for a bench that is up, with or without a guest; `only` some, if any are named. Loads the modules that
    netem needs, unloaded later.
    """
    pairs: list[tuple[str, Way | None]] = []
    left_out: list[tuple[str, str]] = []
    no_netem = stage.obstacle(site.hypervisor) or stage.obstacle(site.peer)
    for name, kind in KINDS.items():
        reason = "not asked for" if only and name not in only else _obstacle(name, site, guest, no_netem)
        if reason:
            left_out.append((name, reason))
        else:
            pairs += [(name, way) for way in kind.ways]
    return Chosen(tuple(pairs), tuple(left_out))


def _obstacle(name: str, site: Site, guest: bool, no_netem: str | None) -> str | None:
    if name in IN_THE_WAY:
        return no_netem
    if KINDS[name].of_the_clock and not guest and site.hypervisor.facts.boot_id == site.peer.facts.boot_id:
        return "both ends of the flow have one kernel, and one clock"
    if KINDS[name].of_the_clock and site.kind != "emulated":
        return "its clocks are those of real machines, and are not changed"
    if name in WITH_PTP and guest:
        return "the guest that latlab makes has no ptp4l"
    if name in WITH_PTP and not (site.hypervisor.has("ptp4l") and site.peer.has("ptp4l")):
        return f"ptp4l is not installed; {INSTALL}"
    if name == "vcpu-stop" and not guest:
        return "there is no guest: name an attachment, as --attachment tap-bridge"
    return None if name in ALL else "this version does not inject it"
