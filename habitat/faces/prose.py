"""A small, safe subset of Markdown: headings, lists, paragraphs. Whatever else stands in a text is shown as written."""

import re
from collections.abc import Iterator
from typing import Final

from django.utils.html import conditional_escape, format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

_HEADING: Final = re.compile(r"(#{1,3})\s+(.+)")
# The page has its own h1.
_LEVEL: Final = {1: "h2", 2: "h2", 3: "h3"}


def render_prose(text: str) -> SafeString:
    """HTML of `text`: nothing of it can become a tag, a link or an attribute."""
    return mark_safe("\n".join(_blocks(text)))  # noqa: S308 - every part was escaped by format_html


def _blocks(text: str) -> Iterator[SafeString]:
    for block in re.split(r"\n\s*\n", text.strip()):
        lines = [line.strip() for line in block.splitlines() if line.strip()]
        while lines and (heading := _HEADING.fullmatch(lines[0])):
            yield _tagged(_LEVEL[len(heading[1])], heading[2])
            lines = lines[1:]
        if lines and all(line.startswith("- ") for line in lines):
            items = format_html_join("", "<li>{}</li>", ((line[2:],) for line in lines))
            yield format_html("<ul>{}</ul>", items)
        elif lines:
            yield _tagged("p", " ".join(lines))


def _tagged(tag: str, text: str) -> SafeString:
    # The tag is one of ours; the text is the author's.
    return mark_safe(f"<{tag}>{conditional_escape(text)}</{tag}>")  # noqa: S308
