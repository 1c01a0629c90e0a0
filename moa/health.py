"""Health: the probes for load balancers and orchestrators."""

from functools import cache

from django.db import Error, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from moa.api import problem_response

SERVICE_UNAVAILABLE = 503


@never_cache
@require_safe
def livez(request: HttpRequest) -> HttpResponse:
    """Whether the process responds at all; checks nothing else."""
    return HttpResponse("alive\n", content_type="text/plain")


@never_cache
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """Whether the shop can serve: the database responds and has every migration.

    Neither the broker nor the SMTP server is checked, because requests need neither.
    """
    try:
        applied = MigrationRecorder(connection).applied_migrations()
    except Error:
        return problem_response(
            SERVICE_UNAVAILABLE, "database_unavailable", "The database does not respond."
        )
    missing = sorted(_newest_migrations() - set(applied))
    if missing:
        names = ", ".join(f"{app}.{name}" for app, name in missing)
        return problem_response(
            SERVICE_UNAVAILABLE, "migrations_missing", f"Migrations are not applied: {names}."
        )
    return HttpResponse("ready\n", content_type="text/plain")


@cache
def _newest_migrations() -> frozenset[tuple[str, str]]:
    return frozenset(MigrationLoader(None).graph.leaf_nodes())
