"""Replies: what an SMTP server said, and at which step of the dialogue (RFC 5321 §4.2)."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Self


class Phase(StrEnum):
    """The step of the SMTP dialogue at which a reply came, or failed to come."""

    CONNECT = "connect"
    EHLO = "ehlo"
    STARTTLS = "starttls"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    CONTENT = "content"  # while the content is written
    DOT = "dot"  # from the end of data on


SESSION_PHASES = {Phase.CONNECT, Phase.EHLO, Phase.STARTTLS, Phase.AUTH, Phase.MAIL}
"""The steps before a recipient is named: what fails there says nothing about one."""

ENHANCED = re.compile(r"^([245]\.\d{1,3}\.\d{1,3})(?:\s+|$)")


@dataclass(frozen=True, kw_only=True)
class Reply:
    """A reply of the server; without a `code` there was none, and `text` says what happened."""

    phase: Phase
    code: int | None = None
    enhanced: str = ""
    text: str = ""
    host: str = ""

    @classmethod
    def parse(cls, phase: Phase, code: int | None, text: str, *, host: str) -> Self:
        """A reply from its code and text; an enhanced code (RFC 3463) in front is split off.

        NUL, which PostgreSQL cannot store, is removed; a code that is not positive becomes None.
        """
        said = text.replace("\0", "")
        match = ENHANCED.match(said)
        return cls(
            phase=phase,
            code=code if code and code > 0 else None,
            enhanced=match[1] if match else "",
            text=said[match.end() :] if match else said,
            host=host,
        )

    def __str__(self) -> str:
        parts = (str(self.phase), str(self.code or ""), self.enhanced, self.text)
        return " ".join(filter(None, parts))

    @property
    def is_plain_acceptance(self) -> bool:
        """Whether it accepts the mail with a 250, the reply that RFC 5321 §4.3.2 names."""
        return self.phase is Phase.DOT and self.code == 250

    @property
    def columns(self) -> dict[str, str]:
        """The columns of a Delivery or an Attempt that store it."""
        return {
            "code": str(self.code or ""),
            "enhanced": self.enhanced,
            "reply": self.text,
            "host": self.host,
        }

    @property
    def is_loss(self) -> bool:
        """Whether the connection was lost, or timed out, in the middle of a mail."""
        return self.code is None and self.phase not in SESSION_PHASES
