# SPDX-License-Identifier: Apache-2.0
"""A scenario's points, in a fixed order, and their names.

The order is attachment, nic, guest, repeat, timing, load, flow: what costs most to change comes first, and what shares
a set-up stands together. A label is for people ("tap-bridge vhost=off, 3 udp same"), a slug for directories
("tap-bridge-vhost-off-3xudp"); both name what differs from the defaults, so the usual case stays short.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence

from pydantic import BaseModel

from latlab.scenario.attachments import Attachment
from latlab.scenario.fields import Key, keys_of
from latlab.scenario.model import Flow, Guest, Load, Nic, Point, Scenario
from latlab.scenario.timing import Auto, Timing

MAX_SLUG = 80

# Shown with their word alone where it cannot be mistaken: "up", not "direction=up".
_BARE = ("direction", "transport", "period", "size", "clock", "memory")


def expand(scenario: Scenario) -> list[Point]:
    """All points: the product of the axes' values, times `repeat`."""
    axes = itertools.product(
        scenario.attachments, scenario.nics, scenario.guests, range(1, scenario.repeat + 1),
        scenario.timings, scenario.loads, scenario.flows,
    )  # fmt: skip
    return [
        Point(attachment=attachment, nic=nic, guest=guest, repeat=repeat, timing=timing, load=load, flow=flow,
              instruments=scenario.instruments)
        for attachment, nic, guest, repeat, timing, load, flow in axes
    ]  # fmt: skip


def same_set_up(one: Point, other: Point) -> bool:
    """Whether both are measured on the same attachment, NICs and guests, in the same repetition."""
    return all(getattr(one, part) == getattr(other, part) for part in ("attachment", "nic", "guest", "repeat"))


def attachment_label(attachment: Attachment) -> str:
    """ "tap-bridge", "macvtap mode=vepa vhost=off"."""
    return " ".join([attachment.kind, *_differences(attachment)])


def load_label(load: Load | None) -> str:
    """ "none", "3 udp same", "3 tcp opposite 5M from hypervisor by netperf"."""
    if load is None:
        return "none"
    parts = [str(load.streams), load.protocol, load.direction]
    if load.rate_bps is not None:
        parts.append(_rate(load))
    if load.source != "peer":
        parts.append(f"from {load.source}")
    if load.program != "iperf3":
        parts.append(f"by {load.program}")
    return " ".join(parts)


def timing_label(timing: Timing) -> str:
    """ "timing exchange", "timing ptp transport=l2"; "" for what is chosen by itself."""
    return "" if timing == Auto() else " ".join(["timing", timing.kind, *_differences(timing)])


def point_label(point: Point, varying: Iterable[str] | None = None) -> str:
    """ "tap-bridge, no load", "macvtap, 3 udp same, up 10ms, run 2".

    Of flow and guest it names the keys in `varying` (see `varying_keys`), or else what differs from the defaults.
    """
    chosen = None if varying is None else frozenset(varying)
    load = "no load" if point.load is None else load_label(point.load)
    parts = [attachment_label(point.attachment), load]
    parts.append(" ".join(_details(point, chosen)))
    parts.append(timing_label(point.timing))
    if point.repeat > 1:
        parts.append(f"run {point.repeat}")
    return ", ".join(part for part in parts if part)


def point_slug(point: Point, varying: Iterable[str] | None = None) -> str:
    """A name for the point's directory: a-z, 0-9 and "-", at most 80 characters, not unique by itself.

    `varying` is that of `point_label`.
    """
    chosen = None if varying is None else frozenset(varying)
    parts = [attachment_label(point.attachment)]
    if point.load is None:
        parts.append("no-load")
    else:
        parts.append(load_label(point.load).replace(" ", "x", 1).replace(" same", "", 1))
    parts += [*_details(point, chosen), timing_label(point.timing)]
    if point.repeat > 1:
        parts.append(f"run{point.repeat}")
    return slug("-".join(part for part in parts if part))


def slug(words: str) -> str:
    """`words` as the name of a directory: a-z, 0-9 and hyphens, at most 80 characters; "" when nothing is left."""
    return re.sub(r"[^a-z0-9]+", "-", words.lower())[:MAX_SLUG].strip("-")


def varying_keys(points: Sequence[Point]) -> frozenset[str]:
    """The keys of flow, NIC and guest that have more than one value among these points."""
    found = set()
    for part, model in (("flow", Flow), ("nic", Nic), ("guest", Guest)):
        for key in keys_of(model).values():
            if len({getattr(getattr(point, part), key.field) for point in points}) > 1:
                found.add(f"{part}.{key.key}")
    return frozenset(found)


def _details(point: Point, chosen: frozenset[str] | None) -> list[str]:
    return [word for part in ("flow", "nic", "guest") for word in _differences(getattr(point, part), chosen, part)]


def _differences(model: BaseModel, chosen: frozenset[str] | None = None, part: str = "") -> list[str]:
    """What differs from the model's defaults, or else what is `chosen`, as words."""
    words = []
    for key in keys_of(type(model)).values():
        value = getattr(model, key.field)
        if (value != key.default) if chosen is None else (f"{part}.{key.key}" in chosen):
            words.append(_word(key, value, part))
    return words


def _word(key: Key, value: object, part: str = "") -> str:
    if part == "guest" and key.key == "count":
        return f"{value} guests"
    if part == "nic" and key.key == "vlan":
        return f"nic vlan={key.show(value)}"
    if isinstance(value, bool):
        return f"{key.key}={'on' if value else 'off'}"
    return key.show(value) if key.key in _BARE else f"{key.key}={key.show(value)}"


def _rate(load: Load) -> str:
    """ "5M" for 5Mbit; a rate in plain bits keeps its unit."""
    shown = keys_of(Load)["rate"].show(load.rate_bps)
    return re.sub("(?<=[kMG])bit$", "", shown)
