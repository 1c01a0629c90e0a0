"""Placeholders: where a recipient's own words go in the subject and the body of a broadcast.

A caller writes those of the fixed list, the constants below. They are marked by private-use
characters, so no text that a person typed can pass for one, and nothing is ever compiled as a
template.
"""

import html
import re

OPEN, CLOSE = "\ue000", "\ue001"
NAME = f"{OPEN}name{CLOSE}"
ADDRESS = f"{OPEN}address{CLOSE}"

FIELDS = ("name", "address")
PLACEHOLDER = re.compile(f"{OPEN}([a-z:]+){CLOSE}")
PRIVATE_USE = re.compile(f"[{OPEN}{CLOSE}]")

Words = dict[str, str]
"""What fills each placeholder, and the Message-ID."""


def words(*, name: str, address: str, message_id: str) -> Words:
    """One recipient's own words."""
    return {
        "name": name,
        "name:html": html.escape(name),
        "address": address,
        "address:html": html.escape(address),
        "message_id": message_id,
    }


def for_html(text: str) -> str:
    """Mark the placeholders of an HTML body, so that what fills them is escaped."""
    for field in FIELDS:
        text = text.replace(f"{OPEN}{field}{CLOSE}", f"{OPEN}{field}:html{CLOSE}")
    return text


def for_people(text: str) -> str:
    """Show the placeholders as {name} and {address}."""
    return PRIVATE_USE.sub(
        lambda match: "{" if match[0] == OPEN else "}", text.replace(f":html{CLOSE}", CLOSE)
    )


def filled(text: str, words: Words) -> str:
    """Fill every placeholder once; what it is filled with is not looked at again."""
    return PLACEHOLDER.sub(lambda found: words.get(found[1], ""), text)
