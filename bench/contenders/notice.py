"""The mail that the peers send: Moa's own notice, rendered for each with Django templates."""

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from django.core.mail import EmailMultiAlternatives
from django.template import Context, Engine, Template

NOTICE: dict[str, Any] = json.loads(Path(os.environ["NOTICE"]).read_text())


class Recipient(NamedTuple):
    address: str
    name: str


ENGINE = Engine()


def template(part: str) -> Template:
    """A part of the notice as a Django template, compiled once."""
    source = NOTICE[part].replace("{name}", "{{ name }}").replace("{address}", "{{ address }}")
    return ENGINE.from_string(source)


TEXT, HTML = template("text"), template("html")


def recipients(count: int) -> Iterator[Recipient]:
    """That many recipients."""
    return (Recipient(f"reader{n}.1@example.com", f"구독자 {n}") for n in range(count))


def bodies(recipient: Recipient) -> tuple[str, str]:
    """Text and HTML for a recipient."""
    context = Context(recipient._asdict())
    return TEXT.render(context), HTML.render(context)


def mail(recipient: Recipient) -> EmailMultiAlternatives:
    """The mail as each of the Django projects builds it."""
    text, html = bodies(recipient)
    made = EmailMultiAlternatives(
        NOTICE["subject"], text, NOTICE["from_email"], [recipient.address]
    )
    made.attach_alternative(html, "text/html")
    return made


def orders(
    send: Callable[[int], dict[str, Any] | None],
) -> dict[str, Callable[..., dict[str, Any]]]:
    """The orders of a peer's sender: whether it is ready, and to send."""

    def timed(count: int) -> dict[str, Any]:
        began = time.monotonic()
        more = send(count) or {}
        return {"began": began, "returned": time.monotonic()} | more

    return {"ready": dict, "send": timed}
