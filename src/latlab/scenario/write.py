# SPDX-License-Identifier: Apache-2.0
"""A point -> the scenario file that measures it again: every option written out, so that no default can change it.

What `load.scenario_from_bytes` makes of the text is that point, by its identity.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from pydantic import BaseModel

from latlab.scenario.fields import NONE, keys_of
from latlab.scenario.model import Point

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+/_-]*|\[[A-Za-z0-9_, -]*\]")
_MEANS_ANOTHER = re.compile(r"(?i)true|false|null|yes|no|[0-9][0-9_.]*|0x[0-9a-f]+|0o[0-7]+|[0-9.]+e[+-]?[0-9]+")


def scenario_yaml(point: Point, name: str) -> str:
    """`name` is the scenario's, in reports."""
    lines = [f"name: {_text(name)}"] if name.strip() and name.isprintable() else []
    lines += _kind("attachment:", point.attachment)
    lines += [f"load: {NONE}"] if point.load is None else ["load:", *_options(point.load, "  ")]
    lines += ["flow:", *_options(point.flow, "  ")]
    lines += ["nic:", *_options(point.nic, "  ")]
    lines += ["guest:", *_options(point.guest, "  ")]
    lines += _kind("timing:", point.timing)
    lines += ["instruments:"]
    for instrument in point.instruments:
        lines += _kind("  -", instrument)
    return "\n".join(lines) + "\n"


def _kind(before: str, model: BaseModel) -> Iterator[str]:
    """A bare word, or a word with its options below."""
    word = str(getattr(model, "kind"))  # noqa: B009 - each of a union's models has one, which no type says
    indent = " " * (len(before) - len(before.lstrip()))
    options = list(_options(model, f"{indent}    "))
    if not options:
        yield f"{before} {word}"
    elif before.endswith(":"):
        yield from (before, f"{indent}  {word}:", *options)
    else:
        yield from (f"{before} {word}:", *options)


def _options(model: BaseModel, indent: str) -> Iterator[str]:
    for key in keys_of(type(model)).values():
        value = getattr(model, key.field)
        if key.model is not None and isinstance(value, BaseModel):
            yield f"{indent}{key.key}:"
            yield from _options(value, f"{indent}  ")
        elif key.form == "text" and value is not None:
            yield f"{indent}{key.key}: {_text(str(value))}"
        else:
            yield f"{indent}{key.key}: {key.show(value)}"


def _text(text: str) -> str:
    """Quoted, where YAML would take it for something else."""
    plain = _PLAIN.fullmatch(text) and not _MEANS_ANOTHER.fullmatch(text) and text != NONE
    return text if plain else json.dumps(text, ensure_ascii=False)
