# SPDX-License-Identifier: Apache-2.0
"""What differs between the environments of two groups of runs, and nothing else of them.

Read from the point, the bench's facts, `versions` and `env` of run.json, and from env-before.json; of runs that shared
a set-up only the first has one, and the others are taken to have had the same. What differs by itself at every boot
(addresses of NICs, indexes, handles that the kernel counts up, counters) is left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from latlab.store.document import RunDocument

SECTIONS = (
    "point", "bench", "firmware", "kernel", "arguments", "machine", "sysctls", "interfaces", "qdiscs", "affinity",
    "attachment", "guest", "versions", "other",
)  # fmt: skip
"""In the order in which they are shown."""
HOSTS = ("hypervisor", "peer")
"""Of env-before.json."""
ABSENT = "-"
PHYSICAL = "physical"
_INTERFACE = ("mtu", "txqlen", "num_tx_queues", "num_rx_queues", "gso_max_size", "gso_max_segs", "operstate")
_SCHEDULING = ("scheduler", "transmit_scheduler", "cpu", "receive_cpu", "affinity")
_BENCH = ("name", "nic", "cable", "accelerator")
_SAID_ELSEWHERE = ("kernel", "interfaces", "qdiscs", "command_line", "sysctls")
_VOLATILE = ("load_average", "namespaces")
_OF_ONE_RUN = ("reused", "sender", "reflector", "timing", "attachment", "guest", "offloads that stay on")
_AUTOMATIC_HANDLES = 0x8000
"""From here on the kernel counts handles of qdiscs up by itself."""

Key = tuple[str, str]
Environment = dict[Key, str]
"""(section, name) -> value as text."""


@dataclass(frozen=True)
class EnvironmentDifference:
    """One thing that is not the same on both sides. A side whose runs differ among themselves has several values; one
    that does not have it has `ABSENT`."""

    section: str
    name: str
    a: tuple[str, ...]
    b: tuple[str, ...]


def environment_diff(
    a: Sequence[tuple[Path, RunDocument]], b: Sequence[tuple[Path, RunDocument]]
) -> list[EnvironmentDifference]:
    """What differs, in the order of `SECTIONS`. The paths are those of the runs' directories.

    A file that is not there or cannot be read says nothing, so nothing of it differs: it is left out on both sides.
    """
    sides = [[environment(path, document) for path, document in side] for side in (a, b)]
    # What one side could not tell at all (no env-before.json) is no difference.
    told = [{_source(key) for one in side for key in one} for side in sides]
    found = []
    for key in sorted({key for side in sides for one in side for key in one}, key=_order):
        values = [tuple(dict.fromkeys(one.get(key, ABSENT) for one in side)) for side in sides]
        if set(values[0]) == set(values[1]) or _source(key) not in told[0] & told[1]:
            continue
        if not _comes_and_goes(key, sides):
            found.append(EnvironmentDifference(*key, *values))
    return found


def environment(path: Path, document: RunDocument) -> Environment:
    """Everything of one run's environment that could be compared."""
    found: Environment = {}
    for name, value in _flat(document.point):
        if not name.startswith("instruments"):
            found["point", name] = value
    bench = document.bench.model_dump(mode="json", exclude={"kind", "headline"})
    for name, value in _flat(bench):
        found["firmware" if "firmware" in name else "bench", name] = value
    for name, value in document.versions.items():
        section = "kernel" if name.startswith("kernel") else "firmware" if "firmware" in name else "versions"
        found[section, name] = value
    found |= _of_env(document.env)
    for host, values in _machines(path, document).items():
        found |= _of_machine(host, values)
    return found


def _comes_and_goes(key: Key, sides: Sequence[Sequence[Environment]]) -> bool:
    """Whether it belongs to an interface that only one side has, and that is no hardware: a container's, another
    tool's."""
    if key[0] not in ("interfaces", "qdiscs"):
        return False
    kind = ("interfaces", f"{' '.join(key[1].split(' ')[:2])} kind")
    kinds = [{one.get(kind, ABSENT) for one in side} for side in sides]
    return {ABSENT} in kinds and PHYSICAL not in kinds[0] | kinds[1] and kinds[0] != kinds[1]


def _of_env(env: Mapping[str, Any]) -> Environment:
    found: Environment = {}
    for end in ("sender", "reflector"):
        values = env.get(end)
        for key in _SCHEDULING:
            if isinstance(values, Mapping) and key in values:
                found["affinity", f"{end} {key.replace('_', ' ')}"] = _text(values[key])
    for section in ("attachment", "guest"):
        values = env.get(section)
        found |= {(section, name): value for name, value in _flat(values if isinstance(values, Mapping) else {})}
    if "offloads that stay on" in env:
        found["interfaces", "offloads that stay on"] = _text(env["offloads that stay on"])
    rest = {key: value for key, value in env.items() if key not in _OF_ONE_RUN}
    return found | {("firmware" if "firmware" in name else "other", name): value for name, value in _flat(rest)}


def _machines(path: Path, document: RunDocument) -> dict[str, dict[str, Any]]:
    """Host -> what env-before.json says of it: the run's own file, or that of the run whose set-up it shared."""
    reused = str(document.env.get("reused", "")).rpartition(" ")[2]
    for folder in (path, path.parent / reused if reused and "/" not in reused else path):
        try:
            values = json.loads((folder / "env-before.json").read_bytes())
        except (OSError, ValueError):
            continue
        if isinstance(values, dict):
            return {host: values[host] for host in HOSTS if isinstance(values.get(host), dict)}
    return {}


def _of_machine(host: str, facts: Mapping[str, Any]) -> Environment:
    found: Environment = {}
    for word in str(facts.get("command_line", "")).split():
        name, _, value = word.partition("=")
        key = ("arguments", f"{host} {name}")
        found[key] = f"{found[key]} {value}" if key in found else value or "set"
    sysctls = facts.get("sysctls")
    if isinstance(sysctls, Mapping):
        found |= {("sysctls", f"{host} {name}"): _text(value) for name, value in sysctls.items()}
    for interface in _dicts(facts.get("interfaces")):
        name = f"{host} {interface.get('ifname')}"
        link = interface.get("linkinfo")
        kind = link.get("info_kind") if isinstance(link, Mapping) else None
        found["interfaces", f"{name} kind"] = kind if isinstance(kind, str) else PHYSICAL
        for attribute in _INTERFACE:
            if attribute in interface:
                found["interfaces", f"{name} {attribute}"] = _text(interface[attribute])
    for qdisc in _dicts(facts.get("qdiscs")):
        key = ("qdiscs", f"{host} {qdisc.get('dev')} {_place(qdisc)}")
        found[key] = " ".join([_text(qdisc.get("kind")), *_options(qdisc.get("options"))])
    for name, value in _flat({key: value for key, value in facts.items() if key not in (*_SAID_ELSEWHERE, *_VOLATILE)}):
        section = next((word for word in ("firmware", "affinity") if word in name), "machine")
        found[section, f"{host} {name}"] = value
    return found


def _place(qdisc: Mapping[str, Any]) -> str:
    """Where the qdisc hangs: `root`, or its parent without a major number that the kernel made up."""
    if qdisc.get("root"):
        return "root"
    major, _, minor = str(qdisc.get("parent", "")).partition(":")
    try:
        made_up = not major or int(major, 16) >= _AUTOMATIC_HANDLES
    except ValueError:
        made_up = False
    return f"parent :{minor}" if made_up else f"parent {major}:{minor}"


def _options(options: object) -> list[str]:
    return [f"{name} {value}" for name, value in _flat(options)] if isinstance(options, Mapping) else []


def _dicts(values: object) -> Iterator[Mapping[str, Any]]:
    yield from (value for value in values if isinstance(value, Mapping)) if isinstance(values, list) else ()


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Dotted names and texts. Of a list of words each is an entry, so that only those show which are not in both."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        elif isinstance(value, list) and value and all(isinstance(item, str) for item in value):
            yield from ((f"{prefix}{key} {item}", "yes") for item in value)
        elif value is not None and value != "":
            yield f"{prefix}{key}", _text(value)


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _source(key: Key) -> str:
    """Who told it: a host's env-before.json, whose name it begins with; else run.json."""
    host = key[1].partition(" ")[0]
    return host if host in HOSTS else "run.json"


def _order(key: Key) -> tuple[int, str]:
    return SECTIONS.index(key[0]), key[1]
