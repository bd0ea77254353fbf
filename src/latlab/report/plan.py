# SPDX-License-Identifier: Apache-2.0
"""What `latlab plan` prints: the points, what is left out and why, the time, and the room if it is much."""

from __future__ import annotations

from typing import Any

from latlab.scenario.plan import Plan, about

WORTH_SAYING_BYTES = 1_000_000_000


def plan_text(plan: Plan, name: str) -> str:
    room = f", {plan.bytes / 1e9:.1f} GB of raw samples" if plan.bytes > WORTH_SAYING_BYTES else ""
    lines = [f" {name}: {len(plan.points)} points, {about(plan.seconds)}{room}"]
    lines += [f"   {p.number:>3}  {p.label:<50} {about(p.seconds)}" for p in plan.points]
    lines += [f"     -  {left.label:<50} left out: {left.reason}" for left in plan.left_out]
    return "\n".join(lines)


def plan_json(plan: Plan) -> dict[str, Any]:
    return {
        "seconds": plan.seconds,
        "bytes": plan.bytes,
        "points": [
            {"number": p.number, "label": p.label, "id": p.point.identity, "seconds": p.seconds,
             "point": p.point.model_dump(mode="json")}
            for p in plan.points
        ],
        "left_out": [{"label": left.label, "reason": left.reason} for left in plan.left_out],
    }  # fmt: skip
