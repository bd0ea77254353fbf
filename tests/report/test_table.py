# SPDX-License-Identifier: Apache-2.0
"""Tables refuse what must not be shown, and print plainly where there is no terminal."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.text import Text

from latlab.report.layout import WIDTH, Block, Row, bit_rate, microseconds, print_text, tables
from latlab.report.table import by_bench, results, row_labels
from latlab.store.document import BenchFacts, InstrumentResult, LoadResult, Verdict
from tests.report.cases import matrix, one_line, run


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def printed(file: io.StringIO, text: Text) -> str:
    print_text(text, file)
    return file.getvalue()


@pytest.fixture(autouse=True)
def known_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


def test_a_pipe_gets_the_plain_text_and_nothing_else() -> None:
    text = results(matrix())
    assert printed(io.StringIO(), text) == text.plain


def test_a_terminal_gets_colours_unless_no_color_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    text = results(matrix())
    assert "\x1b[33m" in printed(Terminal(), text)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[33m" not in printed(Terminal(), text)
    assert "\x1b[31m" not in printed(Terminal(), text)


def test_a_narrow_terminal_does_not_fold_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    text = results(matrix())
    assert printed(Terminal(), text) == text.plain


def test_an_output_that_cannot_say_a_mark_still_gets_the_table() -> None:
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding="ascii")
    print_text(results(matrix()), file)
    file.flush()
    assert b" ? tap-bridge, 3 udp same" in raw.getvalue()


def test_emulated_numbers_always_say_so_and_others_never() -> None:
    emulated = results([run("tap-bridge", "none")]).plain
    titles = [line for line in emulated.splitlines() if "min" in line]
    assert len(titles) == 3
    assert all("(us, emulated)" in title for title in titles)
    assert "emulated" not in results([run("tap-bridge", "none", bench=BenchFacts(kind="local"))]).plain


def test_a_guest_under_tcg_says_emulated_in_every_title_on_any_bench() -> None:
    tcg = run("tap-bridge", "none", bench=BenchFacts(kind="local", accelerator="tcg"))
    tcg.instruments = {"ping": InstrumentResult(n=1, lost=0, min_ns=1_000)}
    titles = [line for line in results([tcg]).plain.splitlines() if "min" in line]
    assert len(titles) == 4
    assert all("(us, guest emulated)" in title for title in titles)
    kvm = run("tap-bridge", "none", bench=BenchFacts(kind="local", accelerator="kvm"))
    assert "emulated" not in results([kvm]).plain


@pytest.mark.parametrize("field", ["name", "accelerator", "cable"])
def test_what_makes_numbers_incomparable_makes_another_table(field: str) -> None:
    documents = [run("tap-bridge", "none", bench=BenchFacts(kind="local", **{field: word})) for word in ("kvm", "b")]
    assert [len(group) for group in by_bench(documents)] == [1, 1]
    same = [run("tap-bridge", "none", bench=BenchFacts(kind="local", **{field: "b"})) for _ in range(2)]
    assert [len(group) for group in by_bench(same)] == [2]


def test_rows_without_one_way_numbers_are_one_line_below_those_that_have_them() -> None:
    documents = [run(name, "none", compared=name == "baseline") for name in ("user", "macvtap", "baseline")]
    up = results(documents).plain.split("\n up, ")[1].split("\n\n")[0].splitlines()
    assert len(up) == 3
    assert up[1].startswith("   baseline, no load  ")
    assert up[2] == "   2 rows: clocks not compared"
    alone = results(documents[1:]).plain.split("\n up, ")[1]
    assert "macvtap, no load" in alone


def test_a_loaded_row_tells_what_the_load_achieved() -> None:
    full, short = run("user", "3 udp same"), run("macvtap", "3 udp same 2M")
    full.load_achieved = LoadResult(streams=3, achieved_bps=14_950_000)
    short.load_achieved = LoadResult(streams=3, achieved_bps=1_200_000, shortfall="achieved 1.2 of 6 Mbit/s")
    text = " ".join(results([full, short]).plain.split())
    assert "load achieved: user, 3 udp same 14.9 Mbit/s · macvtap, 3 udp same 2M 1.2 of 6 Mbit/s" in text


@pytest.mark.parametrize(
    ("bps", "expected"),
    [(0, "0 bit/s"), (999.4, "999 bit/s"), (1_000, "1 kbit/s"), (14_950_000, "14.9 Mbit/s"), (999_900_000, "1 Gbit/s"),
     (25_000_000_000, "25 Gbit/s"), (1_234_000_000_000, "1234 Gbit/s")],
)  # fmt: skip
def test_rates_have_three_digits(bps: float, expected: str) -> None:
    assert bit_rate(bps) == expected


def test_runs_of_two_benches_share_no_table() -> None:
    text = results(one_line()).plain
    assert text.count("round trip, peer <-> VM") == 2
    before = text.split("round trip, peer <-> VM (us)")[0]
    assert "period 503 us" not in before


def test_an_invalid_run_shows_its_reason_and_no_number() -> None:
    document = run("tap-bridge", "3 udp same")
    document.verdict = Verdict(value="invalid", reasons=["the load did not run"])
    text = results([document]).plain
    assert "the load did not run" in text
    assert not any(letter.isdigit() for letter in text.replace("3 udp same", "").replace("p99.9", "").replace("p99", "")
                   .replace("p50", ""))  # fmt: skip


def test_clocks_not_compared_is_one_line_for_the_whole_block() -> None:
    text = results([run("tap-bridge", "none", compared=False), run("user", "none", compared=False)]).plain
    assert " up, VM -> peer: clocks not compared\n" in text
    assert text.count("no load") == 2


def test_rows_with_equal_labels_are_told_apart() -> None:
    labels = row_labels(matrix() + one_line())
    assert len(set(labels)) == len(labels)


def test_control_characters_do_not_reach_the_terminal() -> None:
    document = run("tap-bridge", "none")
    document.verdict = Verdict(value="suspect", reasons=["guest said \x1b[2J\x07 bye"])
    document.metrics = {}
    document.attachment = "tap\x1bbridge"
    assert "\x1b" not in results([document]).plain
    assert "\x07" not in results([document]).plain


@pytest.mark.parametrize(
    ("value_ns", "expected"),
    [
        (None, "-"), (0, "0.00"), (4_406, "4.41"), (9_994, "9.99"), (9_996, "10.0"), (99_949, "99.9"), (99_960, "100"),
        (412_400, "412"), (-1_234, "-1.23"), (3_100_000, "3100"),
    ],
)  # fmt: skip
def test_three_digits_are_shown(value_ns: int | None, expected: str) -> None:
    assert microseconds(value_ns) == expected


@given(st.text(max_size=150), st.text(max_size=150))
def test_any_labels_fit_and_keep_numbers_in_their_columns(label: str, title: str) -> None:
    cells = ["123456789", "-7.89", "0.00"]
    lines = tables([Block(title, ("min", "avg", "max"), [Row(label, cells)])]).plain.split("\n")
    assert all(len(line) <= WIDTH for line in lines)
    (row,) = [line for line in lines if line.split()[-3:] == cells]
    (header,) = [line for line in lines if line.split()[-3:] == ["min", "avg", "max"]]
    assert len(row) == len(header)
