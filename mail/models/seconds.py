"""Seconds: a duration as a number, which is read much faster than a time or an interval."""

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import FloatField, Func
from django.db.models.sql.compiler import SQLCompiler


class Seconds(Func):
    """`Seconds(F("expires_at") - F("due_at"))`."""

    arity = 1
    output_field = FloatField()
    template = "%(expressions)s / 1000000.0"  # SQLite: Django counts durations in microseconds

    def as_postgresql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any
    ) -> tuple[str, Any]:
        template = "extract(epoch FROM %(expressions)s)::double precision"
        return super().as_sql(compiler, connection, template=template, **context)
