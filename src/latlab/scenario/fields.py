# SPDX-License-Identifier: Apache-2.0
"""The keys that a user may write, derived from the models: one `Key` for each field.

A field's unit suffix decides how its value is written: `period_ns` is the key `period` with a duration, `rate_bps`
the key `rate`, `size_bytes` the key `size`, `memory_mib` the key `memory`. Limits, defaults, choices and
descriptions are the field's own. The loader, the JSON Schema and the tests of the docs all read this one table.
"""

from __future__ import annotations

import types
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from latlab.scenario.units import MIB, format_duration, format_rate, format_size

Form = Literal["word", "words", "flag", "number", "duration", "rate", "size", "memory", "text", "mapping"]

NONE = "none"
"""The word for "not set", where a field may be None."""

_SUFFIXES: dict[str, Form] = {"_ns": "duration", "_bps": "rate", "_bytes": "size", "_mib": "memory"}


@dataclass(frozen=True)
class Key:
    """One key of a mapping, as the user writes it."""

    key: str
    field: str
    form: Form
    description: str
    choices: tuple[str, ...] = ()
    minimum: int | None = None
    maximum: int | None = None
    optional: bool = False
    required: bool = False
    default: Any = None
    model: type[BaseModel] | None = None

    def show(self, value: Any) -> str:
        """A value of this field as a user would write it."""
        if value is None:
            return NONE
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, tuple):
            return "[" + ", ".join(value) + "]"
        if self.form == "duration":
            return format_duration(value)
        if self.form == "rate":
            return format_rate(value)
        if self.form == "size":
            return f"{value}B"
        if self.form == "memory":
            return format_size(value * MIB)
        return str(value)


@cache
def keys_of(model: type[BaseModel]) -> dict[str, Key]:
    """The keys of a model, in its order; `kind` is none of them: it is written in front (see `kinds_of`)."""
    keys = [_key(name, info) for name, info in model.model_fields.items() if name != "kind"]
    return {key.key: key for key in keys}


def kinds_of(union: Any) -> dict[str, type[BaseModel]]:
    """The models of a union that is told apart by `kind`, by that word, in the union's order."""
    if get_origin(union) is Annotated:
        union = get_args(union)[0]
    return {model.model_fields["kind"].default: model for model in get_args(union)}


def purpose(model: type[BaseModel]) -> str:
    """A model's docstring in one line, for the schema."""
    return " ".join((model.__doc__ or "").split())


def _key(name: str, info: FieldInfo) -> Key:
    form: Form | None = None
    key = name
    for suffix, unit in _SUFFIXES.items():
        if name.endswith(suffix):
            key, form = name.removesuffix(suffix), unit
    annotation, optional = _without_none(info.annotation)
    choices: tuple[str, ...] = ()
    model: type[BaseModel] | None = None
    if get_origin(annotation) is Literal:
        form, choices = "word", get_args(annotation)
    elif get_origin(annotation) is tuple:
        form, choices = "words", get_args(get_args(annotation)[0])
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        form, model = "mapping", annotation
    elif form is None:
        form = {bool: "flag", int: "number", str: "text"}[annotation]  # type: ignore[assignment]
    required = info.is_required()
    return Key(
        key=key.replace("_", "-"),
        field=name,
        form=form,  # type: ignore[arg-type]
        description=info.description or "",
        choices=choices,
        minimum=_limit(info, "ge"),
        maximum=_limit(info, "le"),
        optional=optional,
        required=required,
        default=None if required else info.get_default(call_default_factory=False),
        model=model,
    )


def _without_none(annotation: Any) -> tuple[Any, bool]:
    if get_origin(annotation) in (Union, types.UnionType):
        others = [a for a in get_args(annotation) if a is not type(None)]
        if len(others) != 1:
            raise TypeError(f"a field of a scenario has one type, or one type and None: {annotation}")
        return others[0], True
    return annotation, False


def _limit(info: FieldInfo, name: str) -> int | None:
    return next((getattr(m, name) for m in info.metadata if hasattr(m, name)), None)
