# SPDX-License-Identifier: Apache-2.0
"""A log that isochron 0.9 itself has written is read, and printed as isochron 0.9 itself has printed it."""

from __future__ import annotations

from pathlib import Path

from latlab.isochron.exporting import export_log, report_text
from latlab.isochron.importing import import_log
from latlab.isochron.letters import parse_report
from latlab.stats.summary import NotMeasured, Summary

RECORDED = Path(__file__).parents[1] / "data" / "isochron" / "isochron-0.9.dat"
FORMAT, LETTERS = r"%u %d %x %u %T %d %d %d %d %d %d %T|%d %d %T %d %x\n", "qSSSSwstTRraABCHW"


def test_isochrons_own_log_is_read_printed_and_written_as_it_is(tmp_path: Path) -> None:
    run = import_log(RECORDED, tmp_path / "runs", "up")
    printed = "".join(report_text(run, "forward", parse_report(FORMAT, LETTERS)))
    assert printed == RECORDED.with_suffix(".txt").read_text()
    export_log(run, "forward", tmp_path / "out.dat")
    assert (tmp_path / "out.dat").read_bytes() == RECORDED.read_bytes()


def test_what_happened_in_it_is_counted(tmp_path: Path) -> None:
    document = import_log(RECORDED, tmp_path / "runs", "up").document
    counts = document.counts
    assert (counts.sent, counts.received, counts.lost, counts.missing) == (100, 100, 0, {"T": 1})
    assert document.env["isochron"]["flag_names"] == ["OMIT_SYNC", "DO_TS"]
    assert document.metrics["up_wire_to_wire"] == NotMeasured("no hardware stamps")
    wakeup = document.metrics["up_sender_wakeup"]
    assert isinstance(wakeup, Summary)
    assert (wakeup.min_ns, wakeup.max_ns) == (232_608, 142_123_168)  # as `isochron report --summary` has them
    for key in ("up", "up_stack_to_stack", "up_delivery_stack"):
        result = document.metrics[key]
        assert isinstance(result, Summary)
        assert result.n == 100
        assert result.min_ns > 0
