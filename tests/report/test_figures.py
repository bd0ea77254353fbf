# SPDX-License-Identifier: Apache-2.0
"""What figures show: read from the axes' own data, and from the text of the SVG; not only that a file is there."""

from __future__ import annotations

import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pytest
from click.testing import CliRunner
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection, QuadMesh
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import StepPatch

from latlab.cli import cli, main
from latlab.errors import LatlabError, MeasurementError, NotComparableError, StoreError, UsageError
from latlab.report.figures import Asked, draw_runs, figure, kinds
from latlab.report.figures.style import save
from latlab.report.layout import microseconds
from latlab.stats.summary import Summary
from latlab.store.document import AnomalyRecord, Timing
from latlab.store.run_dir import RunDirectory
from latlab.verbs.figure import _KINDS
from tests.report.figure_runs import BOARDS, SHORTEST_NS, kept, lognormal, records, sample_runs

KINDS = [kind for kind in _KINDS if kind != "shift"]
STEADY_NS = 87_000
LATE_NS = 3_000_000
LABELS = ("baseline, no load", "tap-bridge, no load", "tap-bridge, 3 udp same (suspect)", "macvtap, no load")
HOSTILE = "<script>alert(1)</script> $\\frac{1}{0}$ a\x1b[31mb 日本語 &lt;&amp; '\"]]>"
VERDICTS: tuple[Literal["network", "clock", "sender", "unknown"], ...] = ("network", "clock", "sender", "unknown")
Floats = npt.NDArray[np.float64]
SVG_TEXT = "{http://www.w3.org/2000/svg}text"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[RunDirectory]:
    return sample_runs(tmp_path_factory.mktemp("figures") / "runs", count=5_000)


@pytest.fixture
def steady(tmp_path: Path) -> RunDirectory:
    """1,000 packets, one a ms, of 100 us; number 250 took 3.1 ms; 500 and 501 were lost."""
    way_back = np.full(1_000, STEADY_NS)
    way_back[250] += LATE_NS
    return kept(tmp_path / "runs", "tap-bridge", records(way_back, lost=(500, 501)))


def drawn(kind: str, runs: Sequence[RunDirectory], asked: Asked | None = None) -> Figure:
    return figure(kind, runs, asked or Asked())[0]


def texts(made: Figure, path: Path) -> list[str]:
    """Every text of the figure's SVG."""
    save(made, path)
    return texts_of(path)


def texts_of(path: Path) -> list[str]:
    return ["".join(text.itertext()) for text in ET.fromstring(path.read_text()).iter(SVG_TEXT)]


def vertices(band: PolyCollection) -> Floats:
    return np.asarray(band.get_paths()[0].vertices, np.float64)


def xs(line: Line2D) -> Floats:
    return np.asarray(line.get_xdata(), np.float64)


def counts(mesh: QuadMesh) -> Floats:
    return np.ma.filled(np.ma.asarray(mesh.get_array()), 0)


def one_way_up(run: RunDirectory) -> list[int]:
    samples = run.samples()
    assert samples is not None
    return [int(value) for chunk in samples.chunks() for value in chunk["a2"] - chunk["w2"]]


def curve(axes: Axes, label: str) -> tuple[Floats, Floats]:
    (line,) = [line for line in axes.lines if line.get_label() == label]
    return np.asarray(line.get_xdata(), float), np.asarray(line.get_ydata(), float)


def summary(run: RunDirectory, way: str = "round_trip") -> Summary:
    found = run.document.metrics[way]
    assert isinstance(found, Summary)
    return found


def test_the_command_has_the_kinds_that_there_are() -> None:
    assert list(_KINDS) == kinds()


@pytest.mark.parametrize("kind", KINDS)
def test_emulated_and_the_unit_stand_in_every_figure_as_text(
    kind: str, runs: list[RunDirectory], tmp_path: Path
) -> None:
    told = " ".join(texts(drawn(kind, runs), tmp_path / "a.svg"))
    assert re.search(r"round trip \(?\s*\(?µs, emulated\)", told)


@pytest.mark.parametrize("kind", KINDS)
def test_real_numbers_do_not_say_emulated(kind: str, tmp_path: Path) -> None:
    run = kept(tmp_path / "runs", "vfio", records(lognormal(500, 1, 20_000)), bench=BOARDS)
    told = " ".join(texts(drawn(kind, [run]), tmp_path / "a.svg"))
    assert "µs" in told
    assert "emulated" not in told


@pytest.mark.parametrize(("kind", "ending"), [*((kind, ".svg") for kind in KINDS), ("heat", ".png"), ("ccdf", ".pdf")])
def test_equal_runs_give_equal_bytes_and_no_date(
    kind: str, ending: str, runs: list[RunDirectory], tmp_path: Path
) -> None:
    one, other = tmp_path / f"one{ending}", tmp_path / f"other{ending}"
    save(drawn(kind, runs), one)
    save(drawn(kind, runs), other)
    assert one.read_bytes() == other.read_bytes()
    assert not re.search(rb"<dc:date>|CreationDate|tIME", one.read_bytes())
    assert one.read_bytes().startswith({".svg": b"<?xml", ".png": b"\x89PNG", ".pdf": b"%PDF"}[ending])


def test_percentiles_show_the_numbers_of_run_json(runs: list[RunDirectory]) -> None:
    made = drawn("percentiles", runs)
    (axes,) = made.axes
    for run, label in zip(runs, LABELS, strict=True):
        tail, values = curve(axes, label)
        found = summary(run)
        for name, nines in (("p90", 1), ("p99", 2)):
            (at,) = np.flatnonzero(np.isclose(tail, nines))
            exact = found.quantiles_ns[name]
            assert exact is not None
            assert values[at] == pytest.approx(exact / 1_000, rel=0.001)
        assert values[0] == pytest.approx(found.min_ns / 1_000, rel=0.001)
        assert (np.diff(values) >= 0).all()
        assert tail[-1] <= np.log10(found.n / 10) + 0.03, "it is solid where ten packets lie beyond, and not further"
    assert [text.get_text() for text in axes.get_xticklabels()][:4] == ["0", "90", "99", "99.9"]


def test_the_tail_that_few_packets_support_is_dotted_up_to_the_largest(steady: RunDirectory) -> None:
    (axes,) = drawn("percentiles", [steady]).axes
    (dotted,) = [line for line in axes.lines if str(line.get_label()).startswith("_")]
    assert np.asarray(dotted.get_ydata())[-1] == pytest.approx(summary(steady).max_ns / 1_000)


def test_the_ccdf_is_the_share_that_is_later(steady: RunDirectory, runs: list[RunDirectory]) -> None:
    (axes,) = drawn("ccdf", [runs[0]]).axes
    values, shares = curve(axes, "baseline, no load")
    exact = summary(runs[0]).quantiles_ns["p90"]
    assert exact is not None
    assert np.interp(-0.1, -shares, values) == pytest.approx(exact / 1_000, rel=0.01)
    assert axes.get_yscale() == "log"


def test_the_clocks_bound_is_a_band_of_its_own(runs: list[RunDirectory], tmp_path: Path) -> None:
    bound_us = summary(runs[3], "up").bound_ns / 1_000
    assert bound_us > 0
    made = drawn("percentiles", [runs[3]], Asked(way="up"))
    bands = [band for band in made.axes[0].collections if isinstance(band, PolyCollection)]
    assert len(bands) == 2
    lows = [float(np.min(vertices(band)[:, 1])) for band in bands]
    assert lows[1] - lows[0] == pytest.approx(bound_us, rel=0.01)
    assert "light band: ± bound of the clocks" in texts(made, tmp_path / "a.svg")
    assert len(drawn("percentiles", [runs[0]], Asked(way="up")).axes[0].collections) == 1


def test_series_keeps_every_late_packet_and_marks_lost_ones(steady: RunDirectory) -> None:
    (axes,) = drawn("series", [steady]).axes
    (band,) = [c for c in axes.collections if isinstance(c, PolyCollection)]
    outline = vertices(band)
    highest = outline[np.argmax(outline[:, 1])]
    assert highest[1] == pytest.approx((SHORTEST_NS + STEADY_NS + LATE_NS) / 1_000)
    assert highest[0] == pytest.approx(0.25, abs=0.002)
    (lost,) = [line for line in axes.lines if line.get_label() == "lost"]
    assert list(np.round(xs(lost), 1)) == [0.5, 0.5]


def test_series_marks_anomalies_with_a_form_for_each_verdict(steady: RunDirectory, tmp_path: Path) -> None:
    steady.document.timing = Timing(start_ns=1_000)
    steady.document.anomalies = [
        AnomalyRecord(
            verdict=verdict, kind="stall", start_ns=1_000 + at * 10**8, end_ns=0, packets=1, size=1, unit="ns"
        )
        for at, verdict in enumerate(VERDICTS, 1)
    ]
    made = drawn("series", [steady])
    found = {line.get_label(): line for line in made.axes[0].lines if line.get_label() != "lost"}
    assert [round(float(xs(line)[0]), 6) for line in found.values()] == [0.1, 0.2, 0.3, 0.4]
    assert len({line.get_marker() for line in found.values()}) == 4
    assert {"network: anomaly", "clock: anomaly"} <= set(texts(made, tmp_path / "a.svg"))
    steady.document.anomaly_counts = {"network": 70}
    assert "network: the 12 largest anomalies" in texts(drawn("series", [steady]), tmp_path / "a.svg")


def test_series_shows_the_clocks_where_there_are_two(runs: list[RunDirectory], tmp_path: Path) -> None:
    made = drawn("series", [runs[0], runs[3]])
    assert len(made.axes) == 3
    told = texts(made, tmp_path / "a.svg")
    assert {"clock offset", "± bound"} <= set(told)
    assert made.axes[0].get_ylim() == made.axes[1].get_ylim(), "panels of latency have one scale"


def test_every_packet_is_in_the_histogram_and_in_the_heat(steady: RunDirectory) -> None:
    (axes,) = drawn("histogram", [steady]).axes
    (steps,) = [patch for patch in axes.patches if isinstance(patch, StepPatch)]
    values, edges, _ = steps.get_data()
    assert values.sum() == summary(steady).n == 998
    filled = np.flatnonzero(values)
    for place, exact in ((filled[0], SHORTEST_NS + STEADY_NS), (filled[-1], SHORTEST_NS + STEADY_NS + LATE_NS)):
        assert edges[place] <= exact / 1_000 < edges[place + 1]
    mesh = next(c for c in drawn("heat", [steady]).axes[0].collections if isinstance(c, QuadMesh))
    assert counts(mesh).sum() == 998


def test_one_late_packet_is_seen_on_white(steady: RunDirectory) -> None:
    mesh = next(c for c in drawn("heat", [steady]).axes[0].collections if isinstance(c, QuadMesh))
    red, green, blue, _ = mesh.to_rgba(np.array([1.0]))[0]
    linear = [((c + 0.055) / 1.055) ** 2.4 if c > 0.04045 else c / 12.92 for c in (red, green, blue)]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    assert 1.05 / (luminance + 0.05) > 1.8


def test_times_that_no_log_axis_can_show_are_told(tmp_path: Path) -> None:
    made = records(lognormal(500, 1, 8_000), clock_ns=15_000)
    run = kept(tmp_path / "runs", "macvtap", made)
    assert summary(run, "up").min_ns < 0
    told = texts(drawn("histogram", [run], Asked(way="up")), tmp_path / "a.svg")
    below = sum(value <= 0 for value in one_way_up(run))
    assert below > 100
    assert f"{below} packets of 0 or below are not drawn: the clocks were apart" in told
    assert not any("clocks were apart" in text for text in texts(drawn("histogram", [run]), tmp_path / "a.svg"))
    assert drawn("percentiles", [run], Asked(way="up")).axes[0].get_yscale() == "linear"


def test_the_matrix_has_each_number_once_and_says_what_is_missing(runs: list[RunDirectory], tmp_path: Path) -> None:
    told = texts(drawn("matrix", runs), tmp_path / "a.svg")
    for run in runs:
        assert microseconds(summary(run).quantiles_ns["p99"]) in told
    assert told.count("not measured") == 2
    assert {"baseline", "tap-bridge", "macvtap", "no load", "3 udp same"} <= set(told)
    assert "suspect" in told
    assert "p99 of round trip (µs, emulated)" in told


def test_a_budget_is_judged_in_words_and_not_by_colour_alone(runs: list[RunDirectory], tmp_path: Path) -> None:
    values = sorted(summary(run).quantiles_ns["p99"] or 0 for run in runs)
    asked = Asked(budget_ns=values[0] + 20_000)
    made = drawn("matrix", runs, asked)
    told = texts(made, tmp_path / "a.svg")
    assert told.count("✓ within") == 1
    assert sum("✗ over" in text for text in told) == 3
    assert any(f"budget {microseconds(asked.budget_ns)} µs" in text for text in told)
    assert sum(patch.get_hatch() is not None for patch in made.axes[0].patches) == 3


def test_lost_packets_are_over_any_budget(steady: RunDirectory, tmp_path: Path) -> None:
    told = texts(drawn("matrix", [steady], Asked(statistic="p99.9", budget_ns=10**12)), tmp_path / "a.svg")
    assert any("✗ over" in text for text in told)


def test_repeats_of_a_point_share_a_cell(tmp_path: Path) -> None:
    made = [kept(tmp_path / "runs", "vfio", records(np.full(2_000, way_back)), minutes=minute)
            for minute, way_back in enumerate((20_000, 90_000, 30_000))]  # fmt: skip
    told = texts(drawn("matrix", made), tmp_path / "a.svg")
    assert f"{microseconds(30_000 + SHORTEST_NS)} (3 runs)" in told


@pytest.mark.parametrize("kind", KINDS)
def test_runs_that_share_no_table_share_no_figure(kind: str, runs: list[RunDirectory], tmp_path: Path) -> None:
    real = kept(tmp_path / "runs", "vfio", records(lognormal(500, 1, 20_000)), bench=BOARDS)
    with pytest.raises(NotComparableError, match="emulated against real"):
        drawn(kind, [runs[0], real])


def test_an_invalid_run_is_left_out_and_told_or_drawn_with_the_word(runs: list[RunDirectory], tmp_path: Path) -> None:
    bad = kept(tmp_path / "runs", "user", records(lognormal(500, 1, 20_000)), verdict="invalid")
    made, left_out = figure("ccdf", [runs[0], bad], Asked())
    assert left_out == [f"{bad.id}: invalid: so"]
    assert not any("user" in text for text in texts(made, tmp_path / "a.svg"))
    with pytest.raises(MeasurementError, match="no run is to be believed"):
        drawn("ccdf", [bad])
    assert "user, no load (invalid)" in texts(drawn("ccdf", [bad], Asked(invalid=True)), tmp_path / "a.svg")


def test_what_was_not_measured_says_why(tmp_path: Path) -> None:
    few = kept(tmp_path / "runs", "user", records(np.full(20, 9_000)), one_clock=False)
    with pytest.raises(MeasurementError, match="clocks not compared"):
        drawn("percentiles", [few], Asked(way="up"))


def test_too_many_runs_are_refused_with_the_number(runs: list[RunDirectory]) -> None:
    with pytest.raises(UsageError, match="12 runs are too many for a series: 6 can be told apart"):
        drawn("series", runs * 3)


@pytest.mark.parametrize("kind", KINDS)
def test_hostile_names_are_text(kind: str, tmp_path: Path) -> None:
    run = kept(tmp_path / "runs", "user", records(lognormal(300, 1, 20_000)))
    run.document.attachment = HOSTILE
    told = texts(drawn(kind, [run]), tmp_path / "a.svg")
    shown = "".join(letter if letter.isprintable() else " " for letter in HOSTILE)
    assert "".join(shown.split()) in "".join("".join(told).split())
    assert "<script" not in (tmp_path / "a.svg").read_text()


@pytest.mark.parametrize(("width", "inches"), [("column", 3.5), ("page", 7.16)])
def test_a_figure_is_as_wide_as_a_column_and_legible(
    width: str, inches: float, runs: list[RunDirectory], tmp_path: Path
) -> None:
    out = tmp_path / "a.svg"
    result = CliRunner().invoke(cli, ["figure", "percentiles", str(runs[0].path), "-o", str(out), "--width", width])
    assert result.exit_code == 0, result.output
    root = ET.fromstring(out.read_text())
    assert root.attrib["width"] == f"{inches * 72:g}pt"
    sizes = [float(size) for size in re.findall(r"font-size: ([\d.]+)px", out.read_text())]
    assert sizes
    assert min(sizes) >= 5.5
    assert "DejaVu Sans" in out.read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["pie", "-o", "a.svg"], "'pie' is not one of"),
        (["ccdf", "-o", "a.gif"], "a.gif is no file for a figure"),
        (["ccdf", "-o", "a.svg", "--metric", "sideways"], "sideways is no way to draw"),
        (["matrix", "-o", "a.svg", "--at", "p98"], "p98 is no quantile that runs have"),
        (["matrix", "-o", "a.svg", "--budget", "500"], "--budget: a duration needs a unit"),
        (["shift", "a", "-o", "a.svg"], "a shift is from A to B"),
        (["ccdf", "nowhere", "-o", "a.svg"], "there is no run 'nowhere'"),
    ],
)
def test_what_cannot_be_drawn_is_one_error(
    arguments: list[str], message: str, runs: list[RunDirectory], capsys: pytest.CaptureFixture[str],
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        main(["figure", *arguments, "--runs", str(runs[0].path.parent)])
    assert end.value.code == 3
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_file_of_samples_names_itself(tmp_path: Path) -> None:
    run = kept(tmp_path / "runs", "user", records(np.full(100, 9_000)))
    (run.path / "samples.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(LatlabError, match=r"samples\.parquet"):
        draw_runs("ccdf", [], tmp_path / "runs", Asked(), tmp_path / "a.svg")
    assert not (tmp_path / "a.svg").exists()
    assert issubclass(StoreError, LatlabError)


def test_the_shift_has_the_rows_of_the_comparison(tmp_path: Path) -> None:
    root = tmp_path / "runs"
    for number in range(6):
        kept(root, "tap-bridge", records(lognormal(2_000, number, 40_000)), minutes=number)
        kept(root, "macvtap", records(lognormal(2_000, 50 + number, 80_000)), minutes=10 + number)
    out = tmp_path / "shift.svg"
    main_arguments = ["figure", "shift", "*-tap-bridge-*", "*-macvtap-*", "-o", str(out), "--runs", str(root)]
    result = CliRunner().invoke(cli, main_arguments)
    assert result.exit_code == 0, result.output
    told = texts_of(out)
    assert {"A: tap-bridge, no load", "B: macvtap, no load", "worse", "A/A noise", "p50", "p99"} <= set(told)
    assert any("emulated" in text for text in told)


def test_matplotlib_is_imported_for_a_figure_only(tmp_path: Path) -> None:
    script = (
        "import sys; from latlab.cli import main\n"
        "try: main(['report', '--text', '--runs', sys.argv[1]])\n"
        "except SystemExit: pass\n"
        "assert 'latlab.report.weekly' in sys.modules\n"
        "assert 'matplotlib' not in sys.modules, 'a report needs no matplotlib'"
    )
    kept(tmp_path, "user", records(np.full(100, 9_000)))
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True, capture_output=True)
