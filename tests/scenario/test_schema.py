# SPDX-License-Identifier: Apache-2.0
"""The JSON Schemas: as committed, true of every preset and of every valid scenario, and wary of slips."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from latlab.scenario.find import presets
from latlab.scenario.schema import bench_schema, documents, scenario_schema

FOLDER = Path(__file__).parents[2] / "docs" / "schema"
ANNOTATIONS = {"$defs", "$schema", "title", "description", "default", "examples"}
DEFINITIONS = scenario_schema()["$defs"]
TYPES = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool}


def valid(schema: dict[str, Any], value: Any) -> bool:
    """Whether `value` satisfies `schema`: the keywords of JSON Schema that ours use, and no others."""
    is_number = isinstance(value, int) and not isinstance(value, bool)
    for keyword, want in schema.items():
        ok = True
        match keyword:
            case "type":
                ok = isinstance(value, TYPES[want]) and (want != "integer" or is_number)
            case "const":
                ok = type(value) is type(want) and value == want
            case "enum":
                ok = value in want
            case "anyOf":
                ok = any(valid(s, value) for s in want)
            case "oneOf":
                ok = sum(valid(s, value) for s in want) == 1
            case "pattern":
                ok = not isinstance(value, str) or re.search(want, value) is not None
            case "minimum":
                ok = not is_number or value >= want
            case "maximum":
                ok = not is_number or value <= want
            case "items":
                ok = not isinstance(value, list) or all(valid(want, item) for item in value)
            case "minItems":
                ok = not isinstance(value, list) or len(value) >= want
            case "uniqueItems":
                ok = not isinstance(value, list) or len({json.dumps(i, sort_keys=True) for i in value}) == len(value)
            case "properties":
                ok = not isinstance(value, dict) or all(valid(want[k], v) for k, v in value.items() if k in want)
            case "additionalProperties":
                ok = not isinstance(value, dict) or set(value) <= set(schema["properties"])
            case "minProperties":
                ok = not isinstance(value, dict) or len(value) >= want
            case "maxProperties":
                ok = not isinstance(value, dict) or len(value) <= want
            case "$ref":
                ok = valid(DEFINITIONS[want.removeprefix("#/$defs/")], value)
            case "required":
                ok = not isinstance(value, dict) or set(want) <= set(value)
            case _:
                assert keyword in ANNOTATIONS, f"this check does not know {keyword}"
        if not ok:
            return False
    return True


@pytest.mark.parametrize("name", sorted(documents()))
def test_the_committed_schemas_are_up_to_date(name: str) -> None:
    """If this fails: python -m latlab.scenario.schema docs/schema"""
    assert (FOLDER / name).read_text(encoding="utf-8") == documents()[name]


@pytest.mark.parametrize(
    ("schema", "path"),
    [(scenario_schema(), p) for p in presets("scenarios").values()]
    + [(bench_schema(), p) for p in presets("benches").values()],
    ids=lambda value: value.stem if isinstance(value, Path) else "",
)
def test_every_preset_is_valid_and_names_its_schema(schema: dict[str, Any], path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert valid(schema, YAML(typ="safe", pure=True).load(text))
    named = re.match(r"# yaml-language-server: \$schema=(\S+)\n", text)
    assert named is not None
    assert json.loads((path.parent / named[1]).read_text(encoding="utf-8")) == schema


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_every_valid_scenario_satisfies_the_schema(
    scenarios: st.SearchStrategy[dict[str, Any]], data: st.DataObject
) -> None:
    assert valid(scenario_schema(), data.draw(scenarios))


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"attachment": "ovss"},
        {"attachment": []},
        {"attachment": {"user": {}, "macvtap": {}}},
        {"attachment": "existing"},
        {"attachment": {"existing": {"nic": "ens3"}}},
        {"attachment": {"macvtap": {"mode": "vepaa"}}},
        {"attachment": "user", "flow": {"period": 500}},
        {"attachment": "user", "flow": {"period": "5 lightyears"}},
        {"attachment": "user", "flow": {"perod": "5ms"}},
        {"attachment": "user", "flow": {"count": 10**12}},
        {"attachment": "user", "load": {"rate": "5M"}},
        {"attachment": "user", "load": "lots"},
        {"attachment": "user", "repeat": [1, 2]},
        {"attachment": "user", "instruments": [{"ping": {"count": [1, 2]}}]},
        {"attachment": "user", "kind": "local"},
    ],
    ids=json.dumps,
)
def test_slips_do_not_satisfy_the_scenario_schema(wrong: dict[str, Any]) -> None:
    assert not valid(scenario_schema(), wrong)


@pytest.mark.parametrize(
    "wrong",
    [{}, {"kind": "boards"}, {"kind": "local", "cpus": 2}, {"kind": "emulated", "memory": 2048}],
    ids=json.dumps,
)
def test_slips_do_not_satisfy_the_bench_schema(wrong: dict[str, Any]) -> None:
    assert not valid(bench_schema(), wrong)
