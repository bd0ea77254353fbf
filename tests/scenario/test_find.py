# SPDX-License-Identifier: Apache-2.0
"""Presets are found by name, everything else is a path."""

from __future__ import annotations

from pathlib import Path

import pytest

import latlab
from latlab.errors import UsageError
from latlab.scenario.bench_model import load_bench
from latlab.scenario.find import find_bench, find_scenario, presets
from latlab.scenario.load import load_scenario
from latlab.scenario.plan import make_plan


def test_presets_have_names() -> None:
    assert set(presets("scenarios")) == {"attachments", "first-look", "minimal", "study-2022"}
    assert set(presets("benches")) == {"emulated", "emulated-pair", "local"}
    assert find_scenario("first-look").name == "first-look.yaml"
    assert find_bench("local").parent.name == "benches"


@pytest.mark.parametrize("scenario", sorted(presets("scenarios")))
@pytest.mark.parametrize("bench", sorted(presets("benches")))
def test_every_preset_can_be_planned_in_full(scenario: str, bench: str) -> None:
    plan = make_plan(load_scenario(find_scenario(scenario)), load_bench(find_bench(bench)))
    assert plan.points
    assert plan.left_out == ()


def test_the_first_look_takes_minutes() -> None:
    plan = make_plan(load_scenario(find_scenario("first-look")), load_bench(find_bench("emulated")))
    assert len(plan.points) == 8
    assert plan.seconds <= 180


def test_an_installed_wheel_carries_its_presets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "site" / "latlab" / "presets" / "benches"
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text("kind: emulated\n")
    monkeypatch.setattr(latlab, "__file__", str(tmp_path / "site" / "latlab" / "__init__.py"))
    assert find_bench("mine") == folder / "mine.yaml"


@pytest.mark.parametrize("name", ["x.yaml", "./first-look", "a/b", "/etc/x.yml"])
def test_a_path_is_a_path(name: str) -> None:
    assert find_scenario(name) == Path(name)


def test_an_unknown_name_has_a_hint() -> None:
    with pytest.raises(UsageError) as caught:
        find_scenario("first-lok")
    assert caught.value.message == 'no scenario is called "first-lok"'
    assert caught.value.hint == 'Did you mean "first-look"? Or name a file: ./first-lok.yaml'
