# SPDX-License-Identifier: Apache-2.0
"""Reads OpenMetrics text 1.0 as its specification has it, and refuses all that it forbids of what we write.

Written after prometheus.io/docs/specs/om/open_metrics_spec: the grammar of lines, one block for each family, its
metadata before its samples, suffixes by type, no sample twice, the end.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
_NUMBER = r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_SAMPLE = re.compile(rf"({_NAME})(?:\{{((?:{_LABEL}(?:,{_LABEL})*)?)\}})? ({_NUMBER}|NaN|[+-]Inf)(?: ({_NUMBER}))?")
_META = re.compile(rf"# (TYPE|UNIT|HELP) ({_NAME}) (.*)")
_SUFFIXES = {"gauge": {""}, "counter": {"_total", "_created"}, "info": {"_info"}, "stateset": {""}}


@dataclass
class Family:
    kind: str = "unknown"
    unit: str = ""
    help: str = ""
    samples: dict[tuple[str, tuple[tuple[str, str], ...]], tuple[float, float | None]] = field(default_factory=dict)


def parse(text: str) -> dict[str, Family]:
    """The families, by name. AssertionError for what is not OpenMetrics."""
    assert text.endswith("# EOF\n")
    lines = text.removesuffix("# EOF\n").split("\n")
    assert lines.pop() == ""
    families: dict[str, Family] = {}
    current = ""
    for line in lines:
        if meta := _META.fullmatch(line):
            kind, name, value = meta.groups()
            if name != current:
                assert name not in families, f"{name} comes in two blocks"
                current = name
                families[name] = Family()
            family = families[name]
            assert not family.samples, f"metadata of {name} behind its samples"
            if kind == "TYPE":
                assert value in _SUFFIXES
                family.kind = value
            elif kind == "UNIT":
                assert name.endswith(f"_{value}")
                family.unit = value
            else:
                assert not re.search(r'\\[^n\\"]|(?<!\\)"', value)
                family.help = value
            continue
        sample = _SAMPLE.fullmatch(line)
        assert sample is not None, line
        name, labels, value, time = sample.groups()
        family = families[current]
        suffix = name.removeprefix(current)
        assert name.startswith(current)
        assert suffix in _SUFFIXES[family.kind], line
        found = tuple(re.findall(r'([a-zA-Z0-9_]+)="((?:[^"\\]|\\.)*)"', labels or ""))
        assert len({label for label, _ in found}) == len(found), f"a label twice: {line}"
        key = (suffix, tuple(sorted((label, _plain(text)) for label, text in found)))
        assert key not in family.samples, f"twice: {line}"
        number = float(value)
        assert family.kind != "counter" or number >= 0
        assert family.kind != "info" or number == 1
        assert family.kind != "stateset" or (number in (0, 1) and current in dict(found))
        family.samples[key] = (number, float(time) if time else None)
    return families


def _plain(text: str) -> str:
    return re.sub(r"\\(.)", lambda found: {"n": "\n"}.get(found[1], found[1]), text)
