from django.db import migrations

# SQLite has no trigger on deletion: Django empties the tables of its test database by DELETE.
CREATE = {
    "postgresql": """
        CREATE FUNCTION seller_terms_immutable() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'published terms are immutable' USING ERRCODE = 'restrict_violation';
        END $$;
        CREATE TRIGGER seller_terms_immutable BEFORE UPDATE OR DELETE ON seller_terms
            FOR EACH ROW WHEN (OLD.published_at IS NOT NULL)
            EXECUTE FUNCTION seller_terms_immutable()
    """,
    "sqlite": """
        CREATE TRIGGER seller_terms_immutable BEFORE UPDATE ON seller_terms
            WHEN OLD.published_at IS NOT NULL
            BEGIN SELECT RAISE(ABORT, 'published terms are immutable'); END
    """,
}
DROP = {
    "postgresql": "DROP TRIGGER seller_terms_immutable ON seller_terms; DROP FUNCTION seller_terms_immutable()",
    "sqlite": "DROP TRIGGER seller_terms_immutable",
}


def run(statements):
    def operation(apps, schema_editor):
        statement = statements[schema_editor.connection.vendor]
        with schema_editor.connection.cursor() as cursor:
            cursor.execute(statement)

    return operation


class Migration(migrations.Migration):

    dependencies = [("seller", "0001_initial")]

    operations = [migrations.RunPython(run(CREATE), run(DROP))]
