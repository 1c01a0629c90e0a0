"""Faults: what goes wrong for a mail is written in its address.

    bounce+550-5.1.1@…   refused at RCPT with that code and enhanced code, every time
    defer+451@…          answered that 4xx for the first 2 tries, then accepted
    defer+451-4.7.1+5@…  the same, for the first 5 tries
    slow+421@…           as defer; after a 421 the server also hangs up (RFC 5321 §3.8)
    drop@…               hangs up after the dot without a reply, the first time; the mail is lost
    drop+kept@…          the same, but the mail is kept: what came of it, nobody can know
    late+3@…             answers 3 seconds after the dot

Whatever stands after what a rule needs is free: `bounce+550-5.1.1+anna@…` is another mailbox.
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
    """Said at RCPT instead of 250."""
    hangs_up: bool = False
    """The connection is closed: after the reply at RCPT or, without one, after the dot."""
    keeps: bool = True
    """Whether a mail is kept although its sender gets no reply."""
    seconds: int = 0
    """How long the reply to the dot takes."""
    tries: int | None = None
    """How many first tries it strikes; None is every try."""

    def strikes(self, tried: int) -> bool:
        """Whether it strikes a try that `tried` others came before."""
        return self.tries is None or tried < self.tries


def of(address: str) -> Fault | None:
    """The fault that is written in an address, if there is one that makes sense."""
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
