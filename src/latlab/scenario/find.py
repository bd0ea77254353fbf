# SPDX-License-Identifier: Apache-2.0
"""Where a scenario or bench file is: a path, or the name of a preset ("first-look", "emulated").

Presets are the folders `scenarios/` and `benches/` of the source tree; an installed wheel carries the same files in
`latlab/presets/`.
"""

from __future__ import annotations

import os
from pathlib import Path

import latlab
from latlab.errors import UsageError
from latlab.scenario.read import did_you_mean
from latlab.scenario.units import clip

_SUFFIXES = (".yaml", ".yml")


def find_scenario(name: str) -> Path:
    """The file of a scenario. Raises UsageError if `name` is neither a path nor a preset."""
    return _find(name, "scenario", "scenarios")


def find_bench(name: str) -> Path:
    """The file of a bench. Raises UsageError if `name` is neither a path nor a preset."""
    return _find(name, "bench", "benches")


def presets(folder: str) -> dict[str, Path]:
    """The presets in "scenarios" or "benches", by name."""
    package = Path(latlab.__file__).parent
    for place in (package / "presets" / folder, package.parents[1] / folder):
        if place.is_dir():
            return {path.stem: path for path in sorted(place.glob("*.yaml"))}
    return {}


def _find(name: str, what: str, folder: str) -> Path:
    path = Path(name)
    if path.suffix in _SUFFIXES or os.sep in name:
        return path  # whether it can be read is for the loader to say, with its place
    known = presets(folder)
    if name in known:
        return known[name]
    hint = did_you_mean(name, list(known)) if known else "Name a file."
    raise UsageError(f"no {what} is called {clip(name)}", hint=f"{hint} Or name a file: ./{name[:40]}.yaml")
