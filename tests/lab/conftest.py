# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the lab: what the machine was like before a test, and that it is so again after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.lab.latlab_command import Command, latlab
from tests.lab.machine_state import State, is_root, lasting_differences, read_state


@pytest.fixture
def root() -> None:
    if not is_root():
        pytest.skip("needs root")


@pytest.fixture
def before(root: None, tmp_path: Path) -> State:
    """The machine before the test, after what earlier runs may have left was undone."""
    latlab("cleanup", folder=tmp_path)
    return read_state()


Start = Callable[..., Command]


@pytest.fixture
def start(before: State, tmp_path: Path) -> Iterator[Start]:
    """Starts `latlab ARGUMENTS` (see Command). At the test's end nothing of it runs, and the machine is as before."""
    started: list[Command] = []

    def begin(*arguments: str, **options: object) -> Command:
        command = Command(arguments, tmp_path, **options)  # type: ignore[arg-type]
        started.append(command)
        return command

    yield begin
    try:
        for command in started:
            command.wait()
            assert command.wait_until_all_ended() == {}
            assert command.defects() == []
            assert "Traceback" not in command.stderr
    finally:
        for command in started:
            command.end()
    latlab("cleanup", folder=tmp_path)
    assert lasting_differences(before) == []
