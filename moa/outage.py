"""Outage: what a request is told while the database is away: 503, and when to come back."""

import sys

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.utils.log import log_response
from django.utils.translation import gettext as _
from psycopg.errors import ReadOnlySqlTransaction

from moa import api

SERVICE_UNAVAILABLE = 503
COME_BACK_AFTER = 5  # seconds

PAGE = """<!doctype html>
<html lang="{language}"><meta charset="utf-8"><title>{title}</title>
<h1>{title}</h1>
<p>{text}</p>
"""


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's handler500: 503 while the database is away, what `moa.api` says otherwise.

    It is a warning in the log, without a traceback; one per request would tell nobody more.
    """
    error = sys.exception()
    if error is None or not is_away(error):
        return api.server_error(request)
    response = _answer(request)
    response["Retry-After"] = str(COME_BACK_AFTER)
    reason = str(error).partition("\n")[0]
    log_response(
        "The database is away: %s: %s",
        *(request.path, reason),
        response=response,
        request=request,
        level="warning",
    )
    return response


def is_away(error: BaseException) -> bool:
    """Whether the database could not be asked, or takes no writes, as a standby does not."""
    return isinstance(error, (OperationalError, InterfaceError)) or isinstance(
        error.__cause__, ReadOnlySqlTransaction
    )


def _answer(request: HttpRequest) -> HttpResponse:
    if api.is_api(request):
        return api.problem_response(
            SERVICE_UNAVAILABLE, "database_unavailable", "The database does not answer."
        )
    page = PAGE.format(
        language=getattr(request, "LANGUAGE_CODE", "ko"),
        title=_("The shop is away for a moment"),
        text=_("What you sent may not have been kept. Please try again in a few seconds."),
    )
    return HttpResponse(page, status=SERVICE_UNAVAILABLE)
