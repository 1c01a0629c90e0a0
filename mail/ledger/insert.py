"""Once: insert a row unless a unique constraint finds that it is there already.

Django's `get_or_create` takes a SELECT and a savepoint beside the INSERT, and its `bulk_create`
with `ignore_conflicts` does not tell whether it inserted. This is one statement.
"""

from django.db import connection
from django.db.models import Model
from django.db.models.constants import OnConflict
from django.db.models.sql import InsertQuery


def insert(row: Model) -> bool:
    """Insert a new row, unless a unique constraint forbids it; return whether it was inserted.

    Whoever comes second waits for the transaction of the first. As after `save`, the row has its
    key and what else the database filled in. SQLite passes over a row that breaks any constraint.
    """
    meta = row._meta
    query = InsertQuery(type(row), on_conflict=OnConflict.IGNORE)
    query.insert_values([field for field in meta.concrete_fields if field != meta.pk], [row])
    compiler = query.get_compiler(connection=connection)
    compiler.returning_fields = meta.db_returning_fields
    ((statement, params),) = compiler.as_sql()
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        returned = cursor.fetchone()
    if returned is None:
        return False
    columns = [field.get_col(meta.db_table) for field in meta.db_returning_fields]
    (values,) = compiler.apply_converters([returned], compiler.get_converters(columns))
    for field, value in zip(meta.db_returning_fields, values, strict=True):
        setattr(row, field.attname, value)
    row._state.adding, row._state.db = False, connection.alias
    return True
