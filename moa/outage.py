"""Outage: while the database is unavailable, requests get a 503 with Retry-After."""

import sys

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.utils.log import log_response
from django.utils.translation import gettext as _
from psycopg.errors import ReadOnlySqlTransaction

from moa import api

SERVICE_UNAVAILABLE = 503
RETRY_AFTER = 5  # seconds

PAGE = """<!doctype html>
<html lang="{language}"><meta charset="utf-8"><title>{title}</title>
<h1>{title}</h1>
<p>{text}</p>
"""


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's handler500: 503 while the database is unavailable, otherwise that of `moa.api`.

    The log gets a warning without a traceback, which would be the same for every request.
    """
    error = sys.exception()
    if error is None or not is_unavailable(error):
        return api.server_error(request)
    response = _response(request)
    response["Retry-After"] = str(RETRY_AFTER)
    reason = str(error).partition("\n")[0]
    log_response(
        "The database is unavailable: %s: %s",
        *(request.path, reason),
        response=response,
        request=request,
        level="warning",
    )
    return response


def is_unavailable(error: BaseException) -> bool:
    """Whether the database could not be reached, or is read-only, as a standby is."""
    return isinstance(error, (OperationalError, InterfaceError)) or isinstance(
        error.__cause__, ReadOnlySqlTransaction
    )


def _response(request: HttpRequest) -> HttpResponse:
    if api.is_api(request):
        return api.problem_response(
            SERVICE_UNAVAILABLE, "database_unavailable", "The database does not respond."
        )
    page = PAGE.format(
        language=getattr(request, "LANGUAGE_CODE", "ko"),
        title=_("Temporarily unavailable"),
        text=_("Your request may not have been saved. Please try again in a few seconds."),
    )
    return HttpResponse(page, status=SERVICE_UNAVAILABLE)
