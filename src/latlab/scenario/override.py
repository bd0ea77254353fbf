# SPDX-License-Identifier: Apache-2.0
"""`--set key=value`: one value of a scenario or bench file, changed from the command line.

The key is a path of words with dots between them, the value is YAML. A step into a list of kinds selects by word,
so `instruments.ping.count=3` and `attachment.tap-bridge.vhost=false` do what they say. The changed tree is checked
like any other; a problem in the value points at `--set:N:COLUMN`, N counting the overrides from 1.
"""

from __future__ import annotations

from collections.abc import Sequence

from latlab.errors import ScenarioError
from latlab.scenario.source import Node, Place, read_text
from latlab.scenario.units import clip

FILE = "--set"


def apply(root: Node, overrides: Sequence[str]) -> None:
    """Change the tree `root` by each override in turn. Raises ScenarioError."""
    if root.kind != "mapping":
        return  # not a scenario at all: its own problem says so
    for number, text in enumerate(overrides, start=1):
        place = Place(FILE, number, 1)
        path, equals, value = text.partition("=")
        words = path.split(".")
        if not equals or not all(words):
            message = f"{clip(text)} is not of the form key=value"
            raise ScenarioError([place.problem(message, "Write such as: --set flow.period=2ms")])
        start = Place(FILE, number, len(path) + 2)
        tree = read_text(value, start)
        if tree is None:
            raise ScenarioError([start.problem(f"{path} has no value")])
        _assign(root, words, tree, place)


def _assign(root: Node, words: Sequence[str], value: Node, place: Place) -> None:
    targets = [root]
    for depth, word in enumerate(words[:-1]):
        targets = [step for target in targets for step in _step(target, word, place, words[:depth])]
    for target in targets:
        _check_mapping(target, place, words[:-1])
        kept = [(key, old) for key, old in target.entries if key.text != words[-1]]
        column = place.column + sum(len(word) + 1 for word in words[:-1])
        key = Node("text", Place(place.file, place.line, column), text=words[-1])
        index = next((i for i, (key, _) in enumerate(target.entries) if key.text == words[-1]), len(kept))
        kept.insert(index, (key, value))
        target.entries = kept


def _step(target: Node, word: str, place: Place, done: Sequence[str]) -> list[Node]:
    """The mappings that `word` leads to: an entry's value, made if it is not there; or options of a list's items."""
    if target.kind == "list":
        chosen = [item for item in target.items if _word_of(item) == word]
        if not chosen:
            message = f"{'.'.join(done)} is a list, and no item of it is {clip(word)}"
            raise ScenarioError([place.problem(message, f"Set it whole: --set '{'.'.join(done)}=...'")])
        return [_options(item, word) for item in chosen]
    if target.kind == "text" and target.text == word:
        return [_options(target, word)]
    _check_mapping(target, place, done)
    found = target.get(word)
    if found is None:
        found = Node("mapping", place)
        target.entries.append((Node("text", place, text=word), found))
    return [found]


def _word_of(item: Node) -> str:
    if item.kind == "mapping" and len(item.entries) == 1:
        return item.entries[0][0].text
    return item.text


def _options(item: Node, word: str) -> Node:
    """The options of a kind; a bare word becomes a mapping of that word to none."""
    if item.kind != "mapping":
        key = Node("text", item.place, text=word)
        item.kind, item.text, item.entries = "mapping", "", [(key, Node("mapping", item.place))]
    return item.entries[0][1]


def _check_mapping(target: Node, place: Place, done: Sequence[str]) -> None:
    if target.kind != "mapping":
        where = ".".join(done)
        message = f"{where} has no options in {target.place.file}, line {target.place.line}"
        raise ScenarioError([place.problem(message, f"Set it whole: --set '{where}={{...}}'")])
