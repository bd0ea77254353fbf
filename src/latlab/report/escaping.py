# SPDX-License-Identifier: Apache-2.0
"""Text of others inside Markdown: a run's names and reasons, and a journal's items, can be read and do nothing.

Written for CommonMark with GitHub's tables, as GitHub, GitLab and Gitea render it. `plain` makes literal text of
anything; `inline` leaves a journal's own code, emphasis and http links as they are. Neither lets HTML, images, other
links, control characters or the marks of blocks and tables through.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from latlab.report.layout import printable

_MARKS = re.compile(r"[\\`*_\[\]<>|~$&!]")
_URL = r"https?://[^\s<>\\`|\"\[\]()]+"
_INLINE = re.compile(
    rf"(?P<code>(?<!`)`[^`\n]+`(?!`))|(?P<angle><{_URL}>)|\[(?P<words>[^\[\]\n]+)\]\((?P<link>{_URL})\)"
    rf"|(?P<bare>{_URL}(?<![.,;:!?'*_~]))|(?P<mark>\*\*|\*)(?=[^\s*])(?P<strong>[^*\n]*[^\s*])(?P=mark)"
)


def plain(text: str) -> str:
    """`text` as literal text on one line."""
    # GitHub makes links of "https://" and "www." by themselves.
    escaped = _MARKS.sub(r"\\\g<0>", printable(text).strip()).replace("://", r"\://").replace("www.", r"www\.")
    return _no_block(escaped)


def _no_block(line: str) -> str:
    """A line that begins no list, heading or other block: "1." is parted by a backslash before its dot."""
    line = re.sub(r"^(\d+)([.)])(?=\s|$)", r"\1\\\2", line)
    return re.sub(r"^([-+#=:])", r"\\\1", line)


def inline(text: str) -> str:
    """One line of a journal."""
    text = printable(text).strip()
    done, parts = 0, []
    for match in _INLINE.finditer(text):
        parts.append(_text(text[done : match.start()]))
        parts.append(_token(match))
        done = match.end()
    whole = "".join([*parts, _text(text[done:])])
    return _no_block(whole)


def _text(text: str) -> str:
    return _MARKS.sub(r"\\\g<0>", text)


def _token(match: re.Match[str]) -> str:
    if match["code"] or match["angle"]:
        return match[0]
    if match["link"]:
        return f"[{_text(match['words'])}](<{match['link']}>)"
    if match["bare"]:
        return f"<{match['bare']}>"
    return f"{match['mark']}{_text(match['strong'])}{match['mark']}"


def fenced(lines: Sequence[str], indent: str = "") -> str:
    """Lines as a block of code that nothing in them ends."""
    longest = max((len(run) for line in lines for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    shown = [printable(line) for line in lines]
    return "\n".join(f"{indent}{line}".rstrip() for line in (f"{fence}text", *shown, fence))
