"""Placeholders: where each recipient's name and address go in the subject and body of a broadcast.

A caller writes the constants NAME and ADDRESS. They are delimited by private-use characters, so
text that a person typed cannot be mistaken for one, and nothing is ever compiled as a template.
"""

import re

OPEN, CLOSE = "\ue000", "\ue001"
NAME = f"{OPEN}name{CLOSE}"
ADDRESS = f"{OPEN}address{CLOSE}"

FIELDS = ("name", "address")
PLACEHOLDER = re.compile(f"{OPEN}([a-z:]+){CLOSE}")
DELIMITER = re.compile(f"[{OPEN}{CLOSE}]")

Substitutions = dict[str, str]
"""The value of each placeholder for one recipient, and their Message-ID."""


def substitute(text: str, values: Substitutions) -> str:
    """Replace every placeholder once; a value is not searched for placeholders in turn."""
    return PLACEHOLDER.sub(lambda found: values.get(found[1], ""), text)


def for_html(text: str) -> str:
    """Mark the placeholders of an HTML body, so that their values are escaped."""
    for field in FIELDS:
        text = text.replace(f"{OPEN}{field}{CLOSE}", f"{OPEN}{field}:html{CLOSE}")
    return text


def for_people(text: str) -> str:
    """Show the placeholders as {name} and {address}."""
    return DELIMITER.sub(
        lambda match: "{" if match[0] == OPEN else "}", text.replace(f":html{CLOSE}", CLOSE)
    )
