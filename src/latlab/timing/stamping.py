# SPDX-License-Identifier: Apache-2.0
"""What a NIC can stamp, and so who stamps a flow's packets: the NIC, or the kernel. Always said, in words.

| transmit | receive filters | stamps of the NIC | frames |
|---|---|---|---|
| on | `all` | T and R of every packet | as asked for |
| on | PTP only | T of every packet, R of PTP event frames | PTP-shaped, raw Ethernet; else T alone |
| on | none | T alone | as asked for |
| off | any | none: the kernel stamps | as asked for |
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from latlab.bench.site import Site
from latlab.errors import BenchError, MeasurementError
from latlab.hosts.host import Host

PTP_FILTERS = ("ptpv2-event", "ptpv2-l2-event")
"""Those under which Ethernet frames of the shape of PTP events are stamped, the wider one first."""


@dataclass(frozen=True)
class Abilities:
    """What ETHTOOL_GET_TS_INFO and SIOCGHWTSTAMP say of a NIC, in the words of `ethtool -T`."""

    nic: str
    phc: int | None
    """The number of its clock: /dev/ptpN."""
    capabilities: frozenset[str]
    transmit: frozenset[str]
    receive: frozenset[str]
    config: Mapping[str, str] | None
    """What it is told now: `transmit` and `receive`; None: it cannot be told."""


@dataclass(frozen=True)
class Stamping:
    """A line of the table above."""

    transmit: bool
    """The NIC stamps what leaves (T)."""
    receive: str | None
    """The receive filter to set, for the NIC to stamp what arrives (R); None: it does not."""
    ptp_frames: bool
    """Only frames of the shape of PTP events are stamped on arrival."""
    words: str

    @property
    def hardware(self) -> bool:
        return self.transmit or self.receive is not None


def parse(text: str) -> Abilities:
    """What `latlab-probe clock stamps` prints. MeasurementError when it is something else. Pure."""
    try:
        found = json.loads(text)
        can, transmit, receive = (_names(found[key]) for key in ("capabilities", "transmit", "receive"))
        config = {key: str(found["config"][key]) for key in ("transmit", "receive")} if found["config"] else None
        phc = None if found["phc"] is None else int(found["phc"])
        return Abilities(str(found["nic"]), phc, can, transmit, receive, config)
    except (ValueError, KeyError, TypeError, RecursionError):
        raise MeasurementError(f"the probe printed what describes no NIC: {text[:80]!r}") from None


def _names(found: object) -> frozenset[str]:
    if not isinstance(found, list):
        raise TypeError
    return frozenset(map(str, found))


def look(host: Host, nic: str) -> Abilities:
    """HostError when there is no such NIC."""
    return parse(host.run([host.probe, "clock", "stamps", "--nic", nic]))


def decide(nic: Abilities) -> Stamping:
    """Who stamps, by the table. Pure."""
    name = nic.nic
    transmit = "on" in nic.transmit and "hardware-transmit" in nic.capabilities
    if nic.phc is None or not transmit:
        why = "has no clock of its own" if nic.phc is None else "stamps no packet that leaves"
        kernel = "software-transmit" in nic.capabilities
        rest = "" if kernel else "; its driver takes no transmit stamps either: t is missing"
        return Stamping(False, None, False, f"stamped by the kernel: {name} {why}{rest}")
    if "hardware-receive" in nic.capabilities and "all" in nic.receive:
        return Stamping(True, "all", False, f"stamped by {name}: every packet, both ways")
    chosen = next((f for f in PTP_FILTERS if f in nic.receive), None)
    if "hardware-receive" in nic.capabilities and chosen:
        words = f"stamped by {name}: every packet that leaves; of those that arrive, only PTP event frames ({chosen})"
        return Stamping(True, chosen, True, words)
    words = f"stamped by {name} when they leave, by the kernel when they arrive: it has no receive filter for them"
    return Stamping(True, None, False, words)


def tell(site: Site, host: Host, nic: Abilities, wanted: Stamping) -> None:
    """Tells the NIC to stamp so; undone later. BenchError where that would go behind somebody's back."""
    if nic.config is None or not wanted.transmit:
        return
    now = (nic.config["transmit"], nic.config["receive"])
    goal = ("on", wanted.receive or now[1])
    if now == goal:
        return
    if nic.nic in (site.nic, site.peer_nic) and site.nic_in_use:
        raise BenchError(f"{host.name}: {nic.nic} is its owner's: its stamps are left as they are")
    if now[1] not in ("none", "some") and now[1] != goal[1]:
        raise BenchError(
            f"{host.name}: somebody has set the receive filter of {nic.nic} to {now[1]}",
            hint="A clock service (ptp4l) that runs there needs it: end that, or measure with software stamps.",
        )
    host.change(_filter(host, nic.nic, *goal), undo=_filter(host, nic.nic, *now))
    after = look(host, nic.nic).config or {}
    if after.get("transmit") != "on" or not _covers(after.get("receive", ""), goal[1]):
        raise BenchError(
            f"{host.name}: {nic.nic} was told {goal}, and has {dict(after)}", hint="A fault of its driver."
        )


def _covers(has: str, wanted: str) -> bool:
    """A driver may stamp more than it was asked to (Documentation/networking/timestamping.rst)."""
    return has == wanted or has == "all" or (has in PTP_FILTERS and wanted in PTP_FILTERS)


def _filter(host: Host, nic: str, transmit: str, receive: str) -> list[str]:
    return [host.probe, "clock", "filter", "--nic", nic, "--transmit", transmit, "--receive", receive]
