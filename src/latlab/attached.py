# SPDX-License-Identifier: Apache-2.0
"""A set-up: an attachment with its guests, ready to be measured, and how long it stands.

Points that differ in load and flow only may share one (`reuse-guest` of a scenario). Everything that was changed for a
set-up is undone when it ends; it ends early whenever something on it has failed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from latlab import attachment
from latlab.attachment.wiring import End, Wiring
from latlab.bench.site import Site, changes_undone
from latlab.ends import AnyGuest, attached_guests, guest_end, hypervisor_end, peer_end
from latlab.hosts.host import Process
from latlab.nic import as_asked, offloads_kept, offloads_off, set_mtu
from latlab.scenario.model import Point
from latlab.store.run_dir import RunDirectory
from latlab.timing.reading import Watch


@dataclass
class SetUp:
    """`wirings`, `machines` and `apps` are in the same order; the first is measured. Without a guest, no machines."""

    site: Site
    wirings: list[Wiring]
    machines: list[AnyGuest]
    apps: list[End]
    peer: End
    first_run: str
    """The id of the run that it was made for."""
    offloads: list[str] = field(default_factory=list)
    """What stays on though the scenario asks for `offloads: off`."""
    heard: str = ""
    """What the measured guest's kernel had said when its last run ended."""

    @property
    def wiring(self) -> Wiring:
        return self.wirings[0]

    @property
    def machine(self) -> AnyGuest | None:
        return self.machines[0] if self.machines else None

    @property
    def app(self) -> End:
        return self.apps[0]


@contextmanager
def attached(point: Point, site: Site, run_id: str, console: Path) -> Iterator[SetUp]:
    """The point's set-up, inside the block. What is set on the way to its end is in the undo journals."""
    ways = attachment.KINDS[point.attachment.kind]
    with changes_undone(site.hypervisor, site.peer):
        used = as_asked(site, point.nic, ways.VLAN_AT)
        wirings: list[Wiring] = ways.attach(used, point.attachment, point.guest.count)
        for name in {name: None for wiring in wirings for name in wiring.nics.values()}:
            set_mtu(used.hypervisor, name, point.nic.mtu_bytes)
        peer = peer_end(used)
        if not wirings[0].devices and not wirings[0].visit:
            app = hypervisor_end(used, wirings[0])
            yield SetUp(used, wirings, [], [app], peer, run_id, _without_offloads(point, used, wirings, [app]))
            return
        with attached_guests(used, point.guest, wirings, console) as machines:
            tagged = used.vlan if ways.VLAN_AT == "guest" else None
            apps = [
                guest_end(machine, used, wiring, point.nic, tagged=tagged)
                for machine, wiring in zip(machines, wirings, strict=True)
            ]
            # What the kernel of a guest that is not ours said before is no business of the run's.
            theirs = point.guest.image is not None or wirings[0].visit is not None
            heard = machines[0].kernel_messages() if theirs else ""
            kept = _without_offloads(point, used, wirings, apps)
            yield SetUp(used, wirings, machines, apps, peer, run_id, kept, heard)


def _without_offloads(point: Point, site: Site, wirings: list[Wiring], apps: list[End]) -> list[str]:
    """Switches off those of the attachment's interfaces, if the scenario asks for it; what stays on all the same.

    A guest that starts switches its tap's on again, so this comes after it.
    """
    if point.nic.offloads != "off":
        return []
    names = list(dict.fromkeys(name for wiring in wirings for name in wiring.nics.values()))
    for name in names:
        offloads_off(site.hypervisor, name)
    kept = offloads_kept(site.peer, [site.peer_nic]) + offloads_kept(site.hypervisor, names)
    return kept + [
        word for app in apps if app.host is not site.hypervisor for word in offloads_kept(app.host, [app.nic])
    ]


Begun = Callable[[Process, Process], None]
Beside = Callable[[SetUp, RunDirectory, Watch], AbstractContextManager[Begun]]
"""Goes on beside a flow, inside the block; it is given what watches the clocks. What it gives is told the processes of
both ends (see `measure.probe`)."""


@dataclass
class Standing:
    """The set-up that stands now, if any, from one point to the next."""

    set_up: SetUp | None = None
    before: dict[str, Any] = field(default_factory=dict)
    """The bench's environment before it was made."""
    beside: Beside | None = None
    """What goes on beside each flow that is measured on it."""
    _stack: ExitStack = field(default_factory=ExitStack)

    def make(self, point: Point, site: Site, run_id: str, console: Path) -> SetUp:
        """What was begun of it is undone when that fails."""
        self.set_up = self._stack.enter_context(attached(point, site, run_id, console))
        return self.set_up

    def end(self) -> None:
        """Undoes it. UndoError when not all of it could be undone. May be said again."""
        self.set_up = None
        self._stack.close()
