# SPDX-License-Identifier: Apache-2.0
"""Which runs stand in one table: those of one bench, one row for each attachment, one column for each load."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from latlab.report.table import by_bench, comparable, differing, emulation, row_labels
from latlab.store.document import RunDocument


@dataclass(frozen=True)
class Group:
    """`cells` holds the runs of each row and column by their places in the page's list: repeats of one point. `labels`
    are of each run, as they tell it from the others of its table.
    """

    name: str
    bench: str
    emulation: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: dict[tuple[int, int], list[int]]
    labels: dict[int, str]

    @property
    def places(self) -> list[int]:
        return [place for places in self.cells.values() for place in places]


def groups_of(documents: Sequence[RunDocument]) -> list[Group]:
    """In the order in which benches, rows and columns first appear; "no load" comes first."""
    place_of = {id(document): place for place, document in enumerate(documents)}
    groups = []
    for same in by_bench(documents):
        labels = [", ".join([document.attachment, *differing(document, same)]) for document in same]
        rows = list(dict.fromkeys(labels))
        loads = sorted(dict.fromkeys(document.load for document in same), key=lambda load: load != "none")
        cells: dict[tuple[int, int], list[int]] = {}
        for document, label in zip(same, labels, strict=True):
            cell = rows.index(label), loads.index(document.load)
            cells.setdefault(cell, []).append(place_of[id(document)])
        bench = same[0].bench
        words = " · ".join(dict.fromkeys(filter(None, comparable(bench))))
        names = {place_of[id(document)]: label for document, label in zip(same, row_labels(same), strict=True)}
        columns = tuple(map(load_words, loads))
        groups.append(Group(bench.name or bench.kind, words, emulation(bench), tuple(rows), columns, cells, names))
    return groups


def load_words(load: str) -> str:
    return "no load" if load == "none" else load
