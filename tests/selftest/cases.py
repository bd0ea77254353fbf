# SPDX-License-Identifier: Apache-2.0
"""A floor, faults and anomalies to judge, made up."""

from __future__ import annotations

from dataclasses import dataclass

from latlab.selftest.faults import NS_PER_S, Fault, Injection, Way
from latlab.selftest.floor import Floor

FLOOR = Floor(
    forward_ns=20_000,
    return_ns=50_000,
    single_ns={"sender": 400_000, "receiver": 900_000},
    packets={"loss": 1, "duplication": 1, "reordering": 2},
    round_trip_ns=800_000,
    windows=20,
)


@dataclass(frozen=True)
class Anomaly:
    """As those of the tool."""

    verdict: str
    kind: str
    way: str | None = None
    start_ns: int = 0
    end_ns: int = 0
    size: float | None = None
    bound: float | None = None


def injection(
    kind: str, size: int, *, floor: int = 50_000, way: Way | None = None, at_s: float = 100, lasts_s: float = 1
) -> Injection:
    start_ns = round(at_s * NS_PER_S)
    return Injection(Fault(1, kind, way, size, floor), start_ns, start_ns + round(lasts_s * NS_PER_S), size)


def anomaly(
    verdict: str, kind: str, *, way: str | None = None, size: float | None = None, bound: float | None = 1_000,
    at_s: float = 100, lasts_s: float = 1,
) -> Anomaly:  # fmt: skip
    start_ns = round(at_s * NS_PER_S)
    return Anomaly(verdict, kind, way, start_ns, start_ns + round(lasts_s * NS_PER_S), size, bound)
