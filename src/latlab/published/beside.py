# SPDX-License-Identifier: Apache-2.0
"""Which published values stand beside a row of ours, and whether the two may be compared.

Beside a row stand those of the same attachment, the same way, and the same load as far as its source says it. Two
numbers are comparable when nothing is known that makes them differ for another reason than the attachment: so far no
run on an emulated bench is, and each of its rows says why.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from latlab.published import MACHINES, PublishedValue, published
from latlab.stats.summary import Summary
from latlab.store.document import RunDocument

NETPERF_COUNT = 1_000
PING_COUNT = 10
_SAME_MACHINE = re.compile(r"macchiatobin|armada.?8040|cortex.?a72", re.IGNORECASE)
_SAME_NIC = {"i225": re.compile(r"i225", re.IGNORECASE), "armada-10g": re.compile(r"mvpp2|armada", re.IGNORECASE)}
_NETPERF_STREAMS = re.compile(r"3 udp (same|opposite) by netperf")


@dataclass(frozen=True)
class Beside:
    """A published value, and every reason why a row of ours must not be compared with it."""

    value: PublishedValue
    why_not: tuple[str, ...]

    @property
    def comparable(self) -> bool:
        return not self.why_not


def beside(document: RunDocument, name: str) -> list[Beside]:
    """The published values beside `name` of a run: a metric (`round_trip`, `up`, `down`), or an instrument's name."""
    kind = kind_of(document)
    found = []
    for value in published():
        if value.attachment != kind or not _same_load(document.load, value.load):
            continue
        wanted = value.metric == name or (name in document.instruments and value.method == name)
        if wanted:
            found.append(Beside(value, tuple(_differences(document, name, value))))
    return found


def kind_of(document: RunDocument) -> str:
    """The attachment's kind, without its options."""
    attachment = document.point.get("attachment")
    kind = attachment.get("kind") if isinstance(attachment, dict) else None
    return kind if isinstance(kind, str) else document.attachment.partition(" ")[0]


def _same_load(ours: str, theirs: str) -> bool:
    if "none" in (ours, theirs):
        return ours == theirs
    said = re.search(r"(same|opposite) direction", theirs)
    return said is None or said[1] in ours.split()


def _differences(document: RunDocument, name: str, value: PublishedValue) -> Iterator[str]:
    yield from _of_bench(document, value)
    yield from _of_method(document, name, value)
    if value.load != "none" and not _NETPERF_STREAMS.fullmatch(document.load):
        yield f"another load: theirs {value.load}, ours {document.load}"
    period = _flow(document, "period_ns")
    if value.period_ns is not None and period != value.period_ns:
        ours = "not known" if period is None else f"{period / 1_000:g} us"
        yield f"another period: theirs {value.period_ns / 1_000:g} us, ours {ours}"
    if value.selection:
        yield f"theirs are {value.selection}"
    yield from value.doubts


def _of_bench(document: RunDocument, value: PublishedValue) -> Iterator[str]:
    bench = document.bench
    texts = " ".join(str(word) for word in bench.model_dump().values())
    if bench.kind == "emulated":
        yield "ours is emulated, theirs real"
    elif bench.accelerator == "tcg":
        yield "our guest is emulated, theirs real"
    if bench.kind == "emulated" or not _SAME_MACHINE.search(texts):
        yield f"another machine: theirs {MACHINES}"
    if bench.kind == "emulated" or not _SAME_NIC[value.nic].search(texts):
        ours = bench.cable or bench.nic
        yield f"another NIC: theirs {value.nic}, ours {ours}" if ours else f"another NIC: theirs {value.nic}"


def _of_method(document: RunDocument, name: str, value: PublishedValue) -> Iterator[str]:
    if name == value.method:
        n = document.instruments[name].n
        usual = PING_COUNT if name == "ping" else NETPERF_COUNT
        if n != usual:
            yield f"another number of exchanges: theirs {usual}, ours {'not known' if n is None else n}"
        return
    yield f"another method: theirs {value.method}; ours latlab-probe, from application to application"
    if isinstance(document.metrics.get(name), Summary):
        size = _flow(document, "size_bytes")
        yield f"another size: theirs not published, ours {'not known' if size is None else f'{size} bytes'}"


def _flow(document: RunDocument, key: str) -> int | None:
    flow = document.point.get("flow")
    value = flow.get(key) if isinstance(flow, dict) else None
    return value if isinstance(value, int) else None
