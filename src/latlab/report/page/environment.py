# SPDX-License-Identifier: Apache-2.0
"""What a run was measured on, as names and texts: versions, bench, point, and what was recorded of each machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from latlab.report.show import flat
from latlab.store.document import RunDocument
from latlab.store.run_dir import RunDirectory

LONGEST = 600
_OF_A_MACHINE = ("kernel", "cpus", "command_line", "load_average")


def environment_of(run: RunDirectory, document: RunDocument) -> dict[str, dict[str, str]]:
    """Section -> name -> text."""
    sections: dict[str, dict[str, Any]] = {
        "versions": dict(document.versions),
        "bench": flat(document.bench.model_dump(mode="json")),
        "point": flat(document.point),
        "environment": flat(document.env),
        **dict(_machines(run)),
    }
    return {title: {key: text_of(value) for key, value in found.items()} for title, found in sections.items() if found}


def text_of(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}... ({len(text)} characters)"


def _machines(run: RunDirectory) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each machine as it was before the run; nothing of a file that cannot be read."""
    if not run.env_before.exists():
        return
    try:
        found = json.loads(run.env_before.read_bytes())
    except ValueError:
        yield "machines", {run.env_before.name: "cannot be read"}
        return
    if not isinstance(found, dict):
        return
    for name, facts in found.items():
        if isinstance(facts, dict):
            yield str(name), dict(_facts(facts))


def _facts(facts: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for key in _OF_A_MACHINE:
        if key in facts:
            yield key.replace("_", " "), facts[key]
    if isinstance(facts.get("sysctls"), dict):
        yield from facts["sysctls"].items()
    for entry in _entries(facts, "qdiscs"):
        if entry.get("root"):
            yield f"qdisc of {entry.get('dev')}", entry.get("kind")
    for entry in _entries(facts, "interfaces"):
        kind = entry.get("linkinfo")
        words = [kind.get("info_kind") if isinstance(kind, dict) else None, entry.get("operstate")]
        words += [f"mtu {entry.get('mtu')}", entry.get("master") and f"port of {entry['master']}"]
        yield str(entry.get("ifname")), " · ".join(str(word) for word in words if word)


def _entries(facts: dict[str, Any], key: str) -> list[dict[str, Any]]:
    found = facts.get(key)
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []
