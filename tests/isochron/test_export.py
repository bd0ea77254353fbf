# SPDX-License-Identifier: Apache-2.0
"""A run as isochron's log: every packet in its place, nothing made up, and the reason where it cannot be one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from latlab.errors import StoreError
from latlab.isochron.dat import CHUNK_SLOTS, MOST_PACKETS, Reader, Settings
from latlab.isochron.exporting import Exported, export_log, report_text
from latlab.isochron.importing import import_log
from latlab.isochron.letters import parse_report
from latlab.stats import records as rec
from latlab.stats.records import Records
from latlab.stats.stamps import ONE_KERNEL
from latlab.store.document import BenchFacts
from latlab.store.run_dir import RunDirectory
from tests.isochron.logs import whole
from tests.samples_maker import HEADER, exchanges, lose, stream

Make = Callable[[Records | None], RunDirectory]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A run with these samples, or with none."""

    def made(records: Records | None) -> RunDirectory:
        """Of two ends in one kernel."""
        run = RunDirectory.create(
            tmp_path / "runs", slug="x", scenario="x", point={}, point_id="abcdef", attachment="baseline", load="none",
            bench=BenchFacts(kind="local"),
        )  # fmt: skip
        if records is not None:
            with run.raw_writer() as writer:
                writer.append(stream(records))
        run.close()
        run.document.timescales = dict(ONE_KERNEL)
        return run

    return made


def seqids(path: Path) -> tuple[list[int], list[int]]:
    chunks = list(Reader(path).chunks())
    sent = [int(seqid) for _, slots, _ in chunks for seqid in slots["seqid"]]
    received = [int(seqid) for _, _, slots in chunks for seqid in slots["seqid"]]
    return sent, received


def test_settings_are_the_runs_own(make: Make, tmp_path: Path) -> None:
    export_log(make(exchanges(3)), "forward", tmp_path / "out.dat")
    expected = Settings(HEADER.size_bytes, 3, base_ns=HEADER.start_ns, cycle_ns=HEADER.period_ns)
    assert Reader(tmp_path / "out.dat").settings == expected


def test_outcomes_are_counted_as_isochron_counts_them(make: Make, tmp_path: Path) -> None:
    records = exchanges(10, hardware=True)
    lose(records, 3)
    records["flags"][5] = rec.SEND_FAILED
    records["T"][7] = 0
    told = export_log(make(records), "forward", tmp_path / "out.dat")
    assert told == Exported(packets=10, not_received=2, not_fully_stamped=3)
    assert len(told.remarks()) == 1
    assert seqids(tmp_path / "out.dat") == ([*range(1, 11)], [1, 2, 3, 0, 5, 0, 7, 8, 9, 10])


def test_a_run_without_a_flaw_needs_no_remark(make: Make, tmp_path: Path) -> None:
    run = make(exchanges(4, hardware=True))
    run.document.timescales = {}
    (remark,) = export_log(run, "forward", tmp_path / "out.dat").remarks()
    assert "the ends' clocks are as they were read" in remark
    run.document.timescales = dict(ONE_KERNEL)
    assert export_log(run, "forward", tmp_path / "out.dat").remarks() == []
    assert export_log(run, "return", tmp_path / "out.dat").remarks() == []


def test_packets_without_a_record_have_a_number_only(make: Make, tmp_path: Path) -> None:
    records = exchanges(6)
    records["seq"] = [1, 2, 3, 8, 9, 10 + CHUNK_SLOTS]
    run = make(records)
    told = export_log(run, "forward", tmp_path / "out.dat")
    unknown = 5 + CHUNK_SLOTS
    assert (told.packets, told.unknown, told.not_received) == (11 + CHUNK_SLOTS, unknown, unknown)
    sent, received = seqids(tmp_path / "out.dat")
    assert sent == [*range(1, 12 + CHUNK_SLOTS)]
    assert [seqid for seqid in received if seqid] == [2, 3, 4, 9, 10, 11 + CHUNK_SLOTS]
    assert "".join(report_text(run, "forward", parse_report("%u ", "q"))).split() == [
        str(seq + 1) for seq in records["seq"]
    ]


def test_a_long_run_crosses_chunks(make: Make, tmp_path: Path) -> None:
    count = 2 * CHUNK_SLOTS + 3
    run = make(exchanges(count))
    run.convert_samples()
    export_log(run, "return", tmp_path / "out.dat")
    assert seqids(tmp_path / "out.dat") == ([*range(1, count + 1)],) * 2


@pytest.mark.parametrize("seqs", [[0, 2, 1], [0, 1, 1], [0, 1, MOST_PACKETS], [0, 1, 2**63]])
def test_samples_that_no_log_can_hold_are_an_error(make: Make, tmp_path: Path, seqs: list[int]) -> None:
    records = exchanges(3)
    records["seq"] = np.array(seqs, np.uint64)
    run = make(records)
    with pytest.raises(StoreError, match=r"a log of isochron (holds|has)"):
        export_log(run, "forward", tmp_path / "out.dat")
    assert list(tmp_path.iterdir()) == [tmp_path / "runs"]


def test_what_has_no_packets_cannot_be_exported(make: Make, tmp_path: Path) -> None:
    for records, complaint in ((None, "has no samples"), (exchanges(0), "has no packets to export")):
        with pytest.raises(StoreError, match=complaint):
            export_log(make(records), "forward", tmp_path / "out.dat")


def test_an_imported_run_has_no_return_leg(tmp_path: Path) -> None:
    (tmp_path / "in.dat").write_bytes(whole().bytes())
    run = import_log(tmp_path / "in.dat", tmp_path / "runs", "up")
    with pytest.raises(StoreError, match="was measured one way only"):
        export_log(run, "return", tmp_path / "out.dat")
    with pytest.raises(StoreError, match="was measured one way only"):
        list(report_text(run, "return", parse_report("%u", "q")))


@pytest.mark.parametrize("change", [{"cycle_ns": "1"}, {"flags": -1}, {"base_ns": 2**63}, {"window_ns": None}])
def test_an_imported_run_whose_settings_were_changed_says_so(tmp_path: Path, change: dict[str, object]) -> None:
    (tmp_path / "in.dat").write_bytes(whole().bytes())
    run = import_log(tmp_path / "in.dat", tmp_path / "runs", "up")
    run.document.env["isochron"].update(change)
    with pytest.raises(StoreError, match=r"env.isochron in its run.json is damaged"):
        export_log(run, "forward", tmp_path / "out.dat")
