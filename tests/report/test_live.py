# SPDX-License-Identifier: Apache-2.0
"""A run while it goes on: what is said of it, on how much room, and that a peak or a loss never goes unseen."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latlab.live import LiveRun
from latlab.report.live import Shown, final, live_json, screen, span
from latlab.report.live_line import line
from latlab.report.spark import HEIGHTS, LOST, extent, losses, spark
from latlab.stats.seconds import NONE_NS, Cells
from latlab.stats.stamps import ONE_KERNEL
from latlab.store.document import RunDocument, Verdict
from latlab.store.run_dir import open_run
from latlab.timing.standing import ClocksNow
from tests.growing_run import GrowingRun, packets

DOCUMENT = open_run(Path(__file__).parent.parent / "data" / "run-format-1").document
NUMBER, LABEL = " [3/8]", "ovs-afxdp, 3 udp priority"


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    """20,000 of 30,000 packets at 1 kHz, with a peak of 3 ms in second 11 and a loss in second 5."""
    run = GrowingRun(tmp_path_factory.mktemp("runs"), count=30_000)
    live = LiveRun("up", ONE_KERNEL, "shared")
    live.feed(run.header.pack())
    live.feed(packets(0, 20_000, peaks={11_500: 3_000_000}, lost=(5_200,)).tobytes())
    run.run.close()
    return Shown(run.run.document, live.state(), "running")


def plain(shown: Shown, columns: int = 100, *, ascii_only: bool = False) -> str:
    return "\n".join(text.plain for text in screen(shown, columns, ascii_only))


@given(st.integers(1, 250), st.booleans())
def test_the_line_fits_any_width(shown: Shown, columns: int, ascii_only: bool) -> None:
    text = line(shown, NUMBER, LABEL, columns, ascii_only)
    assert text.cell_len <= max(columns, len("p50 414 p99 492 us emulated  "))
    assert not ascii_only or text.plain.isascii()


def test_on_80_columns_the_line_has_quantiles_loss_clocks_and_the_last_minutes(shown: Shown) -> None:
    text = line(shown, NUMBER, LABEL, 79).plain
    assert text.startswith(" [3/8] ")
    assert "66 %  p50 414 p99 492 us emulated  lost 1  one clock  " in text
    assert text.endswith("  ▁▁▁▁▁█▁▁▁▁")


def test_on_more_it_has_the_rest(shown: Shown) -> None:
    text = line(shown, NUMBER, LABEL, 200).plain
    assert f" [3/8] {LABEL}  ━━━━━╸    66 %  p50 414 p99 492 p99.9 539 " in text
    assert "max 3000 us emulated  lost 1  one clock  ▁▁▁▁▁▁▁▁▁▁▁█▁▁▁▁▁▁▁▁" in text


def test_clocks_that_are_not_locked_are_said_on_the_line(shown: Shown) -> None:
    for clocks, words in (
        (ClocksNow("ptp", 120, 4_100, True, "locked"), "locked ±4.10 us"),
        (ClocksNow("ptp", 120, 4_100, False, "not locked, port of the reflector FAULTY"), "not locked"),
        (ClocksNow("ptp", None, None, False, "no reading for 9 s"), "no reading for 9 s"),
        (ClocksNow("kvm-tsc", 5, 700, None, "compared"), "clocks ±0.70 us"),
        (ClocksNow("exchange", None, None, None, "no answer yet"), "exchange no answer yet"),
    ):
        standing = replace(shown, state=replace(shown.state, clocks=clocks))
        assert f"lost 1  {words}  " in line(standing, NUMBER, LABEL, 110).plain


def test_the_screen(shown: Shown) -> None:
    text = plain(shown)
    assert "tap-bridge, no load, flow up (emulated)" in text
    assert "20,000 of 30,000 packets, 0:20 of 0:30" in text
    assert "lost    1 of 20,000 (0.005 %)" in text
    assert "clocks  one clock" in text
    assert "round trip, largest of each second, last 0:20: " in text
    assert "to 3000 us\n ▁▁▁▁▁▁▁▁▁▁▁█▁▁▁▁▁▁▁▁\n      ✗" in text
    assert [row.split()[0] for row in text.splitlines() if "<->" in row or "->" in row] == ["round", "up,", "down,"]


@pytest.mark.parametrize("columns", [60, 79, 100])
def test_how_much_is_done_is_never_cut(shown: Shown, columns: int) -> None:
    (row,) = [row for row in plain(shown, columns).splitlines() if "of 30,000" in row]
    assert row.endswith("0:20 of 0:30")
    assert len(row) <= columns


def test_offset_and_bound_are_on_the_screen(shown: Shown) -> None:
    clocks = ClocksNow("ptp", -12_345_678, 4_100, True, "locked")
    text = plain(replace(shown, state=replace(shown.state, clocks=clocks)))
    assert "clocks  ptp locked: the reflector's is 12.3 ms behind the sender's, ±4.10 us" in text


def test_emulated_numbers_say_so_and_others_do_not(shown: Shown) -> None:
    board = shown.document.model_copy(update={"bench": shown.document.bench.model_copy(update={"kind": "boards"})})
    for document, said in ((shown.document, True), (board, False)):
        one = replace(shown, document=document)
        assert ("emulated" in line(one, NUMBER, LABEL, 79).plain) is said
        assert ("us, emulated" in plain(one)) is said


def test_ascii_terminals_get_ascii(shown: Shown) -> None:
    assert plain(shown, ascii_only=True).isascii()


def test_nothing_is_measured_yet(shown: Shown) -> None:
    live = LiveRun("up", ONE_KERNEL, "shared")
    waiting = Shown(shown.document, live.state(), "running")
    assert waiting.phase == "waiting"
    assert "no packet was measured yet" in plain(waiting)
    assert "p50 - p99 - us emulated  lost 0" in line(waiting, NUMBER, LABEL, 79).plain


def test_a_stall_is_said(shown: Shown) -> None:
    """Beyond two periods, the time-out (1 s here) and 3 s."""
    for silent_s, said in ((3.9, False), (4.2, True)):
        one = replace(shown, state=replace(shown.state, silent_s=silent_s))
        assert ("no record for 4 s" in plain(one)) is said
        assert ("no record for 4 s" in line(one, NUMBER, LABEL, 100).plain) is said


def test_what_a_run_says_cannot_steer_the_terminal(shown: Shown) -> None:
    evil = shown.document.model_copy(update={"attachment": "\x1b[2Jevil", "scenario": "a\rb"})
    assert "\x1b" not in plain(replace(shown, document=evil))
    assert "\r" not in plain(replace(shown, document=evil))
    assert "\x1b" not in line(shown, NUMBER, "a\x1b[2Jb", 100).plain


@pytest.mark.parametrize(
    ("status", "written", "want"),
    [
        ("done", "done", "done: valid"),
        ("failed", "failed", "failed: invalid, the guest died"),
        ("interrupted", "running", "interrupted: invalid, its writer is gone: what had come until then is kept"),
    ],
)
def test_the_end_is_told(shown: Shown, status: str, written: str, want: str) -> None:
    valid = Verdict(value="valid") if status == "done" else Verdict(value="invalid", reasons=["the guest died"])
    document = shown.document.model_copy(update={"status": written, "verdict": valid})
    ended = Shown(document, shown.state, status)  # type: ignore[arg-type]
    text = "\n".join(one.plain for one in final(ended))
    assert want in text
    assert f"latlab show {document.id}" in text


def test_json_has_the_same_keys_at_every_moment(shown: Shown) -> None:
    waiting = Shown(shown.document, LiveRun("up", ONE_KERNEL, "shared").state(), "running")
    found, early = (json.loads(json.dumps(live_json(one))) for one in (shown, waiting))
    assert list(found) == list(early)
    assert (found["records"], found["wanted"], found["counts"]["lost"]) == (20_000, 30_000, 1)
    assert found["metrics"]["round_trip"]["max_ns"] == 3_000_000
    assert found["second"] == {"number": 18, "sent": 1_000, "lost": 0, "max_ns": found["second"]["max_ns"]}
    assert found["clocks"] == {"method": "shared", "offset_ns": 0, "error_ns": 0, "locked": None, "words": "one clock"}
    assert (early["second"], early["wanted"], early["verdict"]) == (None, None, None)


def test_the_docs_have_every_key_of_it(shown: Shown) -> None:
    text = (Path(__file__).parents[2] / "docs" / "live.md").read_text()
    table = text.partition("<!-- json -->")[2].partition("<!-- end -->")[0]
    documented = [name for row in table.splitlines()[3:] for name in re.findall(r"`(\w+)`", row.split("|")[1])]
    assert documented == list(live_json(shown))


def test_a_document_without_metrics_is_shown() -> None:
    bare = RunDocument.model_validate(DOCUMENT.model_dump() | {"metrics": {}, "point": {}})
    assert "nothing measured yet" in plain(Shown(bare, LiveRun("up", {}, "none").state(), "running"))


def cells(values: list[int | None], lost: list[int]) -> Cells:
    largest = np.array([NONE_NS if value is None else value for value in values], np.int64)
    return Cells(0, 1, largest, np.ones(len(values), np.int64), np.array(lost, np.int64))


@settings(deadline=None)
@given(st.lists(st.none() | st.integers(1, 10**10), min_size=1, max_size=60), st.data())
def test_heights_are_in_the_order_of_the_values(values: list[int | None], data: st.DataObject) -> None:
    lost = data.draw(st.lists(st.integers(0, 3), min_size=len(values), max_size=len(values)))
    drawn = spark(cells(values, lost))
    known = [(value, HEIGHTS.index(mark)) for value, mark in zip(values, drawn, strict=True) if value is not None]
    assert all(a[1] <= b[1] for a in known for b in known if a[0] <= b[0])
    if known and max(known)[0] >= 2 * min(known)[0]:
        assert (min(known)[1], max(known)[1]) == (0, len(HEIGHTS) - 1)
    for value, missed, mark in zip(values, lost, drawn, strict=True):
        assert value is not None or mark == (LOST if missed else " ")
    assert [mark == LOST for mark in losses(cells(values, lost))] == [number > 0 for number in lost]


def test_a_usual_wavering_stays_low() -> None:
    assert set(spark(cells([400, 420, 410, 440], [0] * 4))) <= set(HEIGHTS[:2])
    assert extent(cells([None, 400, 420], [0] * 3)) == (400, 420)
    assert extent(cells([None], [1])) is None


@pytest.mark.parametrize(
    ("value_ns", "want"),
    [(0, "0.00 us"), (4_100, "4.10 us"), (1_500_000, "1.50 ms"), (37_000_000_000, "37.0 s")],
)
def test_a_length_of_time_has_the_unit_that_suits_it(value_ns: int, want: str) -> None:
    assert span(value_ns) == want
