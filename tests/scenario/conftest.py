# SPDX-License-Identifier: Apache-2.0
"""Hypothesis strategies for scenario files as users write them: valid ones, and text that comes close to one.

Fixtures, because test files do not import each other; a test draws from them through `st.data()`.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

import pytest
from hypothesis import strategies as st

from latlab.scenario.attachments import Attachment
from latlab.scenario.fields import Key, keys_of, kinds_of
from latlab.scenario.model import Guest, Instrument, Load

Value = Any

FLOW = {
    "direction": st.sampled_from(["up", "down"]),
    "transport": st.sampled_from(["udp4", "udp6", "l2"]),
    "period": st.sampled_from(["100us", "1ms", "1.006ms", "2ms", "1s"]),
    "count": st.integers(1, 1000),
    "size": st.one_of(st.integers(96, 1400), st.sampled_from(["1KiB", "200B"])),
    "vlan": st.one_of(st.just("none"), st.integers(1, 4094)),
    "pcp": st.integers(0, 7),
    "fifo": st.one_of(st.just("none"), st.integers(1, 98)),
    "timeout": st.sampled_from(["500ms", "1s"]),
}


TEXTS = {
    "ssh": ["board1", "root@198.18.77.9", "ssh://root@host:2222"],
    "ssh-user": ["root", "debian"],
    "nic": ["none", "ens3"],
    "address": ["none", "198.18.77.9"],
}
"""Of keys whose text has a form of its own; any other takes the name of a file."""


def value_of(key: Key) -> st.SearchStrategy[Value]:
    """Any valid value of a key, as a user writes it."""
    if key.form == "word":
        return st.sampled_from(key.choices)
    if key.form == "words":
        return st.lists(st.sampled_from(key.choices), min_size=1, unique=True)
    if key.form == "flag":
        return st.booleans()
    if key.form == "text":
        return st.sampled_from(TEXTS.get(key.key, ["none", "/a/file"]))
    low = key.minimum or 0
    number = st.integers(low, min(key.maximum or low + 100, low + 100))
    shown = number if key.form == "number" else number.map(key.show)
    return st.one_of(st.just("none"), shown) if key.optional else shown


def axis(value: st.SearchStrategy[Value]) -> st.SearchStrategy[Value]:
    """One value, or a list of distinct ones."""
    return st.one_of(value, st.lists(value, min_size=1, max_size=3, unique_by=json.dumps))


def options(
    keys: dict[str, st.SearchStrategy[Value]], *, axes: bool, required: Collection[str] = ()
) -> st.SearchStrategy[Value]:
    written = {k: axis(v) if axes else v for k, v in keys.items()}
    return st.fixed_dictionaries(
        {k: v for k, v in written.items() if k in required},
        optional={k: v for k, v in written.items() if k not in required},
    )


def kind(union: Any, *, axes: bool) -> st.SearchStrategy[Value]:
    """A bare word, or a word with options."""
    choices: list[st.SearchStrategy[Value]] = []
    for word, model in kinds_of(union).items():
        keys = {k: value_of(key) for k, key in keys_of(model).items()}
        required = [k for k, key in keys_of(model).items() if key.required]
        choices += [] if required else [st.just(word)]
        choices += [options(keys, axes=axes, required=required).map(lambda o, w=word: {w: o})]  # type: ignore[misc]
    return st.one_of(choices)


def _scenarios() -> st.SearchStrategy[dict[str, Value]]:
    """Mappings that are scenarios as JSON, which YAML 1.2 contains. Some have equal points: those are errors."""
    load = {k: value_of(key) for k, key in keys_of(Load).items()}
    guest = {k: value_of(key) for k, key in keys_of(Guest).items()}
    return st.fixed_dictionaries(
        {"attachment": axis(kind(Attachment, axes=True))},
        optional={
            "name": st.just("a name"),
            "repeat": st.integers(1, 3),
            "flow": options(FLOW, axes=True),
            "load": axis(st.one_of(st.just("none"), options(load, axes=True))),
            "guest": options(guest, axes=False),
            "instruments": st.lists(
                kind(Instrument, axes=False), min_size=1, unique_by=lambda i: i if isinstance(i, str) else next(iter(i))
            ),
        },
    )


# Pieces of the language: what a tired person, or a fuzzer with some idea, would put together.
PIECES = st.sampled_from(
    ["attachment", "flow", "load", "guest", "instruments", "repeat", "kind", "emulated", "local", "nic", "period",
     "count", "size", "tests", "baseline", "user", "tap-bridge", "macvtap", "vhost", "none", "probe", "ping", "netperf",
     ": ", ":", ", ", "[", "]", "{", "}", "\n", "\n  ", "\n- ", "\t", "- ", "#", "&a ", "*a", "!!x ", "? ", "| ", "> ",
     "---\n", "...\n", "%YAML 1.1\n", "'", '"', "\\", "1ms", "5M", "0", "-1", "1e9", "0x", "0xff", "true", "~", "null",
     ".nan", "10000000000000", "<<", "\r\n", "\x85", "\u2028", "\ufeff", "\x00", "é", "\U0001f600"]
)  # fmt: skip
NEARLY = st.lists(PIECES, max_size=30).map("".join)


@pytest.fixture(scope="session")
def scenarios() -> st.SearchStrategy[dict[str, Value]]:
    """Scenarios as mappings."""
    return _scenarios()


@pytest.fixture(scope="session")
def nearly() -> st.SearchStrategy[str]:
    """Text that looks like a scenario to a tired eye."""
    return NEARLY
