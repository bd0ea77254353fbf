# SPDX-License-Identifier: Apache-2.0
"""The page in a real browser: every panel drawn, nothing loaded, nothing run that a run's text says, and all of it
usable by the keyboard, in the dark, on paper and for a screen reader. Needs Debian's chromium.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, sync_playwright
from playwright.sync_api import Page as Tab

from latlab.report.page import make_page
from latlab.report.page.groups import groups_of
from latlab.report.page.headline import Asked, judgements
from latlab.report.page.measured import measure
from latlab.scenario.model import Load
from latlab.stats.stamps import ONE_KERNEL
from latlab.store.document import BenchFacts, Verdict
from latlab.store.run_dir import RunDirectory, open_run
from tests.matrix_maker import make_run
from tests.stats.exchanges_maker import Fault, World

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium: apt install chromium")

SECTIONS = ("path", "matrix", "curve", "course", "heat", "outliers", "compare", "published", "environment", "reproduce")
HOSTILE = (
    "</script><script>window.ran=1</script><img src=x onerror=\"window.ran=2\"><svg onload='window.ran=3'>"
    '{{window.ran=4}}${window.ran=5}<a href="javascript:window.ran=6">\'"`\u2028&lt;<!--]]>'
)
CALM = World(count=6_000, floor_ns=(60_000, 60_000), queue_ns=(9_000, 9_000), offset_ns=2_000_000, skew_ppb=8_000)
FAULTS = (Fault("step", 1.5, 0, 3e6), Fault("delay", 3.0, 0.5, 8e5, "forward"), Fault("loss", 4.0, 0.5, 0.2))
LOCAL = BenchFacts(kind="local", name="local", accelerator="tcg", nic="llnic0 (veth)", cable="veth pair")


@dataclass
class Watched:
    """A tab, and all that it asked for and complained of."""

    tab: Tab
    path: Path
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def open(self, address: str = "") -> Tab:
        self.tab.goto(f"{self.path.as_uri()}{address}")
        self.settle()
        return self.tab

    def settle(self) -> None:
        self.tab.wait_for_function("document.querySelector('#reproduce pre') !== null")
        self.tab.wait_for_timeout(150)

    def state(self) -> dict[str, str]:
        found: dict[str, str] = self.tab.evaluate("Object.fromEntries(new URLSearchParams(location.hash.slice(1)))")
        return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("page")


@pytest.fixture(scope="module")
def runs(folder: Path) -> list[RunDirectory]:
    """Two loads, faults, repeats, another bench, an invalid one, one that was cut off, one whose texts are hostile."""
    root, load = folder / "runs", Load(rate_bps=1_000_000)
    invalid = Verdict(value="invalid", reasons=["the load did not run"])
    made = [
        make_run(root, CALM, attachment="baseline", timescales=ONE_KERNEL),
        make_run(root, replace(CALM, faults=FAULTS), attachment="tap-bridge", minutes=1),
        make_run(root, replace(CALM, seed=2, queue_ns=(90_000, 60_000)), attachment="tap-bridge", load=load, minutes=2),
        make_run(root, replace(CALM, seed=3), attachment="macvtap", minutes=3),
        make_run(root, replace(CALM, seed=4), attachment="macvtap", minutes=4, repeat=2),
        make_run(root, CALM, attachment="macvtap", load=load, minutes=5, verdict=invalid),
        make_run(root, CALM, attachment="ovs", bench=LOCAL, minutes=6),
        make_run(root, replace(CALM, count=40), attachment="user", minutes=7, direction="up"),
        make_run(root, CALM, attachment="xdp", minutes=8, finish=False),
        make_run(root, replace(CALM, count=500), attachment="vfio", minutes=9, texts=HOSTILE, scenario=HOSTILE[:80]),
    ]
    return [open_run(run.path) for run in made]


@pytest.fixture(scope="module")
def file(folder: Path, runs: list[RunDirectory]) -> Path:
    path = folder / "report.html"
    path.write_bytes(make_page(runs, budget_ns=400_000).content)
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture
def page(browser: Browser, file: Path, request: pytest.FixtureRequest) -> Iterator[Watched]:
    """Complaints and requests fail the test that caused them."""
    scheme: Literal["light", "dark"] = getattr(request, "param", "light")
    tab = browser.new_page(viewport={"width": 1240, "height": 900}, color_scheme=scheme)
    watched = Watched(tab, file)
    tab.on("request", lambda asked: watched.requests.append(asked.url))
    tab.on("console", lambda message: watched.complaints.append(message.text))
    tab.on("pageerror", lambda error: watched.complaints.append(str(error)))
    tab.on("dialog", lambda dialog: watched.complaints.append(dialog.message))
    yield watched
    tab.close()
    assert watched.complaints == []
    assert {url.partition("#")[0] for url in watched.requests} <= {file.as_uri()}


def run_id(runs: list[RunDirectory], attachment: str, place: int = 0) -> str:
    return [run.id for run in runs if run.document.attachment.startswith(attachment)][place]


def painted(tab: Tab, chart: str) -> int:
    """How many colours a chart's canvas has."""
    found: int = tab.evaluate(
        """(id) => {
            const canvas = document.querySelector(`#chart-${id} canvas`);
            const image = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            return new Set(new Uint32Array(image.data.buffer)).size;
        }""",
        chart,
    )
    return found


@pytest.mark.parametrize("page", ["light", "dark"], indirect=True)
def test_every_panel_is_drawn(page: Watched, runs: list[RunDirectory]) -> None:
    a, b = run_id(runs, "tap-bridge"), run_id(runs, "macvtap")
    tab = page.open(f"#a={a}&b={b}&way=down")
    for section in SECTIONS:
        assert len(tab.inner_text(f"#{section} > div").strip()) > 40, section
    for chart in ("curve", "t-envelope", "t-clock", "t-heat", "shift"):
        assert painted(tab, chart) > 12, chart
    assert tab.locator("#path svg .lane").count() == 7
    assert tab.locator("#matrix table").count() == 2
    assert "C clock" in tab.inner_text("#outliers")
    assert "step" in tab.inner_text("#outliers")


def test_emulated_numbers_never_stand_without_the_word(page: Watched, runs: list[RunDirectory]) -> None:
    tab = page.open(f"#a={run_id(runs, 'tap-bridge')}&b={run_id(runs, 'macvtap')}")
    assert "emulated" in tab.inner_text("h1")
    for section in ("path", "matrix", "curve", "course", "heat", "outliers", "compare", "published"):
        assert "emulated" in tab.inner_text(f"#{section}"), section
    for label in tab.locator("#matrix button").all():
        spoken = label.get_attribute("aria-label") or ""
        assert "emulated" in spoken or "no number" in spoken or "too few" in spoken


def test_every_run_can_be_shown(page: Watched, runs: list[RunDirectory]) -> None:
    """Whatever is missing of it: nothing but words in its place."""
    for run in runs:
        for way in ("round_trip", "down"):
            tab = page.open(f"#a={run.id}&way={way}")
            text = tab.inner_text("main")
            assert "undefined" not in text
            assert "NaN" not in text
            assert "null" not in text.replace("null\n", "\n")


def test_no_text_of_a_run_runs(page: Watched, runs: list[RunDirectory]) -> None:
    hostile = run_id(runs, "vfio")
    tab = page.open(f"#a={hostile}&b={run_id(runs, 'baseline')}")
    tab.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert tab.evaluate("window.ran") is None
    assert tab.locator("img, iframe, object, a[href], [onload], [onerror]").count() == 0
    assert tab.locator("script").count() == 3
    assert "<script>window.ran=1</script>" in tab.inner_text("#environment")
    assert "onerror=" in tab.inner_text("#reproduce")


def test_a_hostile_address_is_ignored(page: Watched) -> None:
    tab = page.open(
        "#a=%3Cscript%3Ealert(1)%3C/script%3E&way=constructor&at=__proto__&budget=1e9&t=9-1&theme=x&scale=%00"
    )
    assert tab.input_value("#choose-way") == "round_trip"
    assert tab.input_value("#budget") == "400us"


def test_nothing_can_be_asked_of_a_network(page: Watched) -> None:
    tab = page.open()
    tried = tab.evaluate("fetch('http://127.0.0.1:9/').then(() => 'asked', () => 'refused')")
    assert tried == "refused"
    assert any("Content Security Policy" in text for text in page.complaints)
    page.complaints.clear()
    page.requests[:] = [url for url in page.requests if "127.0.0.1" not in url]


def test_the_page_judges_as_the_command_does(page: Watched, runs: list[RunDirectory]) -> None:
    found = [measure(run) for run in runs]
    groups = groups_of([one.document for one in found])
    for budget, text in ((400_000, "400us"), (250_000, "250us"), (100_000, "100us"), (10_000_000, "10ms")):
        for statistic in ("p50", "p99", "max"):
            tab = page.open(f"#budget={text}&at={statistic}")
            for number, group in enumerate(groups):
                expected = judgements(found, group, Asked("round_trip", statistic, budget))
                for row, column in group.cells:
                    shown = tab.get_attribute(f'[data-cell="{number} {row} {column}"]', "class") or ""
                    told = [word for word in ("within", "over", "undecided") if word in shown.split()]
                    wanted = expected.get((row, column), "unknown")
                    assert told == ([] if wanted == "unknown" else [wanted]), (text, statistic, row, column)


def test_the_keyboard_does_it_all(page: Watched, runs: list[RunDirectory]) -> None:
    tab = page.open()
    tab.focus("[data-cell='0 0 0']")
    tab.keyboard.press("ArrowDown")
    tab.keyboard.press("ArrowRight")
    assert tab.evaluate("document.activeElement.dataset.cell") == "0 1 1"
    tab.keyboard.press("Enter")
    assert page.state()["a"] == run_id(runs, "tap-bridge", 1)
    assert tab.evaluate("document.activeElement.dataset.cell") == "0 1 1"
    tab.keyboard.press("ArrowLeft")
    tab.keyboard.press("b")
    assert page.state()["b"] == run_id(runs, "tap-bridge", 0)
    tab.keyboard.press("x")
    assert page.state()["a"] == run_id(runs, "tap-bridge", 0)
    tab.keyboard.press("m")
    tab.keyboard.press("q")
    tab.keyboard.press("l")
    tab.keyboard.press("t")
    assert {key: page.state()[key] for key in ("way", "at", "scale", "theme")} == {
        "way": "up", "at": "p99.9", "scale": "linear", "theme": "light"
    }  # fmt: skip
    tab.keyboard.press("c")
    assert "b" not in page.state()
    tab.keyboard.press("?")
    assert tab.locator("dialog[open]").count() == 1
    tab.keyboard.press("Escape")
    assert tab.locator("dialog[open]").count() == 0


def test_a_chart_is_read_and_zoomed_by_the_keyboard(page: Watched, runs: list[RunDirectory]) -> None:
    tab = page.open(f"#a={run_id(runs, 'tap-bridge')}")
    tab.focus("#chart-t-envelope")
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("ArrowRight")
    assert "us, emulated" in tab.inner_text("#course .chart-title .readout")
    tab.keyboard.press("+")
    page.settle()
    start, end = map(float, page.state()["t"].split("-"))
    assert 2.5 < end - start < 3.5 or start == 0
    assert tab.evaluate("document.activeElement.id") == "chart-t-envelope"
    tab.keyboard.press("0")
    assert "t" not in page.state()
    tab.focus("#chart-curve")
    tab.keyboard.press("ArrowLeft")
    assert tab.inner_text("#curve .readout").startswith("at 99.9")


def test_an_outlier_leads_to_its_time(page: Watched, runs: list[RunDirectory]) -> None:
    tab = page.open(f"#a={run_id(runs, 'tap-bridge')}")
    tab.click("#outliers tr:has-text('C clock') .link")
    page.settle()
    start, end = map(float, page.state()["t"].split("-"))
    assert start < 1.5 < end < 2.5


def test_a_view_can_be_mailed(page: Watched, runs: list[RunDirectory], browser: Browser) -> None:
    tab = page.open()
    tab.select_option("#choose-a", "4")
    tab.select_option("#choose-at", "p50")
    tab.fill("#budget", "1.5ms")
    tab.keyboard.press("Enter")
    page.settle()
    address = tab.evaluate("location.hash")
    other = Watched(browser.new_page(), page.path)
    again = other.open(address)
    for place in ("#choose-a", "#choose-at", "#budget"):
        assert again.input_value(place) == tab.input_value(place)
    assert again.input_value("#budget") == "1500us"
    again.close()


@pytest.mark.parametrize(("text", "error"), [("500", "needs a unit"), ("5Mbit", "not a unit"), ("x", "not a duration")])
def test_a_wrong_budget_says_what_is_wrong(page: Watched, text: str, error: str) -> None:
    tab = page.open()
    tab.fill("#budget", text)
    tab.keyboard.press("Tab")
    assert error in tab.inner_text("#budget-error")
    assert tab.get_attribute("#budget", "aria-invalid") == "true"


def test_what_must_not_be_compared_is_not(page: Watched, runs: list[RunDirectory]) -> None:
    for other, reason in (("ovs", "emulated against real"), ("user", "other flow: direction down against up")):
        tab = page.open(f"#a={run_id(runs, 'tap-bridge')}&b={run_id(runs, other)}")
        assert reason in tab.inner_text("#compare")
        assert tab.locator("#compare .chart").count() == 0
    tab = page.open(f"#a={run_id(runs, 'macvtap')}&b={run_id(runs, 'macvtap', 2)}")
    assert "other load" in tab.inner_text("#compare")


def test_on_paper(page: Watched, runs: list[RunDirectory]) -> None:
    """Light though the screen is dark, nothing wider than the page, no buttons."""
    tab = page.open(f"#a={run_id(runs, 'tap-bridge')}&theme=dark")
    tab.evaluate("dispatchEvent(new Event('beforeprint'))")
    tab.emulate_media(media="print")
    tab.set_viewport_size({"width": 703, "height": 1000})
    page.settle()
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert tab.evaluate("document.documentElement.dataset.theme") == "light"
    assert tab.evaluate("document.documentElement.scrollWidth") <= 703
    assert not tab.is_visible("#help")
    assert painted(tab, "t-envelope") > 12
    tab.evaluate("dispatchEvent(new Event('afterprint'))")
    assert tab.evaluate("document.documentElement.dataset.theme") == "dark"
    assert len(tab.pdf()) > 20_000


@pytest.mark.parametrize("page", ["light", "dark"], indirect=True)
def test_contrast_and_labels(page: Watched, runs: list[RunDirectory]) -> None:
    tab = page.open(f"#a={run_id(runs, 'tap-bridge')}&b={run_id(runs, 'macvtap')}&way=down")
    # The checker puts its own script into the page, which the page's policy refuses.
    tab.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    found: dict[str, Any] = Axe().run(tab).response
    wrong = [(one["id"], [node["html"][:120] for node in one["nodes"][:3]]) for one in found["violations"]]
    assert wrong == []
    assert len(found["passes"]) > 20
