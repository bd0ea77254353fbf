# SPDX-License-Identifier: Apache-2.0
"""run.json: everything about one run that fits on a page, as a checked model.

The model is the format. Format 1 may gain fields (readers ignore those they do not know); a change that an old reader
would misread gets a new number. `python -m json.tool run.json` is all that is needed to look at one.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from latlab.errors import StoreError
from latlab.stats.stamps import Clock
from latlab.stats.summary import Counts, MetricResult, Summary
from latlab.store.disk import damage

FORMAT = 1
MOST_ANOMALIES = 100

_NUMBERS = re.compile(rb"\[\n([-+0-9.eE,\s]*)\n\s*\]")
"""A list of numbers as pydantic writes it: one a line. A text cannot hold a line's end, so none looks like it."""

Status = Literal["running", "done", "failed", "interrupted"]
VerdictValue = Literal["valid", "suspect", "invalid"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", validate_assignment=True)


class Verdict(_Part):
    """Whether the numbers may be believed, and every reason why not."""

    value: VerdictValue
    reasons: list[str] = []


class BenchFacts(_Part):
    """What the run was measured on. Runs that differ in kind, name, accelerator, NIC or cable never share a table.

    `headline` is the line that the terminal shows for the bench; facts of a kind of bench follow as further fields.
    What an older run did not record is empty.
    """

    model_config = ConfigDict(extra="allow")

    kind: Literal["emulated", "local", "boards", "imported"]
    """`imported`: another program's measurement, of which latlab knows no machine."""
    name: str = ""
    headline: str = ""
    accelerator: str = ""
    """`kvm` or `tcg`, of the guests; with `tcg` the guest's time is that of an emulated processor."""
    nic: str = ""
    """The NIC of the machine under test, by name and driver."""
    cable: str = ""
    """What joins the two NICs: "veth pair"."""


class Evidence(_Part):
    """One counter or setting read before and after, the rule it had to obey, and whether it did."""

    what: str
    before: Any = None
    after: Any = None
    rule: str
    ok: bool


class InstrumentResult(_Part):
    """Result of one instrument beside the probe. `not_measured` is the reason why there are no numbers.

    What only one instrument knows (its version, its options) follows as further fields.
    """

    model_config = ConfigDict(extra="allow")

    n: int | None = None
    lost: int | None = None
    min_ns: float | None = None
    mean_ns: float | None = None
    max_ns: float | None = None
    stddev_ns: float | None = None
    transactions_per_s: float | None = None
    not_measured: str | None = None


class LoadResult(_Part):
    """What the bulk traffic really did, as its receivers counted it."""

    model_config = ConfigDict(extra="allow")

    streams: int
    achieved_bps: float | None = None
    shortfall: str | None = None
    """"achieved 1.2 of 6 Mbit/s": it ran, but below the rate it was asked for; None when it reached that."""


class Timing(_Part):
    """How the clocks of the flow's ends compared: see `stats.analysis.TimingFacts`, whose fields these are.

    `start_ns`: when the first packet was due, on the sender's clock.
    """

    method: str = "none"
    start_ns: int = 0
    offset_ns: int = 0
    rate_ppb: float = 0.0
    error_ns: int = 0
    noise_ns: int = 0
    suspect: int = 0
    contradicted: int = 0
    words: list[str] = []


class AnomalyRecord(_Part):
    """One thing that was odd: see `stats.anomalies.Anomaly`, whose fields these are."""

    verdict: Literal["network", "clock", "sender", "unknown"]
    kind: str
    place: str = ""
    start_ns: int
    end_ns: int
    packets: int
    size: float
    unit: str
    bound: float | None = None
    evidence: list[str] = []


class CurveRecord(_Part):
    """A complementary distribution: see `stats.quantiles.Curve`, whose fields these are."""

    values_ns: list[int] = []
    beyond: list[float] = []
    low_ns: list[int] = []
    high_ns: list[int] = []


class ShapeRecord(_Part):
    """One shape that a metric had over the run: see `stats.shapes.Shape`, whose fields these are."""

    kind: str
    metric: str
    sentence: str
    value: float
    unit: str
    confidence: float
    start_ns: int
    end_ns: int
    packets: int
    members: list[int] = []
    bound: float | None = None
    verdict: Literal["network", "clock", "sender", "unknown"] = "unknown"
    details: dict[str, float] = {}


class RunDocument(_Part):
    """The content of run.json.

    `point` is the canonical point, `point_id` its identity: runs with the same `point_id` repeat each other.
    `attachment` and `load` are the labels that tables show. `timescales` says which clocks were compared.
    `metrics` holds `round_trip`, `up`, `down` and the stages of each way; `metrics_trusted` the same without the
    packets whose clocks are suspect, if there are any. `curves` are those of `round_trip`, `up` and `down`.
    `anomalies` holds the `MOST_ANOMALIES` largest of each kind, `anomaly_counts` the number of all by verdict.
    `shapes`: what the graph of a metric would show.
    """

    format: int = FORMAT
    id: str
    created: datetime
    scenario: str
    point: dict[str, Any]
    point_id: str
    repeat: int = 1
    attachment: str
    load: str
    bench: BenchFacts
    status: Status = "running"
    finished: datetime | None = None
    failed_on: str = ""
    """The guest, if the run failed and it answered no more."""
    again: str = ""
    """The run that measured the same again, because the emulator of the bench had failed under this one."""
    verdict: Verdict = Field(default_factory=lambda: Verdict(value="invalid", reasons=["the run did not finish"]))
    timescales: dict[Clock, str] = {}
    metrics: dict[str, MetricResult] = {}
    metrics_trusted: dict[str, MetricResult] = {}
    curves: dict[str, CurveRecord] = {}
    counts: Counts = Field(default_factory=Counts)
    timing: Timing = Field(default_factory=Timing)
    anomalies: list[AnomalyRecord] = []
    anomaly_counts: dict[str, int] = {}
    shapes: list[ShapeRecord] = []
    instruments: dict[str, InstrumentResult] = {}
    load_achieved: LoadResult | None = None
    evidence: list[Evidence] = []
    versions: dict[str, str] = {}
    env: dict[str, Any] = {}

    @property
    def direction(self) -> Literal["up", "down"]:
        """The flow's direction; `down` if the point does not say."""
        return "up" if self.point.get("flow", {}).get("direction") == "up" else "down"

    def to_json(self) -> bytes:
        return _NUMBERS.sub(_on_one_line, self.model_dump_json(indent=1).encode()) + b"\n"


def _on_one_line(numbers: re.Match[bytes]) -> bytes:
    return b"[" + b" ".join(numbers[1].split()) + b"]"


def parse_document(data: bytes, where: str) -> RunDocument:
    """The document in `data`. Raises StoreError naming `where`: cut off, not a run.json, or of a newer format."""
    try:
        values = json.loads(data)
    except ValueError as error:
        what = "is empty" if not data.strip() else f"is cut off or damaged at {damage(data, error)}"
        raise StoreError(f"{where} {what}") from error
    if not isinstance(values, dict) or not isinstance(values.get("format"), int):
        raise StoreError(f"{where} is not a latlab run: it has no format number")
    if values["format"] > FORMAT:
        raise StoreError(
            f"{where} has format {values['format']}; this latlab reads up to {FORMAT}",
            hint="upgrade latlab to the version that wrote it, or a later one",
        )
    try:
        document = RunDocument.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise StoreError(f"{where} is damaged at {place}: {first['msg']}") from error
    for name, result in document.metrics.items():
        if isinstance(result, Summary) and result.unit != "ns":
            raise StoreError(
                f"{where} gives {name} in {result.unit!r}, and format {FORMAT} has nanoseconds only",
                hint="upgrade latlab to the version that wrote it, or a later one",
            )
    return document


def now() -> datetime:
    return datetime.now(UTC)
