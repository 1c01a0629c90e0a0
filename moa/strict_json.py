"""Strict JSON: UTF-8 of bounded depth, with only what the database and a mail can store."""

import json
import math
from typing import IO, Any

from rest_framework import exceptions, parsers

DEEPEST = 50


class JSONParser(parsers.JSONParser):
    """DRF's JSON parser, hardened: a malicious request gets a 400, never a 500."""

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Any = None,
    ) -> Any:
        """The data of a request. Raises ParseError with a `code` for what is wrong."""
        try:
            data = json.loads(stream.read().decode(), parse_constant=_refuse_constant)
        except RecursionError:
            raise _too_deep() from None
        except ValueError as error:
            raise _refused("parse_error", f"JSON parse error: {error}") from None
        _check(data)
        return data


def _check(data: Any) -> None:
    """Refuse depth beyond DEEPEST, NUL and lone surrogates in strings, and infinite numbers."""
    waiting = [(data, 1)]
    while waiting:
        value, depth = waiting.pop()
        if isinstance(value, str):
            _check_text(value)
        elif isinstance(value, float) and not math.isfinite(value):
            raise _refused("number_too_large", "A number is too large.")
        elif isinstance(value, dict | list):
            if depth > DEEPEST:
                raise _too_deep()
            inside = [*value, *value.values()] if isinstance(value, dict) else value
            waiting.extend((item, depth + 1) for item in inside)


def _check_text(text: str) -> None:
    if "\0" in text:
        raise _refused("null_character", "A string contains a NUL character.")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _refused("lone_surrogate", "A string contains half of a surrogate pair.") from None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not valid JSON")


def _too_deep() -> exceptions.ParseError:
    return _refused("json_too_deep", f"The JSON is nested deeper than {DEEPEST} levels.")


def _refused(code: str, detail: str) -> exceptions.ParseError:
    return exceptions.ParseError(detail, code=code)
