# SPDX-License-Identifier: Apache-2.0
"""JSON Schema (draft 2020-12) of scenario and bench files as users write them, for editors.

Derived from the same table of keys as the loader, so the two cannot drift apart; what a schema cannot say (limits of
quantities with units, options that exclude each other) is the loader's alone. `python -m latlab.scenario.schema
FOLDER` writes both files.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from latlab.scenario.attachments import Attachment
from latlab.scenario.bench_model import Bench
from latlab.scenario.fields import NONE, Key, keys_of, kinds_of, purpose
from latlab.scenario.load import FlowAsWritten
from latlab.scenario.model import Guest, Header, Instrument, Load, Nic
from latlab.scenario.timing import Timing
from latlab.scenario.units import DURATION, RATE, SIZE, Quantity

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def scenario_schema() -> Schema:
    """The schema of a scenario file."""
    # Each stands twice, alone and in a list: once here.
    definitions: Schema = {
        "attachment": _kinds(Attachment, axes=True),
        "load": {"anyOf": [_const(NONE, "no bulk traffic"), _options(Load, axes=True)]},
        "flow": _options(FlowAsWritten, axes=True),
        "nic": _options(Nic, axes=True),
        "guest": _options(Guest, axes=True),
        "timing": _kinds(Timing, axes=True),
        "instruments": _kinds(Instrument, axes=False),
    }
    descriptions = {
        "attachment": "how the guest is attached; a list multiplies",
        "load": "bulk traffic beside the flow; a list multiplies",
        "flow": "the measured packets; a list multiplies",
        "nic": "every interface on the way; a list multiplies",
        "guest": "the virtual machine; a list multiplies",
        "timing": "how the clocks of the flow's two ends are compared; a list multiplies",
        "instruments": "what measures each point, one after another; this list does not multiply",
    }
    properties: Schema = {key: _one(info) for key, info in keys_of(Header).items()}
    for key, description in descriptions.items():
        properties[key] = _alternatives({"$ref": f"#/$defs/{key}"}, description)
    return _document("latlab scenario", {"properties": properties, "required": ["attachment"], "$defs": definitions})


def bench_schema() -> Schema:
    """The schema of a bench file."""
    benches = []
    for word, model in kinds_of(Bench).items():
        bench = _options(model, axes=False)
        bench["properties"] = {"kind": {"const": word}, **bench["properties"]}
        bench["required"] = ["kind", *_required(model)]
        benches.append(bench)
    return _document("latlab bench", {"oneOf": benches})


def render(schema: Schema) -> str:
    """The text of a schema's file."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def documents() -> dict[str, str]:
    """The text of every schema's file, by its name."""
    return {
        "scenario.schema.json": render(scenario_schema()),
        "bench.schema.json": render(bench_schema()),
    }


def _document(title: str, body: Schema) -> Schema:
    closed: Schema = {} if "oneOf" in body else {"additionalProperties": False}
    return {"$schema": DIALECT, "title": title, "type": "object", **body, **closed}


def _options(model: type[BaseModel], *, axes: bool) -> Schema:
    properties = {name: (_axis(key) if axes else _one(key)) for name, key in keys_of(model).items()}
    required = _required(model)
    return {
        "type": "object",
        "description": purpose(model),
        "properties": properties,
        **({"required": required} if required else {}),
        "additionalProperties": False,
    }


def _required(model: type[BaseModel]) -> list[str]:
    return [name for name, key in keys_of(model).items() if key.required]


def _kinds(union: Any, *, axes: bool) -> Schema:
    """A bare word, or a mapping of exactly one word to its options."""
    kinds: Mapping[str, type[BaseModel]] = kinds_of(union)
    words = [_const(word, purpose(model)) for word, model in kinds.items() if not _required(model)]
    mapping = {
        "type": "object",
        "properties": {word: _options(model, axes=axes) for word, model in kinds.items()},
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
    }
    return {"anyOf": [*words, mapping]}


def _axis(key: Key) -> Schema:
    value = _value(key)
    if key.form in ("words", "mapping"):
        return _described(value, key)
    return _described({"anyOf": [value, _list(value)]}, key)


def _one(key: Key) -> Schema:
    return _described(_value(key), key)


def _described(schema: Schema, key: Key) -> Schema:
    described = {"description": key.description, **schema}
    if not key.required and key.form != "mapping" and key.default != "":
        described["default"] = _as_json(key)
    return described


def _as_json(key: Key) -> Any:
    """A key's default as JSON: what YAML has a type for as that type, the rest as its text."""
    if isinstance(key.default, tuple):
        return list(key.default)
    if isinstance(key.default, bool) or (key.form == "number" and key.default is not None):
        return key.default
    return key.show(key.default)


def _value(key: Key) -> Schema:
    if key.model is not None:
        return _options(key.model, axes=False)
    schema = _plain(key)
    return {"anyOf": [_const(NONE, "not set"), schema]} if key.optional else schema


def _plain(key: Key) -> Schema:
    if key.form == "word":
        return {"enum": list(key.choices)}
    if key.form == "words":
        word = {"enum": list(key.choices)}
        return {"anyOf": [word, _list(word)]}
    if key.form == "flag":
        return {"type": "boolean"}
    if key.form == "text":
        return {"type": "string"}
    if key.form == "number":
        return _whole(key)
    quantity = {"duration": DURATION, "rate": RATE, "size": SIZE, "memory": SIZE}[key.form]
    text = {"type": "string", "pattern": _pattern(quantity), "examples": [key.show(key.minimum)]}
    return {"anyOf": [_whole(key), text]} if key.form == "size" else text


def _whole(key: Key) -> Schema:
    limits = {"minimum": key.minimum, "maximum": key.maximum}
    return {"type": "integer", **{name: limit for name, limit in limits.items() if limit is not None}}


def _pattern(quantity: Quantity) -> str:
    return rf"^\+?[0-9]+(\.[0-9]+)? ?({'|'.join(quantity.units)})$"


def _const(word: str, description: str) -> Schema:
    return {"const": word, "description": description}


def _list(item: Schema) -> Schema:
    return {"type": "array", "items": item, "minItems": 1, "uniqueItems": True}


def _alternatives(item: Schema, description: str) -> Schema:
    return {"description": description, "anyOf": [item, _list(item)]}


def main(folder: Path) -> None:
    for name, text in documents().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
