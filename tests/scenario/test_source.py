# SPDX-License-Identifier: Apache-2.0
"""YAML text to positioned nodes: places, types of plain scalars, and the limits."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from latlab.errors import ScenarioError
from latlab.scenario.source import MAX_FILE_BYTES, Node, Place, read_bytes, read_file, read_text

EMPTY = "f.yaml:1:1: the file is empty. Begin with `attachment:` (a scenario) or `kind:` (a bench)."


def problem(data: bytes) -> str:
    with pytest.raises(ScenarioError) as caught:
        read_bytes(data, "f.yaml")
    return str(caught.value)


def test_every_node_knows_its_place() -> None:
    root = read_bytes(b"# first\na: [b,\n  {c: d}]\n", "f.yaml")
    ((key, value),) = root.entries
    assert key.place == Place("f.yaml", 2, 1)
    assert value.place == Place("f.yaml", 2, 4)
    assert value.items[0].place == Place("f.yaml", 2, 5)
    assert value.items[1].entries[0][1].place == Place("f.yaml", 3, 7)


def test_a_text_that_begins_elsewhere_keeps_its_places() -> None:
    root = read_text("[a, b]", Place("--set", 3, 12))
    assert root is not None
    assert [item.place for item in root.items] == [Place("--set", 3, 13), Place("--set", 3, 16)]


@pytest.mark.parametrize(
    ("text", "kind"),
    [("12", "int"), ("-1", "int"), ("0x1f", "int"), ("1.5", "float"), ("1e3", "float"), ("true", "bool"),
     ("null", "null"), ("~", "null"), ("", "null"), ("on", "text"), ("yes", "text"), ("0000:03:00.0", "text"),
     ("1_000", "text"), ("2ms", "text"), ("'12'", "text"), ('"true"', "text"), ("2022-01-01", "text")],
)  # fmt: skip
def test_plain_scalars_follow_yaml_1_2(text: str, kind: str) -> None:
    assert read_bytes(f"a: {text}\n".encode(), "f.yaml").entries[0][1].kind == kind


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", EMPTY),
        (b"# only this\n", EMPTY),
        (b"a: x\nb: \xff\n", "f.yaml:2:4: byte 0xff is not UTF-8. Save the file as UTF-8."),
        (b"a:\n\tb: 1\n", "f.yaml:2:1: a tab in the indentation. YAML wants spaces."),
        (b"a: [1\n", "f.yaml:2:1: while parsing a flow sequence: expected ',' or ']', but got '<stream end>'"),
        (b"a: b: c\n", 'f.yaml:1:5: mapping values are not allowed here. Text with ": " or " #" in it needs quotes.'),
        (b"a: \x07\n", "f.yaml:1:4: a control character (U+0007) is not allowed"),
        (b"a: !!python/object x\n", "f.yaml:1:4: a tag (tag:yaml.org,2002:python/object) is not used here. "
                                    "Leave it out."),
        (b"a: 1\n---\nb: 1\n", "f.yaml:3:1: a second document begins here. Use one file for each."),
        (b"a: &x [*x]\n", "f.yaml:1:8: *x stands inside its own &x"),
        (b"a: *x\n", "f.yaml:1:4: *x is used, but no &x stands before it"),
        (b"[a]: 1\n", "f.yaml:1:1: a key must be a word"),
        (b"[" * 30, "f.yaml:1:21: nested deeper than 20 levels"),
        (b"x" * (MAX_FILE_BYTES + 1), "f.yaml:1:1: larger than 1 MiB. This is hardly a scenario or bench file."),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_place(data: bytes, message: str) -> None:
    assert problem(data) == message


def test_all_duplicate_keys_are_named() -> None:
    assert problem(b"a: 1\nb: {c: 1, c: 2}\na: 2\n") == (
        'f.yaml:2:11: "c" stands here twice, first in line 2. Write its values as one list.\n'
        'f.yaml:3:1: "a" stands here twice, first in line 1. Write its values as one list.'
    )


def test_an_alias_is_a_copy_with_a_place_of_its_own() -> None:
    root = read_bytes(b"a: &x {k: 1}\nb: *x\n", "f.yaml")
    first, second = root.get("a"), root.get("b")
    assert isinstance(first, Node)
    assert isinstance(second, Node)
    assert second.place == Place("f.yaml", 2, 4)
    second.entries[0][1].text = "2"
    assert first.entries[0][1].text == "1"


def test_an_alias_bomb_is_refused_before_it_grows() -> None:
    lines = ["a: &a [" + ",".join("x" * 10) + "]"]
    lines += [
        f"{new}: &{new} [" + ",".join([f"*{old}"] * 10) + "]" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
    ]
    started = time.monotonic()
    assert "more than 20000 values" in problem("\n".join(lines).encode())
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("data", [b"[" * 100_000, b"- " * 500_000, b"{a: " * 50_000, b"? " * 100_000, b"[a," * 5_000])
def test_deep_nesting_ends_soon(data: bytes) -> None:
    started = time.monotonic()
    assert "nested deeper" in problem(data)
    assert time.monotonic() - started < 5


def test_a_byte_order_mark_is_no_part_of_the_first_key() -> None:
    assert read_bytes(b"\xef\xbb\xbfa: 1\n", "f.yaml").entries[0][0].text == "a"


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for path, message in (
        (tmp_path / "no.yaml", "no such file. Check the path."),
        (tmp_path, "this is a directory, not a file. Name a file in it."),
        (tmp_path / ("x" * 300), "cannot be read: File name too long"),
        (Path("a\0b"), "cannot be read: embedded null byte. Check the path."),
    ):
        with pytest.raises(ScenarioError) as caught:
            read_file(path)
        assert str(caught.value) == f"{path}:1:1: {message}"
