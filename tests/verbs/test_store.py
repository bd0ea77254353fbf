# SPDX-License-Identifier: Apache-2.0
"""list, label, sql, open and export as a user types them."""

from __future__ import annotations

import csv
import io
import json
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from latlab import browser
from latlab.cli import cli
from latlab.errors import LatlabError, UsageError
from tests.store.runs_made import CUT, NEW, OLD, three


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return three(tmp_path)


def call(root: Path, *arguments: str | Path) -> Result:
    found = CliRunner().invoke(cli, [*map(str, arguments), "--runs", str(root)], catch_exceptions=True)
    if isinstance(found.exception, LatlabError):
        raise found.exception
    assert found.exit_code == 0, found.output
    return found


def ids(root: Path, *arguments: str) -> list[str]:
    return [row["id"] for row in json.loads(call(root, "list", "--json", *arguments).stdout)]


def test_list_shows_what_the_filters_choose_in_the_order_that_is_asked(root: Path) -> None:
    assert ids(root) == [OLD, NEW, CUT]
    assert ids(root, "--attachment", "tap-bridge") == [OLD, NEW]
    assert ids(root, "--attachment", "xdp", "--attachment", "tap*", "--bench", "local") == [NEW, CUT]
    assert ids(root, "--label", "good", "--label", "base*", "--kernel", "6.12", "--scenario", "first-look") == [NEW]
    assert ids(root, "--load", "no load", "--verdict", "suspect", "--since", "2026-11-21") == [NEW]
    assert ids(root, "--until", "2026-11-20") == [OLD, CUT]
    assert ids(root, "--sort", "-p50") == [NEW, OLD, CUT]
    assert ids(root, "--sort", "p50") == [OLD, NEW, CUT]
    assert "+baseline/6.12 +good" in call(root, "list").stdout
    told = call(root, "list", "--attachment", "vfio").stdout
    assert told == " no run has the attachment vfio: there is tap-bridge, xdp\n"


def test_labels_are_given_and_taken_and_nothing_is_changed_by_a_wrong_one(root: Path) -> None:
    assert call(root, "label", OLD, "20261122", "+v1", "+slow", "-absent").stdout == f"{OLD}: slow v1\n{CUT}: slow v1\n"
    assert call(root, "label", OLD, "-v1").stdout == f"{OLD}: slow\n"
    assert call(root, "label", OLD, "--remove", "slow", "--add", "hot").stdout == f"{OLD}: hot\n"
    assert call(root, "label", OLD, "-hot").stdout == f"{OLD}: no labels\n"
    assert json.loads(call(root, "label", NEW, "--json").stdout) == [{"id": NEW, "labels": ["baseline/6.12", "good"]}]
    with pytest.raises(UsageError, match="'a b' cannot be a label"):
        call(root, "label", OLD, CUT, "+fine", "+a b")
    with pytest.raises(LatlabError, match="there is no run 'nothing'"):
        call(root, "label", OLD, "nothing", "+fine")
    assert ids(root, "--label", "fine") == []
    assert "labels baseline/6.12 good" in call(root, "show", NEW).stdout
    assert json.loads(call(root, "show", NEW, "--json").stdout)["labels"] == ["baseline/6.12", "good"]


def test_sql_answers_as_text_csv_and_json(root: Path) -> None:
    query = "SELECT run, p50_ns, labels FROM runs WHERE p50_ns IS NOT NULL ORDER BY run"
    text = call(root, "sql", query).stdout.splitlines()
    assert text[0].split() == ["run", "p50_ns", "labels"]
    assert text[1].split() == [OLD, "27750", "[]"]
    rows = list(csv.reader(io.StringIO(call(root, "sql", query, "--csv").stdout)))
    assert rows[2] == [NEW, "772477", '["baseline/6.12", "good"]']
    assert json.loads(call(root, "sql", query, "--json").stdout)[1]["labels"] == ["baseline/6.12", "good"]
    assert json.loads(call(root, "sql", "SELECT count(*) AS n FROM runs", "--bench", "local", "--json").stdout) == [
        {"n": 2}
    ]
    found = call(root, "sql", "SELECT count(*) FROM samples")
    assert found.stdout.split() == ["count_star()", "6169"]
    assert f"{CUT}: interrupted: 49 whole records, and 129 bytes of one that is not whole" in found.stderr
    with pytest.raises(UsageError, match="two ways"):
        call(root, "sql", query, "--csv", "--json")


def test_export_takes_names_or_filters_and_not_both(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    assert call(root, "export", "-f", "csv", "-o", out).stdout == f"{out}: 49 packets of 1 runs\n"  # the latest
    assert call(root, "export", OLD, NEW, "-f", "csv", "-o", out).stdout == f"{out}: 6120 packets of 2 runs\n"
    assert call(root, "export", "--label", "good", "-f", "csv", "-o", out).stdout == f"{out}: 6000 packets of 1 runs\n"
    found = call(root, "export", OLD, "-f", "isochron", "--return", "-o", tmp_path / "x.dat")
    assert found.stdout.endswith("120 packets, 1 not received\n")
    with pytest.raises(UsageError, match=r"named, or chosen by filters"):
        call(root, "export", OLD, "--label", "good", "-f", "csv", "-o", out)
    with pytest.raises(UsageError, match=r"no run has the label nothing: there is baseline/6.12, good"):
        call(root, "export", "--label", "nothing", "-f", "csv", "-o", out)


def test_a_file_is_shown_in_the_browser_that_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "a page.html"
    page.write_text("x")
    program = tmp_path / "browser"
    program.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/asked\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    assert browser.show_file(page, {}) == browser.NO_DISPLAY
    assert not (tmp_path / "asked").exists()
    monkeypatch.setattr("webbrowser._tryorder", None)  # as in a new process: which browsers there are is found out once
    monkeypatch.setattr("webbrowser._browsers", {})
    monkeypatch.setenv("BROWSER", f"{program} %s")
    assert browser.show_file(page) is None
    assert (tmp_path / "asked").read_text() == f"{page.as_uri()}\n"


def test_pages_to_look_at_are_in_the_users_cache() -> None:
    assert browser.pages_folder({"XDG_CACHE_HOME": "/c"}) == Path("/c/latlab/pages")
    assert browser.pages_folder({}) == Path.home() / ".cache/latlab/pages"
