# SPDX-License-Identifier: Apache-2.0
"""A file in the user's browser, where there is one."""

from __future__ import annotations

import os
import webbrowser
from collections.abc import Mapping
from pathlib import Path

NO_DISPLAY = "there is no display here"
NO_BROWSER = "there is no browser here, or it did not start"


def pages_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Where pages are kept that are made only to be looked at: the user's cache."""
    cache = environment.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(cache, "latlab", "pages")


def show_file(path: Path, environment: Mapping[str, str] = os.environ) -> str | None:
    """Open `path` in the browser. Returns why it was not, or None if it was.

    A browser is that of $BROWSER, or one that the desktop knows; without a desktop there is only $BROWSER.
    """
    if not any(environment.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")):
        return NO_DISPLAY
    return None if webbrowser.open(path.resolve().as_uri()) else NO_BROWSER
