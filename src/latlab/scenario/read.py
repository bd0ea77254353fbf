# SPDX-License-Identifier: Apache-2.0
"""Nodes -> checked models, with every problem collected instead of the first one raised.

Two shapes are all there is. A *mapping of options* (`flow`, `load`, `guest`): its keys are those of a model. A *kind*
(attachments, instruments): a bare word, or a mapping of exactly one word to its options. Where values multiply
(`axes=True`), a list stands for alternatives, at the value or at any option in it. Options vary in the model's order,
not the file's: the first one is the slowest.
"""

from __future__ import annotations

import difflib
import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from latlab.errors import Problem, ScenarioError, UsageError
from latlab.scenario.fields import NONE, Key, keys_of
from latlab.scenario.model import MAX_POINTS
from latlab.scenario.source import MAX_NUMBER_DIGITS, Node
from latlab.scenario.units import MIB, clip, parse_duration_ns, parse_rate_bps, parse_size_bytes

M = TypeVar("M", bound=BaseModel)
BAD: Any = object()
"""Returned for a value that has been reported as a problem."""

MAX_PROBLEMS = 100

_SHAPES = {"list": "a list", "mapping": "a mapping", "null": "nothing", "bool": "true or false", "text": "text"}
_BOOLEAN_WORDS = {"on": "true", "yes": "true", "y": "true", "off": "false", "no": "false", "n": "false"}


class Reader:
    """Reads nodes, and collects `problems`."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.made: Counter[str] = Counter()

    def check(self) -> None:
        """Raise ScenarioError if there are problems: the first ones, if they are more than a person reads."""
        if self.problems:
            raise ScenarioError(sorted(self.problems)[:MAX_PROBLEMS])

    def add(self, node: Node, message: str, hint: str = "") -> Any:
        self.problems.append(node.place.problem(message, hint))
        return BAD

    def alternatives(self, node: Node, what: str) -> list[Node]:
        """The nodes that a value multiplies into: a list's items, or the one value itself."""
        if node.kind != "list":
            return [node]
        if not node.items:
            self.add(node, f"{what} is an empty list", "Give at least one value.")
        good = []
        for item in node.items:
            if item.kind == "list":
                self.add(item, f"a list inside the list of {what}", "Write all values in one list.")
            else:
                good.append(item)
        return good

    def distinct(self, what: str, found: Iterable[tuple[Node, Any]]) -> list[Any]:
        """The values, each one reported that was there before: two equal points would measure the same thing."""
        values: dict[Any, None] = {}
        for node, value in found:
            if value in values:
                self.add(node, f"{what} has the same value twice", "To measure it more often, use `repeat`.")
                break
            values[value] = None
        return list(values)

    def entries(self, node: Node, known: Sequence[str], what: str) -> dict[str, Node]:
        """The known entries of a mapping; unknown keys are reported."""
        found: dict[str, Node] = {}
        for key, value in node.entries:
            if key.text in known:
                found[key.text] = value
            else:
                self.add(key, f"unknown key {clip(key.text)} in {what}", did_you_mean(key.text, known))
        return found

    def models(
        self,
        node: Node,
        model: type[M],
        what: str,
        *,
        axes: bool,
        written: type[BaseModel] | None = None,
        resolve: Callable[[dict[str, Any]], dict[str, Any]] = lambda values: values,
    ) -> list[M]:
        """A mapping of options: one model for each combination of its options' values.

        `written` is the model of the keys, where it is another one; then `resolve` turns a combination of its values
        into the fields of `model`, and its ValueError becomes a problem.
        """
        known = keys_of(written or model)
        if node.kind == "null":
            self.add(node, f"{what} has no value", "Give it options, or leave it out.")
            return []
        if node.kind != "mapping":
            message = f"{what} is a mapping of options, not {describe(node)}"
            self.add(node, message, f"Its options: {', '.join(known)}.")
            return []
        problems_before = len(self.problems)
        columns = self._columns(node, known, what, axes)
        if len(self.problems) > problems_before:
            return []
        self.made[what] += math.prod(len(values) for values in columns.values())
        if self.made[what] > MAX_POINTS:
            message = f"{what} multiplies into {self.made[what]} combinations; the most is {MAX_POINTS}"
            self.add(node, message, "Shorten its lists.")
            return []
        made: list[M] = []
        reported: set[str] = set()
        for values in itertools.product(*columns.values()):
            try:
                made.append(model.model_validate(resolve(dict(zip(columns, values, strict=True)))))
            except (ValidationError, ValueError) as error:
                message = _validation_message(error)
                if message not in reported:
                    reported.add(message)
                    self.add(node, f"{what}: {message}" if what else message)
        return made

    def _columns(self, node: Node, known: Mapping[str, Key], what: str, axes: bool) -> dict[str, list[Any]]:
        columns: dict[str, list[Any]] = {}
        entries = self.entries(node, list(known), what)
        for name, key in known.items():
            label = f"{what}.{name}" if what else name
            if name not in entries:
                if key.required:
                    self.add(node, f"{label} is missing")
                continue
            value = entries[name]
            if key.form in ("words", "mapping") or not axes:
                columns[key.field] = [self.value(value, key, label)]
            else:
                found = [(item, self.value(item, key, label)) for item in self.alternatives(value, label)]
                columns[key.field] = self.distinct(label, [(n, v) for n, v in found if v is not BAD])
        return columns

    def kind(self, node: Node, kinds: Mapping[str, type[M]], what: str, *, axes: bool) -> list[tuple[Node, M]]:
        """A bare word, or a mapping of one word to its options: the models it multiplies into, with its node."""
        listed = f"Known: {', '.join(kinds)}."
        if node.kind == "mapping" and len(node.entries) == 1:
            word, options = node.entries[0]
        elif node.kind == "mapping":
            words = ", ".join(f"{{{key.text}: ...}}" for key, _ in node.entries[:2]) or next(iter(kinds))
            message = f"a mapping in {what} has exactly one key, not {len(node.entries)}"
            self.add(node, message, f"Write a list: [{words}].")
            return []
        elif node.kind == "text":
            word, options = node, Node("mapping", node.place)
        else:
            self.add(node, f"{what} is a word, or a word with options, not {describe(node)}", listed)
            return []
        if word.text not in kinds:
            self.add(word, f"unknown {what} {clip(word.text)}", did_you_mean(word.text, list(kinds)) or listed)
            return []
        if options.kind == "null":
            self.add(word, f"{word.text} has no options here", f"Write `{word.text}` without the colon.")
            return []
        return [(node, m) for m in self.models(options, kinds[word.text], word.text, axes=axes)]

    def value(self, node: Node, key: Key, what: str) -> Any:
        """One value of a key, in the field's own unit; BAD after reporting a problem."""
        if node.kind == "null":
            hint = f"Write `{NONE}`, or leave the key out." if key.optional else "Give it a value, or leave it out."
            return self.add(node, f"{what} has no value", hint)
        if key.form == "mapping" and key.model is not None:
            return next(iter(self.models(node, key.model, what, axes=False)), BAD)
        if key.form == "words":
            return self._words(node, key, what)
        if node.kind in ("list", "mapping"):
            hint = "Only attachment, load, flow, nic, guest and timing take lists." if node.kind == "list" else ""
            return self.add(node, f"{what} is one value, not {describe(node)}", hint)
        if key.optional and node.kind == "text" and node.text == NONE:
            return None
        if key.form == "word":
            return self._word(node, key, what)
        if key.form == "flag":
            return self._flag(node, what)
        if key.form == "text":
            return self._text(node, what)
        value = self._quantity(node, key, what)
        return value if value is BAD else self._within(node, key, what, value)

    def _word(self, node: Node, key: Key, what: str) -> Any:
        if node.text in key.choices:
            return node.text
        hint = did_you_mean(node.text, key.choices) or f"Known: {', '.join(key.choices)}."
        return self.add(node, f"{what} cannot be {clip(node.text)}", hint)

    def _words(self, node: Node, key: Key, what: str) -> Any:
        found = [(item, self._word(item, key, what)) for item in self.alternatives(node, what)]
        if not found or any(word is BAD for _, word in found):
            return BAD
        return tuple(self.distinct(what, found))

    def _flag(self, node: Node, what: str) -> Any:
        if node.kind == "bool":
            return node.text.lower() == "true"
        meant = _BOOLEAN_WORDS.get(node.text.lower())
        hint = f"Write {meant}." if meant else ""
        return self.add(node, f"{what} is true or false, not {clip(node.text)}", hint)

    def _text(self, node: Node, what: str) -> Any:
        if node.kind != "text":
            return self.add(node, f"{what} is text, not {describe(node)}", f'Write it in quotes: "{node.text}".')
        if not node.text.strip():
            return self.add(node, f"{what} is empty")
        return node.text

    def _quantity(self, node: Node, key: Key, what: str) -> Any:
        if len(node.text) > MAX_NUMBER_DIGITS and node.kind in ("int", "float"):
            return self.add(node, f"{what}: a number of {len(node.text)} digits")
        if node.kind == "int":
            number = _integer(node.text)
            if key.form in ("number", "size") or number == 0:
                return number
        if key.form == "number":
            hint = f"Write {node.text.replace('_', '')}." if node.text.replace("_", "").isdecimal() else ""
            return self.add(node, f"{what} is a whole number, not {clip(node.text)}", hint)
        try:
            if key.form == "duration":
                return parse_duration_ns(node.text)
            if key.form == "rate":
                return parse_rate_bps(node.text)
            size_bytes = parse_size_bytes(node.text)
        except UsageError as error:
            return self.add(node, f"{what}: {error.message}", error.hint)
        if key.form == "size":
            return size_bytes
        if size_bytes % MIB:
            return self.add(node, f"{what}: {clip(node.text)} is not a whole number of MiB", "Write such as 192MiB.")
        return size_bytes // MIB

    def _within(self, node: Node, key: Key, what: str, value: int) -> Any:
        if key.minimum is not None and value < key.minimum:
            return self.add(node, f"{what} is at least {key.show(key.minimum)}, not {clip(node.text)}")
        if key.maximum is not None and value > key.maximum:
            return self.add(node, f"{what} is at most {key.show(key.maximum)}, not {clip(node.text)}")
        return value


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """A hint that names the known word nearest to `word`, or all of them if they are few, or nothing."""
    near = difflib.get_close_matches(word[:64].lower(), known, n=1, cutoff=0.6)
    if near:
        return f'Did you mean "{near[0]}"?'
    return f"Known: {', '.join(known)}."


def describe(node: Node) -> str:
    if node.kind in ("int", "float"):
        return f"the number {clip(node.text)}"
    return clip(node.text) if node.kind == "text" else _SHAPES[node.kind]


def _integer(text: str) -> int:
    return int(text, 0) if text.lower().startswith(("0x", "0o")) else int(text)


def _validation_message(error: ValueError) -> str:
    if isinstance(error, ValidationError):
        return "; ".join(str(e["msg"]).removeprefix("Value error, ") for e in error.errors())
    return str(error)
