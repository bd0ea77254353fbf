# SPDX-License-Identifier: Apache-2.0
"""YAML 1.2 text -> a tree of nodes, each of which knows its file, line and column.

ruamel.yaml scans and parses; the tree is built here from its events, because a scenario wants what no constructor
gives: the place of every key and value, all duplicate keys at once, and limits on depth and size that hold before
anything is built (an alias counts as often as it is used). Scalars follow YAML 1.2's core schema: `0000:03:00.0`
is text and so are `on` and `yes`. Tags and second documents are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.reader import ReaderError

from latlab.errors import Problem, ScenarioError

MAX_FILE_BYTES = 1 << 20
MAX_DEPTH = 20
MAX_NODES = 20_000
MAX_NUMBER_DIGITS = 30

Kind = Literal["text", "int", "float", "bool", "null", "list", "mapping"]

_PLAIN: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("null", re.compile(r"~|null|Null|NULL|")),
    ("bool", re.compile(r"true|True|TRUE|false|False|FALSE")),
    ("int", re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")),
    ("float", re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")),
)


@dataclass(frozen=True)
class Place:
    """Where a node stands. `line` and `column` count from 1."""

    file: str
    line: int
    column: int

    def problem(self, message: str, hint: str = "") -> Problem:
        return Problem(self.file, self.line, self.column, message, hint)


@dataclass
class Node:
    """One YAML node. `text` holds a scalar as written; `items` a list's nodes; `entries` a mapping's (key, value)s."""

    kind: Kind
    place: Place
    text: str = ""
    items: list[Node] = field(default_factory=list)
    entries: list[tuple[Node, Node]] = field(default_factory=list)

    def get(self, key: str) -> Node | None:
        return next((value for name, value in self.entries if name.text == key), None)

    def children(self) -> list[Node]:
        return self.items + [node for entry in self.entries for node in entry]

    def size(self) -> int:
        return 1 + sum(child.size() for child in self.children())

    def depth(self) -> int:
        return 1 + max((child.depth() for child in self.children()), default=0)


def read_file(path: Path) -> Node:
    """The tree of a file; raises ScenarioError when it cannot be read or is not YAML 1.2."""
    place = Place(str(path), 1, 1)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        raise ScenarioError([place.problem("no such file", "Check the path.")]) from None
    except IsADirectoryError:
        raise ScenarioError([place.problem("this is a directory, not a file", "Name a file in it.")]) from None
    except OSError as error:
        raise ScenarioError([place.problem(f"cannot be read: {error.strerror or error}")]) from None
    except ValueError as error:  # a NUL in the path
        raise ScenarioError([place.problem(f"cannot be read: {error}", "Check the path.")]) from None
    return read_bytes(data, str(path))


def read_bytes(data: bytes, file: str) -> Node:
    """The tree of a file's content."""
    start = Place(file, 1, 1)
    if len(data) > MAX_FILE_BYTES:
        limit = f"{MAX_FILE_BYTES >> 20} MiB"
        raise ScenarioError([start.problem(f"larger than {limit}", "This is hardly a scenario or bench file.")])
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8", errors="replace")
        message = f"byte 0x{data[error.start]:02x} is not UTF-8"
        raise ScenarioError([_place_after(before, file).problem(message, "Save the file as UTF-8.")]) from None
    root = read_text(text, start)
    if root is None:
        hint = "Begin with `attachment:` (a scenario) or `kind:` (a bench)."
        raise ScenarioError([start.problem("the file is empty", hint)])
    return root


def read_text(text: str, start: Place) -> Node | None:
    """The tree of `text`, which begins at `start` (a file's first character, or the value of a `--set`).

    None if it holds nothing but white space and comments.
    """
    builder = _Builder(text, start)
    try:
        root = builder.build()
    except MarkedYAMLError as error:
        raise ScenarioError([_syntax_problem(error, text, start)]) from None
    except ReaderError as error:
        place = _shift(_place_after(text[: int(error.position)], start.file), start)
        raise ScenarioError([place.problem(f"a control character (U+{_code(error):04X}) is not allowed")]) from None
    except (YAMLError, ValueError, OverflowError) as error:
        # ruamel.yaml lets these out of an escape such as "\Uffffffff", without a place.
        raise ScenarioError([start.problem(f"not valid YAML: {error}")]) from None
    if builder.problems:
        raise ScenarioError(builder.problems)
    return root


class _Builder:
    """Builds the tree from ruamel.yaml's events, without recursion."""

    def __init__(self, text: str, start: Place) -> None:
        self.text = text
        self.start = start
        self.problems: list[Problem] = []
        self.anchors: dict[str, Node] = {}
        self.nodes = 0

    def build(self) -> Node | None:
        """The first document's root; None if there is none."""
        open_nodes: list[Node] = []
        pending_keys: list[Node | None] = []
        root: Node | None = None
        for event in self._events():
            name = type(event).__name__
            if name in ("MappingEndEvent", "SequenceEndEvent"):
                node = open_nodes.pop()
                pending_keys.pop()
                if node.kind == "mapping":
                    self._check_keys(node)
                continue
            made = self._node(name, event, open_nodes)
            if made is None:
                continue
            if not open_nodes:
                if root is not None:
                    raise ScenarioError([made.place.problem("a second document begins here", "Use one file for each.")])
                root = made
            elif open_nodes[-1].kind == "list":
                open_nodes[-1].items.append(made)
            elif (key := pending_keys[-1]) is None:
                pending_keys[-1] = made
            else:
                open_nodes[-1].entries.append((key, made))
                pending_keys[-1] = None
            if name in ("MappingStartEvent", "SequenceStartEvent"):
                open_nodes.append(made)
                pending_keys.append(None)
                if len(open_nodes) > MAX_DEPTH:
                    raise ScenarioError([made.place.problem(f"nested deeper than {MAX_DEPTH} levels")])
        return root

    def _events(self) -> Iterator[Any]:
        yield from YAML(typ="safe", pure=True).parse(self.text)

    def _node(self, name: str, event: Any, open_nodes: list[Node]) -> Node | None:
        if name not in ("ScalarEvent", "AliasEvent", "MappingStartEvent", "SequenceStartEvent"):
            return None
        here = Place(self.start.file, event.start_mark.line + 1, event.start_mark.column + 1)
        place = _shift(here, self.start)
        if name == "AliasEvent":
            return self._alias(event.anchor, place, open_nodes)
        self._count(1, place)
        if event.ctag is not None and str(event.ctag):
            self.problems.append(place.problem(f"a tag ({event.ctag}) is not used here", "Leave it out."))
        if name == "MappingStartEvent":
            node = Node("mapping", place)
        elif name == "SequenceStartEvent":
            node = Node("list", place)
        else:
            kind = _plain_kind(event.value) if event.style in (None, "") else "text"
            node = Node(kind, place, text=event.value)
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        return node

    def _alias(self, anchor: str, place: Place, open_nodes: list[Node]) -> Node:
        target = self.anchors.get(anchor)
        if target is None:
            raise ScenarioError([place.problem(f"*{anchor} is used, but no &{anchor} stands before it")])
        if any(target is node for node in open_nodes):
            raise ScenarioError([place.problem(f"*{anchor} stands inside its own &{anchor}")])
        self._count(target.size(), place)
        if len(open_nodes) + target.depth() > MAX_DEPTH:
            raise ScenarioError([place.problem(f"nested deeper than {MAX_DEPTH} levels")])
        copy = deepcopy(target)  # an override changes the tree in place, and must not change it in two places
        copy.place = place
        return copy

    def _count(self, nodes: int, place: Place) -> None:
        self.nodes += nodes
        if self.nodes > MAX_NODES:
            raise ScenarioError([place.problem(f"more than {MAX_NODES} values", "Split the file.")])

    def _check_keys(self, mapping: Node) -> None:
        first: dict[str, Place] = {}
        for key, _ in mapping.entries:
            if key.kind in ("list", "mapping"):
                self.problems.append(key.place.problem("a key must be a word"))
            elif key.text in first:
                message = f'"{key.text}" stands here twice, first in line {first[key.text].line}'
                self.problems.append(key.place.problem(message, "Write its values as one list."))
            else:
                first[key.text] = key.place


def _plain_kind(text: str) -> Kind:
    return next((kind for kind, pattern in _PLAIN if pattern.fullmatch(text)), "text")


def _shift(place: Place, start: Place) -> Place:
    """`place`, counted from the beginning of a text, counted from where that text stands."""
    column = place.column + (start.column - 1 if place.line == 1 else 0)
    return Place(start.file, place.line + start.line - 1, column)


def _place_after(before: str, file: str) -> Place:
    lines = re.split(r"\r\n|\r|\n", before)
    return Place(file, len(lines), len(lines[-1]) + 1)


def _code(error: ReaderError) -> int:
    character = error.character
    return character if isinstance(character, int) else ord(str(character)[:1] or "\0")


def _syntax_problem(error: MarkedYAMLError, text: str, start: Place) -> Problem:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line, mark.column) if mark is not None else (0, 0)
    place = _shift(Place(start.file, line + 1, column + 1), start)
    lines = text.split("\n")
    written = lines[line] if line < len(lines) else ""
    if "\t" in written[: len(written) - len(written.lstrip())]:
        return place.problem("a tab in the indentation", "YAML wants spaces.")
    parts = [part for part in (error.context, error.problem) if part]
    message = ": ".join(str(part).replace("\t", "\\t") for part in parts) or "not valid YAML"
    hint = 'Text with ": " or " #" in it needs quotes.' if "mapping values" in message else ""
    return place.problem(message, hint)
