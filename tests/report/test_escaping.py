# SPDX-License-Identifier: Apache-2.0
"""What others wrote is shown and does nothing: checked with a parser of CommonMark and GitHub's tables."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from latlab.report.escaping import fenced, inline, plain
from latlab.report.journal import Item, Told
from latlab.report.markdown import weekly_markdown
from latlab.report.weekly import RunFacts, Weekly, weekly
from latlab.report.weekly_text import weekly_text
from latlab.store.document import Verdict
from tests.report.weekly_cases import TODAY, document, report

HOSTILE = [
    "<script>alert(1)</script>", "</details><h1>x", "![x](http://e.org/p.png)", "[x](javascript:alert(1))", "| a | b |",
    "`code` and ``more``", "```", "# heading", "- list", "1. list", "> quote", "***bold***", "a_b_c", "~~gone~~",
    "&lt;",
    "\x1b[2J\x07", "a\u202eb", "<img src=x onerror=alert(1)>", "$x$", "[a]: http://e.org", "---", "===", "\\", "<!-- x",
    "https://e.org/", "a\nb", "\u2028",
]  # fmt: skip
TEXT = st.text(st.sampled_from("ab1 <>&`*_[]()#+-.!|~$\\:/\"'=\n\x1b\u202e\u2028") | st.characters(), max_size=60)
ANY = st.sampled_from(HOSTILE) | TEXT
ALLOWED = {"text", "code_inline", "softbreak"}


def tokens(markdown: str) -> Iterator[Token]:
    for token in MarkdownIt("gfm-like", {"linkify": False}).parse(markdown):
        yield token
        yield from token.children or ()


def printable(text: str) -> bool:
    return all(unicodedata.category(letter) not in ("Cc", "Cf", "Zl", "Zp") for letter in text if letter != "\n")


@given(ANY)
@example("1)")
@example("      code")
@example("a|b\\|c")
def test_plain_text_is_literal(text: str) -> None:
    for markdown in (f"- {plain(text)}", f"|a|b|\n|:--|--:|\n| {plain(text)} | x |", f"**{plain('x' + text + 'x')}**"):
        found = list(tokens(markdown))
        kinds = {token.type for token in found if token.type not in ALLOWED}
        assert not kinds & {
            "html_inline",
            "html_block",
            "link_open",
            "image",
            "heading_open",
            "fence",
            "code_block",
            "hr",
        }
        shown = "".join(token.content for token in found if token.type == "text")
        expected = "".join(letter for letter in text if letter.isprintable() and not letter.isspace())
        assert expected in "".join(shown.split())


@given(ANY)
def test_a_journal_has_no_html_no_images_and_http_links_only(text: str) -> None:
    found = list(tokens(f"- {inline(text)}\n- end"))
    assert not {token.type for token in found} & {"html_inline", "html_block", "image", "heading_open", "fence", "hr"}
    links = [token.attrs["href"] for token in found if token.type == "link_open"]
    assert all(str(link).startswith(("http://", "https://")) for link in links)
    assert sum(token.type == "list_item_open" for token in found) == 2


@pytest.mark.parametrize(
    ("text", "kind", "content"),
    [
        ("see `ip -j link`", "code_inline", "ip -j link"),
        ("the **second** one", "strong_open", ""),
        ("the *second* one", "em_open", ""),
        ("[patch](https://lore.example/r/a_b_c)", "link_open", ""),
        ("<https://lore.example/r/1>", "link_open", ""),
        ("at https://lore.example/r/1, and", "link_open", ""),
    ],
)
def test_a_journals_own_marks_are_kept(text: str, kind: str, content: str) -> None:
    (token,) = [token for token in tokens(inline(text)) if token.type == kind]
    assert token.content == content


@given(st.lists(ANY, max_size=5))
def test_nothing_ends_a_block_of_code(lines: list[str]) -> None:
    found = list(tokens(f"{fenced(lines)}\n\nafter"))
    assert [token.type for token in found[:2]] == ["fence", "paragraph_open"]
    assert printable(fenced(lines))


def hostile_report(text: str) -> Weekly:
    made = document("tap-bridge")
    made.attachment, made.load, made.bench = text, text, made.bench.model_copy(update={"name": text})
    made.verdict = Verdict(value="suspect", reasons=[text])
    other = document("user")
    told = {section: [Told(Item(section, text, 1, TODAY, text), carried=True)] for section in ("progress", "patches")}
    return weekly([RunFacts(made, True), RunFacts(other, False)], 2, TODAY, "report 1", told, [text])


@settings(max_examples=30)
@given(ANY.filter(lambda text: bool(text.strip())))
def test_a_whole_report_of_hostile_names_keeps_its_form(text: str) -> None:
    made = hostile_report(text)
    assert printable(weekly_text(made).plain)
    markdown = weekly_markdown(made)
    assert printable(markdown)
    found = list(tokens(markdown))
    html = "".join(token.content for token in found if token.type in ("html_block", "html_inline"))
    assert html.replace("\n", "").count("<") == 4 * html.count("<details>")
    calm = list(tokens(weekly_markdown(hostile_report("calm"))))
    for kind in ("table_open", "heading_open", "th_open"):
        assert sum(token.type == kind for token in found) == sum(token.type == kind for token in calm)
    assert not any(token.type == "image" for token in found)


def test_the_golden_report_is_whole_markdown() -> None:
    found = list(tokens(weekly_markdown(report())))
    assert sum(token.type == "table_open" for token in found) == 13
    opened = "".join(token.content for token in found if token.type == "html_block")
    assert opened.count("<details>") == opened.count("</details>") == 4
