"""Faults: the recipient's address determines what goes wrong with a mail.

    bounce+550-5.1.1@…   always refused at RCPT with that code and enhanced code
    defer+451@…          gets that 4xx at the first 2 attempts, then is accepted
    defer+451-4.7.1+5@…  the same, for the first 5 attempts
    slow+421@…           as defer; after a 421 the server also disconnects (RFC 5321 §3.8)
    drop@…               the first time, disconnects after the end of data and drops the mail
    drop+kept@…          the same, but the mail is kept: its sender cannot know
    late+3@…             replies 3 seconds after the end of data

Anything may follow what a rule needs: `bounce+550-5.1.1+anna@…` is another mailbox.
"""

import re
from dataclasses import dataclass

DEFAULT_TRIES = 2
DEFAULT_SECONDS = 3
LONGEST_SECONDS = 600
CODE = re.compile(r"^(?P<code>[45]\d\d)(-(?P<enhanced>[45]\.\d{1,3}\.\d{1,3}))?$")


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What goes wrong for one address."""

    reply: str = ""
    """The reply at RCPT instead of 250."""
    hangs_up: bool = False
    """Whether the server disconnects, after its reply at RCPT or after the end of data."""
    keeps: bool = True
    """Whether the mail is kept although its sender gets no reply."""
    seconds: int = 0
    """The delay of the reply to the end of data."""
    tries: int | None = None
    """How many attempts it affects; None is all."""

    def strikes(self, tried: int) -> bool:
        """Whether it affects an attempt after `tried` earlier ones."""
        return self.tries is None or tried < self.tries


def of(address: str) -> Fault | None:
    """The fault that an address names, or None if it names no valid one."""
    rule, *arguments = address.rpartition("@")[0].lower().split("+")
    if rule == "bounce":
        return _refused(arguments, "5", "550-5.1.1", "no such mailbox", tries=None)
    if rule in ("defer", "slow"):
        default = "451-4.7.1" if rule == "defer" else "421-4.7.0"
        tries = _whole(arguments[1:], DEFAULT_TRIES)
        return _refused(arguments, "4", default, "not now, try again later", tries=tries)
    if rule == "drop":
        return Fault(hangs_up=True, keeps="kept" in arguments[:1], tries=1)
    if rule == "late":
        return Fault(seconds=min(_whole(arguments, DEFAULT_SECONDS), LONGEST_SECONDS))
    return None


def _refused(
    arguments: list[str], first_digit: str, default: str, says: str, *, tries: int | None
) -> Fault | None:
    found = CODE.match(arguments[0] if arguments else default)
    if not found or not found["code"].startswith(first_digit):
        return None
    codes = " ".join(filter(None, (found["code"], found["enhanced"])))
    return Fault(reply=f"{codes} {says}", hangs_up=found["code"] == "421", tries=tries)


def _whole(arguments: list[str], default: int) -> int:
    return int(arguments[0]) if arguments and arguments[0].isdecimal() else default
