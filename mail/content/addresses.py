"""E-mail addresses, in the one form that is stored, compared and put into envelopes."""

import re

from email_validator import EmailNotValidError, validate_email

# Routing of the 1980s inside a local part, which relays may still obey: a%b@c, a!b@c.
ROUTED = re.compile(r"[%!]")


class InvalidAddress(ValueError):
    """The address cannot be delivered to; the text says why."""


def normalise(address: str) -> str:
    """The address with its domain lowered and IDNA-encoded (RFC 5321 §4.1.2, RFC 5890).

    Raises InvalidAddress for anything but one plain `local@domain.tld`: display forms, quoted or
    non-ASCII local parts (no SMTPUTF8), literals, single-label domains, over-long parts.
    """
    stripped = address.strip()
    try:
        found = validate_email(
            stripped,
            check_deliverability=False,
            allow_smtputf8=False,
            test_environment=True,
            strict=True,
        )
    except EmailNotValidError as error:
        raise InvalidAddress(f"{stripped[:80]!r}: {error}") from None
    if ROUTED.search(found.local_part) or "." not in found.ascii_domain:
        raise InvalidAddress(f"{stripped[:80]!r}: not an address that mail can be routed to.")
    return f"{found.local_part}@{found.ascii_domain.lower()}"
