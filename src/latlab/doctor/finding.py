# SPDX-License-Identifier: Apache-2.0
"""One thing that the doctor says of this machine."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """`cost`: how the state makes latency, "" when it does not; `remedy`: what to type, or to do, about that."""

    what: str
    state: str
    cost: str = ""
    remedy: str = ""


def hidden(what: str) -> Finding:
    return Finding(what, "not visible without root")
