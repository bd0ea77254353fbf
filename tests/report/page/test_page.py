# SPDX-License-Identifier: Apache-2.0
"""The page as a file: its sentences, its size, its data, and that no text of a run can become anything else."""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latlab.errors import UsageError
from latlab.report import page as page_module
from latlab.report.page import LIMIT_BYTES, Page, make_page
from latlab.report.page.draw import DETAILS
from latlab.report.page.html import json_block
from latlab.scenario.load import scenario_from_bytes
from latlab.scenario.model import Load
from latlab.scenario.points import expand
from latlab.stats.stamps import ONE_KERNEL
from latlab.stats.summary import Summary
from latlab.store.document import BenchFacts, ShapeRecord, Verdict
from latlab.store.run_dir import RunDirectory, open_run
from tests.matrix_maker import make_run
from tests.stats.exchanges_maker import Fault, World

HOSTILE = "</script><img src=x onerror=alert(1)>\u2028'\"&<!--<script>\x00\ud800"
FEW = World(count=1_500, floor_ns=(60_000, 60_000), queue_ns=(5_000, 5_000), offset_ns=3_000_000)
BOARDS = BenchFacts(kind="boards", name="lab-3", accelerator="kvm", nic="enp1s0", cable="i225 <-> i225")
Make = Callable[..., RunDirectory]


@pytest.fixture
def run(tmp_path: Path) -> Make:
    def made(world: World = FEW, **options: Any) -> RunDirectory:
        return open_run(make_run(tmp_path / "runs", world, **options).path)

    return made


def data_in(page: Page) -> dict[str, Any]:
    match = re.search(r'<script type="application/json" id="data">(.*?)</script>', page.content.decode(), re.DOTALL)
    assert match
    found: dict[str, Any] = json.loads(match[1])
    return found


def more_of(run: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(zlib.decompress(base64.b64decode(run["more"])))
    return found


def test_the_headline_says_what_is_lowest_and_that_it_is_emulated(run: Make) -> None:
    slow = replace(FEW, floor_ns=(400_000, 400_000))
    page = make_page([run(attachment="macvtap"), run(slow, attachment="user")])
    assert re.match(r"The p99 of the round trip is lowest for macvtap \(no load\) with 2\d\d us, and highest for user "
                    r"\(no load\) with \d+ us, emulated\.", page.sentences[0])  # fmt: skip
    assert "None of 3,000 packets was lost." in page.sentences


def test_two_that_cannot_be_told_apart_are_not_ranked(run: Make) -> None:
    page = make_page([run(attachment="macvtap"), run(replace(FEW, seed=8), attachment="ovs")])
    assert "not told apart from" in page.sentences[0]


def test_the_headline_judges_a_budget(run: Make) -> None:
    slow = replace(FEW, floor_ns=(400_000, 400_000))
    page = make_page([run(attachment="macvtap"), run(slow, attachment="user")], budget_ns=300_000)
    assert page.sentences[0].startswith("1 of 2 points keep 300us at the p99 of the round trip, emulated; 1 exceed it, "
                                        "worst user (no load)")  # fmt: skip
    assert (page.over, page.judged) == (1, 2)


def test_the_headline_of_one_point(run: Make) -> None:
    page = make_page([run()], budget_ns=100_000)
    assert re.fullmatch(r"Tap-bridge \(no load\) exceeds 100us at the p99 of the round trip, emulated: 2\d\d us\.",
                        page.sentences[0])  # fmt: skip


def test_runs_that_may_not_be_believed_have_no_say(run: Make) -> None:
    bad = run(replace(FEW, floor_ns=(9_000, 9_000)), attachment="ovs", verdict=Verdict(value="invalid", reasons=["x"]))
    page = make_page([run(attachment="macvtap"), bad], budget_ns=300_000)
    assert page.judged == 1
    assert "Of 2 runs 1 is invalid: see their reasons below." in page.sentences


def test_benches_do_not_share_a_table(run: Make) -> None:
    page = make_page([run(), run(bench=BOARDS), run(attachment="ovs")])
    groups = data_in(page)["groups"]
    assert [len(group["cells"]) for group in groups] == [2, 1]
    assert [group["emulation"] for group in groups] == ["emulated", ""]
    assert page.sentences[0].startswith("On emulated: ")


def test_which_runs_are_not_compared_and_why(run: Make) -> None:
    refused = data_in(make_page([run(), run(bench=BOARDS), run(load=Load()), run(attachment="ovs")]))["refused"]
    kinds = refused["kind"]
    assert kinds[0] == kinds[3]
    assert refused["reasons"][f"{kinds[0]} {kinds[1]}"][0] == "emulated against real: emulated against boards"
    assert refused["reasons"][f"{kinds[0]} {kinds[2]}"] == ["other load: none against 3 udp same"]


def test_shapes_in_time_are_told_in_their_sentences(run: Make) -> None:
    one = run()
    start = one.document.timing.start_ns
    shape = ShapeRecord(
        kind="periodic", metric="round_trip", sentence=f"a spike every 20.0 s {HOSTILE[:20]}", value=2e10, unit="ns",
        confidence=0.98765, verdict="network", start_ns=start + 10**9, end_ns=start + 2 * 10**9, packets=3,
    )  # fmt: skip
    one.document.shapes = [shape]
    (shown,) = data_in(make_page([one]))["runs"]
    assert more_of(shown)["shapes"] == [["network", shape.sentence, 0.988, 1.0, 2.0]]


def test_repeats_stand_in_one_cell(run: Make) -> None:
    (group,) = data_in(make_page([run(repeat=number, minutes=number) for number in (1, 2, 3)]))["groups"]
    assert group["cells"] == [[0, 0, [0, 1, 2]]]


def test_an_interrupted_run_is_read_and_says_so(run: Make) -> None:
    cut = run(finish=False)
    raw = cut.path / "samples.raw"
    raw.write_bytes(raw.read_bytes()[:-50])
    (shown,) = data_in(make_page([open_run(cut.path)]))["runs"]
    assert shown["status"] == "interrupted"
    assert "the samples end within a record: they are read up to the last whole one" in shown["reasons"]
    assert list(shown["drawing"]["ways"]) == ["round_trip"]
    assert any("one-way times are not drawn" in reason for reason in shown["reasons"])


def test_damaged_samples_name_themselves(run: Make) -> None:
    damaged = run()
    (damaged.path / "samples.parquet").write_bytes(b"PAR1 not so")
    (shown,) = data_in(make_page([damaged]))["runs"]
    assert "drawing" not in shown
    assert any("samples.parquet" in reason for reason in shown["reasons"])


def test_the_sample_of_the_first_format_is_read() -> None:
    page = make_page([open_run(Path(__file__).parents[2] / "data/run-format-1")])
    (shown,) = data_in(page)["runs"]
    assert set(shown["drawing"]["ways"]) == {"round_trip", "up", "down"}


def test_nothing_was_answered(run: Make) -> None:
    lost = run(replace(FEW, faults=(Fault("loss", 0, 100, 1.0),)))
    page = make_page([lost], budget_ns=500_000)
    assert page.over == 1
    assert data_in(page)["runs"][0]["metrics"]["round_trip"] == "no replies"


def test_numbers_are_those_of_the_run(run: Make) -> None:
    one = run()
    (shown,) = data_in(make_page([one]))["runs"]
    metric = one.document.metrics["round_trip"]
    assert isinstance(metric, Summary)
    n, low, mean, high, stddev, bound, quantiles, intervals = shown["metrics"]["round_trip"]
    assert (n, low, mean, high, stddev, bound) == (
        metric.n, metric.min_ns, metric.mean_ns, metric.max_ns, metric.stddev_ns, metric.bound_ns
    )  # fmt: skip
    assert quantiles == [metric.quantiles_ns[name] for name in ("p50", "p90", "p99")]
    assert all(a <= value <= b for value, (a, b) in zip(quantiles, intervals, strict=False))


def test_how_to_measure_it_again(run: Make) -> None:
    one = run(load=Load(rate_bps=2_000_000))
    (shown,) = data_in(make_page([one]))["runs"]
    (point,) = expand(scenario_from_bytes(more_of(shown)["scenario"].encode(), "s.yaml"))
    assert point.identity == one.document.point_id
    script = more_of(shown)["script"]
    assert "ip link add name llbr0 type bridge  # on hypervisor\n" in script
    assert "sh -c 'echo '\"'\"'tap-bridge'\"'\"' $HOME'  # on peer, ended with 1\n" in script
    assert shown["commands"] == "latlab run scenario.yaml --bench emulated"


def test_a_log_of_commands_that_was_cut_off(run: Make) -> None:
    one = run()
    with one.commands.open("a") as file:
        file.write('{"host": "peer", "ar')
    (shown,) = data_in(make_page([one]))["runs"]
    assert more_of(shown)["script"].endswith("# line 5 of commands.jsonl cannot be read\n")


def test_published_values_stand_beside_ours_and_say_why_not(run: Make) -> None:
    rows = data_in(make_page([run(attachment="macvtap"), run(attachment="macvtap", repeat=2, minutes=1)]))["published"]
    assert len(rows) >= 3
    assert all("ours is emulated, theirs real" in row["whyNot"] and row["runs"] == [0, 1] for row in rows)


def test_coarser_until_it_fits(run: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [run(replace(FEW, seed=seed, count=4_000), minutes=seed) for seed in range(3)]
    whole = make_page(runs)
    assert whole.detail == 0
    monkeypatch.setattr(page_module, "LIMIT_BYTES", len(whole.content) - 20_000)
    less = make_page(runs)
    assert 0 < less.detail < len(DETAILS)
    assert len(less.content) <= len(whole.content) - 20_000
    monkeypatch.setattr(page_module, "LIMIT_BYTES", 50_000)
    with pytest.raises(UsageError, match="a page of 3 runs would have"):
        make_page(runs)
    assert len(whole.content) < LIMIT_BYTES


def test_no_text_of_a_run_is_markup(run: Make) -> None:
    texts = HOSTILE.replace("\x00", "").replace("\ud800", "")
    page = make_page([run(attachment="macvtap", texts=texts, load=Load(), scenario=texts), run(timescales=ONE_KERNEL)])
    content = page.content.decode()
    assert content.count("<script") == 3
    assert content.count("</script>") == 3
    assert "<img" not in content
    assert "<!--" not in content
    assert data_in(page)["runs"][0]["name"] == texts


def test_the_policy_allows_nothing_but_what_is_in_the_file(run: Make) -> None:
    content = make_page([run()]).content.decode()
    match = re.search(r'Content-Security-Policy" content="([^"]*)"', content)
    assert match
    policy = match[1].replace("&#x27;", "'")
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    assert "http" not in re.sub(r"http://www.w3.org/2000/svg", "", policy)
    assert not re.search(r'(src|href)="?(https?:)?//', content)
    assert not re.search(r'<[^>]*\son[a-z]+="?', content.split('<script type="application/json"')[0])


@given(st.recursive(st.text() | st.integers(), lambda values: st.lists(values) | st.dictionaries(st.text(), values)))
def test_json_in_a_block_is_the_same_data_and_ends_no_element(value: object) -> None:
    text = json_block({"value": value})
    assert not re.search("[<>&\u2028\u2029\x00\ud800-\udfff]", text)
    assert json.loads(text) == {"value": value}
    text.encode()
