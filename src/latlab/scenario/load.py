# SPDX-License-Identifier: Apache-2.0
"""A scenario file -> a checked `Scenario`, or a ScenarioError with all that is wrong with it, each with its place.

Only `load_scenario` touches the machine, to read the file; `scenario_from_bytes` is the same without it. The keys
are described in docs/scenario.md; their table is `fields.keys_of` of the models, plus `flow.duration` here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, Field

from latlab.scenario import override
from latlab.scenario.attachments import Attachment
from latlab.scenario.fields import NONE, keys_of, kinds_of
from latlab.scenario.model import MAX_POINTS, Flow, Guest, Header, Instrument, Load, Nic, Probe, Scenario
from latlab.scenario.read import Reader, describe
from latlab.scenario.source import Node, read_bytes, read_file
from latlab.scenario.timing import Auto, Timing
from latlab.scenario.units import clip, format_duration

KEYS = ("name", "description", "attachment", "load", "flow", "nic", "guest", "timing", "instruments", "repeat",
        "reuse-guest")  # fmt: skip
"""The keys of a scenario, in the order in which the docs explain them."""

M = TypeVar("M", bound=BaseModel)

DAY_NS = 24 * 3600 * 10**9
MAX_FLOW_NS = 31 * DAY_NS


class FlowAsWritten(Flow):
    """A flow in a file may say how long it lasts instead of how many packets it has."""

    duration_ns: int | None = Field(
        default=None, ge=1_000, le=MAX_FLOW_NS, description="length of the flow, in place of `count`"
    )


def load_scenario(path: Path, overrides: Sequence[str] = ()) -> Scenario:
    """The scenario in a file, with `--set` overrides applied. Raises ScenarioError."""
    return _scenario(read_file(path), path.stem, overrides)


def scenario_from_bytes(data: bytes, file: str, overrides: Sequence[str] = ()) -> Scenario:
    """The scenario in a file's content. Raises ScenarioError, with `file` as the name in its problems."""
    return _scenario(read_bytes(data, file), Path(file).stem, overrides)


def _scenario(root: Node, default_name: str, overrides: Sequence[str]) -> Scenario:
    override.apply(root, overrides)
    reader = Reader()
    if root.kind != "mapping":
        reader.add(root, f"a scenario is a mapping of keys, not {describe(root)}", f"Its keys: {', '.join(KEYS)}.")
        reader.check()
    entries = reader.entries(root, KEYS, "the scenario")
    header = _header(reader, root) or Header()
    attachments = _attachments(reader, root, entries.get("attachment"))
    loads = _loads(reader, entries.get("load"))
    flows = _flows(reader, entries.get("flow"))
    nics = _plain(reader, entries.get("nic"), Nic, "nic")
    guests = _plain(reader, entries.get("guest"), Guest, "guest")
    timings = _timings(reader, entries.get("timing"))
    instruments = _instruments(reader, entries.get("instruments"))
    points = math.prod(map(len, (attachments, loads, flows, nics, guests, timings))) * header.repeat
    if points > MAX_POINTS:
        reader.add(
            root, f"the scenario multiplies into {points} points; the most is {MAX_POINTS}", "Shorten its lists."
        )
    reader.check()
    return Scenario(
        name=header.name or default_name[:80],
        description=header.description,
        repeat=header.repeat,
        reuse_guest=header.reuse_guest,
        attachments=tuple(attachments),
        loads=tuple(loads),
        flows=tuple(flows),
        nics=tuple(nics),
        guests=tuple(guests),
        timings=tuple(timings),
        instruments=tuple(instruments),
    )


def _header(reader: Reader, root: Node) -> Header | None:
    own = [(key, value) for key, value in root.entries if key.text in keys_of(Header)]
    return next(iter(reader.models(Node("mapping", root.place, entries=own), Header, "", axes=False)), None)


def _attachments(reader: Reader, root: Node, node: Node | None) -> list[Any]:
    if node is None:
        reader.add(root, "attachment is missing", f"Known: {', '.join(kinds_of(Attachment))}.")
        return []
    return _kinds(reader, node, Attachment, "attachment")


def _timings(reader: Reader, node: Node | None) -> list[Any]:
    return [Auto()] if node is None else _kinds(reader, node, Timing, "timing")


def _kinds(reader: Reader, node: Node, union: Any, what: str) -> list[Any]:
    """The values of an axis whose alternatives are kinds."""
    kinds = kinds_of(union)
    items = reader.alternatives(node, what)
    return reader.distinct(what, [pair for item in items for pair in reader.kind(item, kinds, what, axes=True)])


def _loads(reader: Reader, node: Node | None) -> list[Load | None]:
    if node is None:
        return [None]
    found: list[tuple[Node, Load | None]] = []
    for item in reader.alternatives(node, "load"):
        if item.kind == "text" and item.text == NONE:
            found.append((item, None))
        elif item.kind == "text":
            hint = "Write `none`, or options such as {streams: 3, protocol: udp}."
            reader.add(item, f"load is none or a mapping of options, not {clip(item.text)}", hint)
        else:
            found += [(item, load) for load in reader.models(item, Load, "load", axes=True)]
    return reader.distinct("load", found)


def _flows(reader: Reader, node: Node | None) -> list[Flow]:
    if node is None:
        return [Flow()]
    found: list[tuple[Node, Flow]] = []
    for item in reader.alternatives(node, "flow"):
        given = {key.text: key for key, _ in item.entries}
        if "count" in given and "duration" in given:
            reader.add(given["duration"], "flow has both count and duration", "Leave one of them out.")
        flows = reader.models(item, Flow, "flow", axes=True, written=FlowAsWritten, resolve=_resolved)
        found += [(item, flow) for flow in flows]
    return reader.distinct("flow", found)


def _resolved(values: dict[str, Any]) -> dict[str, Any]:
    """A flow's fields with `duration` turned into a count of packets: as many as begin within it."""
    duration_ns = values.pop("duration_ns", None)
    period_ns = values.get("period_ns", Flow().period_ns)
    if duration_ns is not None:
        values["count"] = -(-duration_ns // period_ns)
    length_ns = values.get("count", Flow().count) * period_ns
    if length_ns > MAX_FLOW_NS + period_ns:
        raise ValueError(
            f"{values.get('count', Flow().count)} packets every {format_duration(period_ns)} last "
            f"{length_ns // DAY_NS} days; the most is {MAX_FLOW_NS // DAY_NS}"
        )
    return values


def _plain(reader: Reader, node: Node | None, model: type[M], what: str) -> list[M]:
    """The values of an axis whose alternatives are mappings of one model."""
    if node is None:
        return [model()]
    items = reader.alternatives(node, what)
    return reader.distinct(
        what, [(item, found) for item in items for found in reader.models(item, model, what, axes=True)]
    )


def _instruments(reader: Reader, node: Node | None) -> list[Any]:
    """A list of instruments that all measure every point: the one list that does not multiply."""
    if node is None:
        return [Probe()]
    found: dict[str, Any] = {}
    for item in reader.alternatives(node, "instruments"):
        pairs: list[tuple[Node, Any]] = list(reader.kind(item, kinds_of(Instrument), "instrument", axes=False))
        for where, instrument in pairs:
            if instrument.kind in found:
                reader.add(where, f"{instrument.kind} stands in instruments twice", "Name each instrument once.")
            found[instrument.kind] = instrument
    return list(found.values())
