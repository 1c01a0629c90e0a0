"""Validators of what ends up in mails that people trust."""

import re

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from mail.content.addresses import InvalidAddress, normalise
from mail.content.compose import ENCODED_WORD

# NUL and lone surrogates cannot be stored or sent; U+E000 and U+E001 would pass for placeholders.
UNSENDABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ue000\ue001]")
BREAKS = re.compile("[\t\n\r\u2028\u2029]")
# Unicode TR 9: characters that make text read in another order than it is written.
BIDI = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def text(value: str) -> None:
    """Accept multi-line text. Raises ValidationError for characters that no mail can carry."""
    if found := UNSENDABLE.search(value):
        raise ValidationError(
            _("The character U+%(code)s cannot be used here."),
            code="unsendable",
            params={"code": f"{ord(found[0]):04X}"},
        )


def line(value: str) -> None:
    """Accept a single line that reads in a mail as it is written. Raises ValidationError."""
    text(value)
    if BREAKS.search(value) or BIDI.search(value):
        raise ValidationError(
            _(
                "Write a single line, without line breaks or characters that change text direction."
            ),
            code="not_one_line",
        )
    if ENCODED_WORD.search(value):  # the name of a seller stands in the From field
        raise ValidationError(
            _("Text such as =?utf-8?q?…?= cannot be used here."), code="encoded_word"
        )


def address(value: str) -> None:
    """Accept an e-mail address that mail can reach. Raises ValidationError with the reason."""
    try:
        normalise(value)
    except InvalidAddress as error:
        raise ValidationError(str(error), code="address") from None
