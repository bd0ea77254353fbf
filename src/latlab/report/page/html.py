# SPDX-License-Identifier: Apache-2.0
"""The one file: markup, style, script and data, and a policy under which nothing else is loaded or run.

The policy names the two scripts and two styles by their hashes. A text of a run that were to become markup would be
no script that runs, and could ask no server for anything. The data is JSON in a block that no browser runs; what could
end that block, or begin a comment in it, is written as an escape.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

STYLES = ("vendor/uPlot.min.css", "assets/page.css")
LIBRARY = "vendor/uPlot.iife.min.js"
SCRIPTS = ("text", "codes", "judge", "state", "charts", "path", "matrix", "course", "compare", "tables", "main")
"""Of assets/, in their order: each uses those before it."""

_UNSAFE = re.compile("[<>&\u2028\u2029]")
_NOT_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def page_html(data: dict[str, Any], sentences: Sequence[str], plain: str) -> bytes:
    """`sentences` are the headline and what follows it; `plain` is the results as text, for who runs no script."""
    styles = [_read(name) for name in STYLES]
    own = "\n".join(_read(f"assets/{name}.js") for name in SCRIPTS)
    scripts = [_read(LIBRARY), f'(function () {{\n"use strict";\n{own}\n}})();\n']
    policy = "; ".join((
        "default-src 'none'",
        f"script-src {' '.join(map(_hash, scripts))}",
        f"style-src {' '.join(map(_hash, styles))}",
        "base-uri 'none'",
        "form-action 'none'",
        "require-trusted-types-for 'script'",
    ))  # fmt: skip
    title, *rest = sentences or ["no runs"]
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{html.escape(policy)}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        '<meta name="referrer" content="no-referrer">',
        '<meta name="generator" content="latlab">',
        f"<title>latlab: {_text(title)}</title>",
        *(f"<style>{style}</style>" for style in styles),
        _read("assets/page.html").replace("@headline@", _text(title)).replace("@more@", _paragraph(rest)),
        f"<noscript><pre>{_text(plain)}</pre></noscript>",
        f'<script type="application/json" id="data">{json_block(data)}</script>',
        *(f"<script>{script}</script>" for script in scripts),
    ]
    return "\n".join(parts).encode() + b"\n"


def json_block(data: dict[str, Any]) -> str:
    """JSON that ends no script element, whatever the texts in it."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return _NOT_TEXT.sub(_escape, _UNSAFE.sub(_escape, text))


def _escape(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"


def _text(text: str) -> str:
    """Text for the markup, with a mark in place of what is no text."""
    return html.escape(_NOT_TEXT.sub("\N{REPLACEMENT CHARACTER}", text))


def _paragraph(sentences: Sequence[str]) -> str:
    return _text(" ".join(sentences))


def _hash(content: str) -> str:
    digest = hashlib.sha256(content.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _read(name: str) -> str:
    text = files("latlab.report.page").joinpath(name).read_text(encoding="utf-8")
    if "</script" in text.lower() or "</style" in text.lower():
        raise ValueError(f"{name} would end its own element")
    return text
