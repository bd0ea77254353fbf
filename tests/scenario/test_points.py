# SPDX-License-Identifier: Apache-2.0
"""Points: their order, their names, and an identity that must never change."""

from __future__ import annotations

import itertools

import pytest

from latlab.scenario.attachments import Attachment, Baseline, Macvtap, TapBridge
from latlab.scenario.load import scenario_from_bytes
from latlab.scenario.model import Flow, Guest, Load, Netperf, Ping, Point, Probe
from latlab.scenario.points import (
    attachment_label,
    expand,
    load_label,
    point_label,
    point_slug,
    same_set_up,
    varying_keys,
)


def point(
    attachment: Attachment | None = None,
    load: Load | None = None,
    flow: Flow | None = None,
    guest: Guest | None = None,
    repeat: int = 1,
) -> Point:
    return Point(
        attachment=attachment or TapBridge(), load=load, flow=flow or Flow(), guest=guest or Guest(),
        instruments=(Probe(),), repeat=repeat,
    )  # fmt: skip


def test_what_shares_a_set_up_stands_together() -> None:
    text = b"attachment: [user, macvtap]\nload: [none, {}]\nflow: {direction: [up, down]}\nrepeat: 2\n"
    points = expand(scenario_from_bytes(text, "x.yaml"))
    assert [(p.attachment.kind, p.load is None, p.flow.direction, p.repeat) for p in points] == [
        (attachment, idle, direction, repeat)
        for attachment in ("user", "macvtap")
        for repeat in (1, 2)
        for idle in (True, False)
        for direction in ("up", "down")
    ]
    assert [same_set_up(a, b) for a, b in itertools.pairwise(points[:9])] == [*[True] * 3, False, *[True] * 3, False]


@pytest.mark.parametrize(
    ("attachment", "label"),
    [
        (Baseline(), "baseline"),
        (TapBridge(), "tap-bridge"),
        (TapBridge(vhost="off"), "tap-bridge vhost=off"),
        (Macvtap(mode="vepa", vhost="off"), "macvtap mode=vepa vhost=off"),
    ],
)
def test_attachment_labels(attachment: Attachment, label: str) -> None:
    assert attachment_label(attachment) == label


@pytest.mark.parametrize(
    ("load", "label"),
    [
        (None, "none"),
        (Load(), "3 udp same"),
        (Load(direction="opposite", rate_bps=5_000_000), "3 udp opposite 5M"),
        (Load(streams=1, protocol="tcp", source="hypervisor", program="netperf", rate_bps=1_000),
         "1 tcp same 1k from hypervisor by netperf"),
        (Load(rate_bps=1_234), "3 udp same 1234bit"),
    ],
)  # fmt: skip
def test_load_labels(load: Load | None, label: str) -> None:
    assert load_label(load) == label


@pytest.mark.parametrize(
    ("given_point", "label", "slug"),
    [
        (point(), "tap-bridge, no load", "tap-bridge-no-load"),
        (point(load=Load()), "tap-bridge, 3 udp same", "tap-bridge-3xudp"),
        (point(TapBridge(vhost="off"), Load(direction="opposite", rate_bps=5_000_000)),
         "tap-bridge vhost=off, 3 udp opposite 5M", "tap-bridge-vhost-off-3xudp-opposite-5m"),
        (point(Macvtap(mode="vepa"), flow=Flow(direction="up", transport="l2", period_ns=10**7, vlan=5, fifo=None)),
         "macvtap mode=vepa, no load, up l2 10ms vlan=5 fifo=none",
         "macvtap-mode-vepa-no-load-up-l2-10ms-vlan-5-fifo-none"),
        (point(guest=Guest(cpus=2, memory_mib=256), repeat=3), "tap-bridge, no load, cpus=2 256MiB, run 3",
         "tap-bridge-no-load-cpus-2-256mib-run3"),
    ],
)  # fmt: skip
def test_point_names_say_what_differs_from_the_defaults(given_point: Point, label: str, slug: str) -> None:
    assert point_label(given_point) == label
    assert point_slug(given_point) == slug


def test_among_others_a_point_is_named_by_what_varies() -> None:
    points = [point(flow=Flow(period_ns=period_ns, priority=7)) for period_ns in (1_000_000, 2_000_000)]
    varying = varying_keys(points)
    assert varying == {"flow.period"}
    assert [point_label(p, varying) for p in points] == ["tap-bridge, no load, 1ms", "tap-bridge, no load, 2ms"]
    assert [point_slug(p, varying) for p in points] == ["tap-bridge-no-load-1ms", "tap-bridge-no-load-2ms"]
    assert point_label(points[1]) == "tap-bridge, no load, 2ms priority=7"


def test_a_slug_is_short_ascii() -> None:
    everything = point(
        Macvtap(mode="passthru", vhost="off"),
        Load(streams=64, direction="opposite", source="hypervisor", program="netperf", rate_bps=1_001),
        Flow(direction="up", transport="udp6", period_ns=1_006_000, count=5, size_bytes=97, priority=7, cpu=1),
    )
    slug = point_slug(everything)
    assert slug.isascii()
    assert len(slug) <= 80
    assert slug.strip("-") == slug
    assert set(slug) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")


def test_the_identity_of_a_known_point() -> None:
    """Stored runs are found by it. If this fails, every run on every disk has lost its name: do not just update it."""
    known = Point(
        attachment=TapBridge(),
        flow=Flow(),
        load=Load(),
        guest=Guest(),
        instruments=(Probe(), Netperf(), Ping()),
    )
    assert known.identity == "a62cc2e706f2"


def test_repeat_is_no_part_of_the_identity_and_everything_else_is() -> None:
    assert point(repeat=2).identity == point().identity
    others = [point(Baseline()), point(load=Load()), point(flow=Flow(count=1)), point(guest=Guest(cpus=2))]
    assert len({p.identity for p in [point(), *others]}) == 5
