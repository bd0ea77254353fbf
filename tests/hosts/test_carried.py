# SPDX-License-Identifier: Apache-2.0
"""Files that are carried to a host: whole, once for each content, and gone with its agent."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from latlab.bench.site import changes_undone
from latlab.errors import HostError
from latlab.hosts.carried import Carried
from latlab.hosts.host import Host
from tests.yard import Yard, eventually


def test_a_large_file_arrives_whole_and_once(host: Host, tmp_path: Path) -> None:
    content = os.urandom(3 << 20)
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_bytes(content)
    second.write_bytes(content)
    host.carried = Carried(host)
    there = host.bring(first)
    assert there != first
    before = there.stat().st_mtime_ns
    assert there.read_bytes() == content if os.geteuid() == 0 else True
    assert host.bring(second) == there
    assert there.stat().st_mtime_ns == before
    assert host.within("ns", "x").bring(first) == there


def test_it_is_gone_with_the_agent_however_that_ends(yard: Yard, tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("x")
    ends: tuple[Callable[[Host], None], ...] = (Host.close, yard.kill_agent)
    for end in ends:
        host = yard.host()
        there = Carried(host)(file)
        assert there.exists()
        end(host)
        yard.host("next")
        assert eventually(partial(_gone, there.parent))


def test_it_outlives_what_is_undone_of_a_point(host: Host, tmp_path: Path) -> None:
    """The next point's guest boots from it too."""
    file = tmp_path / "a"
    file.write_text("x")
    carried = Carried(host)
    with changes_undone(host):
        there = carried(file)
    assert there.exists()
    assert carried(file) == there


def _gone(path: Path) -> bool:
    return not path.exists()


def test_a_file_that_is_not_there_is_named(host: Host, tmp_path: Path) -> None:
    with pytest.raises(HostError, match="missing: cannot be read: No such file"):
        Carried(host)(tmp_path / "missing")


def test_what_arrives_otherwise_is_an_error(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a"
    file.write_text("x")
    run = host.run
    monkeypatch.setattr(host, "run", lambda argv, **more: "0 *" if argv[0] == "sha256sum" else run(argv, **more))
    with pytest.raises(HostError, match="did not arrive whole"):
        Carried(host)(file)


def test_a_host_that_sees_the_file_is_not_given_a_copy(host: Host, tmp_path: Path) -> None:
    assert host.bring(tmp_path) == tmp_path
