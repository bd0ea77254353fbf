# SPDX-License-Identifier: Apache-2.0
"""Points that a bench which is up cannot measure: what their attachment needs, and the hypervisor lacks.

They are left out of the plan with that reason, before any of them begins. `scenario.applicable` knows the other
reasons, for which no machine has to be asked.
"""

from __future__ import annotations

from collections.abc import Iterable

from latlab import attachment
from latlab.attachment.needs import BENCH
from latlab.bench.site import Site
from latlab.errors import BenchError
from latlab.hosts.look import on_host
from latlab.needs import Missing, Need, missing, wanted
from latlab.needs.host import HostFacts, look
from latlab.needs.kernel import Module
from latlab.scenario.model import Point
from latlab.scenario.plan import Plan, narrowed


def needs_of(kind: str) -> tuple[Need, ...]:
    return (*BENCH, *attachment.KINDS[kind].NEEDS)


def obstacles(facts: HostFacts, point: Point) -> list[Missing]:
    """What keeps this point from being measured there. Pure."""
    vlan = [Module("8021q")] if point.nic.vlan is not None else []
    return missing([*needs_of(point.attachment.kind), *vlan], facts, point.attachment)


def site_facts(site: Site, kinds: Iterable[str]) -> HostFacts:
    """What the needs of these attachments look at, read from the hypervisor by about ten commands."""
    look_at = wanted([*(need for kind in kinds for need in needs_of(kind)), Module("8021q")])
    said, kernel = site.hypervisor.facts, site.guest_kernel
    return look(
        on_host(site.hypervisor),
        look_at,
        bench=site.kind,
        kernel=said.kernel,
        machine=said.machine,
        uid=said.uid,
        nic=site.nic,
        # The kernel of an emulated host has its configuration beside it.
        config=[str(kernel.root / f"boot/config-{said.kernel}")],
        guest_modules=frozenset(name for name in look_at.guest_modules if kernel.has(name)),
    )


def able_plan(plan: Plan, site: Site) -> Plan:
    """The plan without what cannot be measured on this bench. BenchError when nothing is left of it."""
    facts = site_facts(site, {p.point.attachment.kind for p in plan.points})
    found = {id(p.point): obstacles(facts, p.point) for p in plan.points}
    able = narrowed(plan, lambda point: "; ".join(map(str, found[id(point)])) or None)
    if not able.points:
        lacking = list(dict.fromkeys(m for those in found.values() for m in those))
        raise BenchError(
            f"nothing of this can be measured on the bench {site.name}: {'; '.join(map(str, lacking))}",
            hint=" · ".join(dict.fromkeys(m.command for m in lacking)),
        )
    return able
