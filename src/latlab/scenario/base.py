# SPDX-License-Identifier: Apache-2.0
"""What all words of scenarios and benches have in common: a checked model, the same in every version."""

from __future__ import annotations

import re
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    LATER: ClassVar[frozenset[str]] = frozenset()
    """Fields that came after the first version: at their defaults they are no part of a point's identity, so that runs
    of older versions keep theirs."""

    def stable(self) -> dict[str, Any]:
        """All that tells this value from others, as JSON values: the same in every version."""
        values = self.model_dump(mode="json")
        found: dict[str, Any] = {}
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            if name in self.LATER and value == field.get_default(call_default_factory=True):
                continue
            if isinstance(value, tuple):
                found[name] = [v.stable() if isinstance(v, Model) else v for v in value]
            else:
                found[name] = value.stable() if isinstance(value, Model) else values[name]
        return found


def is_interface_name(text: str) -> bool:
    """The kernel's dev_valid_name(): shorter than IFNAMSIZ, no slash, colon or white space."""
    return bool(re.fullmatch(r"[^\s/:]{1,15}", text)) and text not in (".", "..")


def check_path(key: str, path: str | None) -> None:
    """ValueError when it is one that no file has."""
    if path is not None and not path.isprintable():
        raise ValueError(f"{key} is not the path of a file")
