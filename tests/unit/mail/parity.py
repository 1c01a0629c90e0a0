"""Two mails compared field by field and part by part."""

from email import message_from_bytes
from email.message import Message
from typing import Any

DIFFERS = {"message-id", "date"}  # made anew for each mail, unless the caller set them


def likeness(raw: bytes, *, ignore: set[str] = DIFFERS) -> dict[str, Any]:
    """All that two equal mails have in common: every header and every part, but no boundary."""
    return _part(message_from_bytes(raw), ignore)


def _part(part: Message, ignore: set[str]) -> dict[str, Any]:
    boundary = part.get_boundary()
    headers = [
        (name, _unfolded(value).replace(boundary, "BOUNDARY") if boundary else _unfolded(value))
        for name, value in part.items()
        if name.lower() not in ignore
    ]
    if part.is_multipart():
        payload: Any = [_part(inner, ignore) for inner in part.get_payload()]
    else:
        payload = part.get_payload(decode=True)
    return {
        "headers": sorted(headers),
        "preamble": part.preamble,
        "epilogue": part.epilogue,
        "payload": payload,
        "raw": None if part.is_multipart() else part.get_payload(),
    }


def _unfolded(value: str) -> str:
    return str(value).replace("\r\n", "").replace("\n", "")
