"""Conventions of the HTTP API: the format of errors and the paging of lists.

An error is `application/problem+json` (RFC 9457) with a stable `code` and, per field, an entry in
`errors` whose `path` points into the request, such as `params.0.name`.
"""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.core.exceptions import ValidationError as DjangoValidationError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views import defaults
from rest_framework import exceptions, pagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import as_serializer_error
from rest_framework.views import exception_handler

from mail import problems

PROBLEM = "application/problem+json"

problems.declare(RequestDataTooBig, status=413, code="too_large")
problems.declare(SuspiciousOperation, status=400, code="bad_request")


def problem(exc: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler: an error of DRF, Django or the domain as a problem.

    None for any other error, which is a fault of the server and left to Django.
    """
    response = exception_handler(_as_api_exception(exc), context)
    if response is None:
        return None
    summary = response.data.get("detail") if isinstance(response.data, dict) else None
    if isinstance(summary, exceptions.ErrorDetail):
        response.data = _body(response.status_code, str(summary.code), str(summary))
    else:
        errors = list(_flatten(response.data))
        response.data = _body(response.status_code, "invalid", "Values are invalid.", errors)
    response.content_type = PROBLEM
    return response


def _as_api_exception(exc: Exception) -> Exception:
    """The equivalent DRF error, if there is one."""
    if isinstance(exc, DjangoValidationError):
        return exceptions.ValidationError(as_serializer_error(exc))
    declared = problems.describe(exc)
    if declared is None:
        return exc
    if declared.field:
        leaf = exceptions.ErrorDetail(declared.detail, code=declared.code)
        return exceptions.ValidationError({declared.field: [leaf]})
    translated = exceptions.APIException(declared.detail or None, code=declared.code)
    translated.status_code = declared.status
    return translated


def _flatten(data: Any, path: tuple[str, ...] = ()) -> Iterator[dict[str, str]]:
    """The leaves of DRF's nested error details, each with the path that leads to it."""
    if isinstance(data, dict):
        for key, value in data.items():
            yield from _flatten(value, path if key == "non_field_errors" else (*path, str(key)))
    elif isinstance(data, list):
        for number, value in enumerate(data):
            nested = isinstance(value, dict | list)
            yield from _flatten(value, (*path, str(number)) if nested else path)
    else:
        code = getattr(data, "code", "invalid")
        yield {"code": str(code), "detail": str(data), "path": ".".join(path)}


def _body(
    status: int, code: str, detail: str, errors: list[dict[str, str]] | None = None
) -> dict[str, Any]:
    return {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": int(status),
        "code": code,
        "detail": detail,
        "errors": errors or [],
    }


def problem_response(status: int, code: str, detail: str) -> JsonResponse:
    """A problem from a view that is not DRF's."""
    return JsonResponse(_body(status, code, detail), status=status, content_type=PROBLEM)


def nothing_here(request: HttpRequest) -> HttpResponse:
    """Any path under /api/ that is no route."""
    return problem_response(404, "not_found", "No such resource. Paths end with a slash.")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler400, a problem under /api/."""
    if not is_api(request):
        return defaults.bad_request(request, exception)
    return problem_response(400, "bad_request", "The request cannot be processed.")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler404, a problem under /api/."""
    return (
        nothing_here(request) if is_api(request) else defaults.page_not_found(request, exception)
    )


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's handler500 except for outages of the database, a problem under /api/."""
    if not is_api(request):
        return defaults.server_error(request)
    return problem_response(
        500, "server_error", "Internal server error. The operators have been notified."
    )


def is_api(request: HttpRequest) -> bool:
    """Whether the client is a program, which expects a problem and not a page."""
    return request.path_info.startswith("/api/")


class KeysetPagination(pagination.CursorPagination):
    """Pages by primary key, newest first: page ten thousand costs no more than page one."""

    ordering = "-pk"
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 500

    def decode_cursor(self, request: Request) -> pagination.Cursor | None:
        """The cursor of the request; raises NotFound for one that this API did not issue."""
        cursor = super().decode_cursor(request)
        if cursor and cursor.position is not None and not str(cursor.position).isdecimal():
            raise exceptions.NotFound(self.invalid_cursor_message)
        return cursor
