# SPDX-License-Identifier: Apache-2.0
"""What a run has to say of its clocks, and of what was odd, in sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from latlab.stats.anomalies import us
from latlab.store.document import AnomalyRecord, RunDocument

WORDS = {
    "delay": "a delay", "stall": "a stall", "loss": "losses", "duplication": "duplicates", "reordering": "overtaking",
    "step": "a step", "ramp": "a change of rate", "negative": "negative latencies", "master-lost": "its master lost",
    "fault-reset": "a fault of its port", "servo": "its servo astray", "sender-stall": "a stall",
}  # fmt: skip
PLACES = {"forward": "on the way there", "back": "on the way back", "receiver": "at the receiver"}


def sentence(anomaly: AnomalyRecord, first_ns: int) -> str:
    """One anomaly, with its size, its bound, and when it was, in seconds from `first_ns`."""
    start, end = (max(0.0, (time - first_ns) / 1e9) for time in (anomaly.start_ns, anomaly.end_ns))
    when = f"at {start:.2f} s" if end - start < 0.5 else f"from {start:.1f} to {end:.1f} s"
    where = f" {PLACES[anomaly.place]}" if anomaly.place in PLACES else ""
    return f"{anomaly.verdict}: {WORDS.get(anomaly.kind, anomaly.kind)}{where} of {size(anomaly)} {when}"


def size(anomaly: AnomalyRecord) -> str:
    """How large it was, with its bound."""
    if anomaly.unit == "packets":
        return f"{anomaly.size:.0f} packets"
    if anomaly.unit == "ppb":
        bound = "" if anomaly.bound is None else f" ± {anomaly.bound / 1000:.2f}"
        return f"{anomaly.size / 1000:+.2f}{bound} ppm"
    sign = "+" if anomaly.kind == "step" and anomaly.size > 0 else ""
    bound = "" if anomaly.bound is None else f" ± {us(anomaly.bound)}"
    return f"{sign}{us(anomaly.size)}{bound}"


def clock_reasons(document: RunDocument) -> list[str]:
    """Why the clocks of a run are not to be trusted all the time: what the exchanges say against the method, and the
    largest anomaly of each kind, and how many.
    """
    found = [words for words in document.timing.words if document.timing.contradicted and "contradict" in words]
    wrong = [anomaly for anomaly in document.anomalies if anomaly.verdict == "clock"]
    for kind in dict.fromkeys(anomaly.kind for anomaly in wrong):
        same = [anomaly for anomaly in wrong if anomaly.kind == kind]
        worst = max(same, key=lambda anomaly: abs(anomaly.size))
        more = f", the largest of {len(same)}" if len(same) > 1 else ""
        found.append(f"{sentence(worst, document.timing.start_ns)}{more}")
    return found


def odd_in(documents: Sequence[RunDocument], labels: Sequence[str], many: int) -> list[str]:
    """A line for each run in which something was odd: how many anomalies of each verdict. One for all, of `many`."""
    odd = [(d, label) for d, label in zip(documents, labels, strict=True) if d.anomaly_counts and d.status == "done"]
    if len(odd) <= many:
        return [f"odd in {label}: {_counted(document.anomaly_counts)}" for document, label in odd]
    total: Counter[str] = Counter()
    for document, _ in odd:
        total.update(document.anomaly_counts)
    return [f"odd in {len(odd)} runs: {_counted(total)}; latlab show has them one by one"]


def _counted(counts: Mapping[str, int]) -> str:
    return " · ".join(f"{number} {verdict}" for verdict, number in sorted(counts.items()))
