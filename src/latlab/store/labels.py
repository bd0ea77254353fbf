# SPDX-License-Identifier: Apache-2.0
"""Labels that people give to runs: labels.json beside run.json, so that what was measured stays as it was measured.

{"format": 1, "labels": ["baseline-6.12", "good"]}
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from latlab.errors import StoreError, UsageError
from latlab.store.disk import damage, os_errors, replace_file

LABELS_NAME = "labels.json"
FORMAT = 1
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/=@-]{0,63}")


def read_labels(run: Path) -> list[str]:
    """The labels of the run in the directory `run`, sorted; none if it was given none. StoreError if damaged."""
    path = run / LABELS_NAME
    with os_errors(path, "reading"):
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return []
    try:
        values = json.loads(data)
    except ValueError as error:
        raise StoreError(
            f"{path} is damaged at {damage(data, error)}", hint="delete it: it holds only the run's labels"
        ) from error
    if isinstance(values, dict) and isinstance(values.get("format"), int) and values["format"] > FORMAT:
        raise StoreError(
            f"{path} has format {values['format']}; this latlab reads up to {FORMAT}",
            hint="upgrade latlab to the version that wrote it, or a later one",
        )
    labels = values.get("labels") if isinstance(values, dict) else None
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise StoreError(f"{path} holds no list of labels", hint="delete it: it holds only the run's labels")
    return sorted(set(labels))


def change_labels(run: Path, add: Iterable[str] = (), remove: Iterable[str] = ()) -> list[str]:
    """Give and take labels; returns those that the run has then. One change at a time, whoever makes it.

    UsageError for a name that is no label; StoreError if they cannot be read or written.
    """
    adding, removing = [checked(name) for name in add], [checked(name) for name in remove]
    with changing(run.parent):
        before = read_labels(run)
        after = sorted((set(before) - set(removing)) | set(adding))
        if after != before:
            text = json.dumps({"format": FORMAT, "labels": after}, indent=1)
            replace_file(run / LABELS_NAME, text.encode() + b"\n")
    return after


def checked(name: str) -> str:
    """`name`, if it can be a label. UsageError else."""
    if not _LABEL.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be a label",
            hint="a label is at most 64 letters, digits and . _ : / = @ -, and begins with a letter or a digit",
        )
    return name


@contextmanager
def changing(root: Path) -> Iterator[None]:
    """Alone among all processes that change what is kept about the runs in `root`; ends with its holder, however."""
    with os_errors(root, "locking"):
        fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with os_errors(root, "locking"):
            fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)
