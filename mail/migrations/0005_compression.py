"""Contents are compressed by lz4 where PostgreSQL has it. Why: docs/architecture.md, "At scale"."""

from django.db import migrations

COLUMNS = ("mime", "text", "html")
HAS_LZ4 = "SELECT 'lz4' = ANY(enumvals) FROM pg_settings WHERE name = 'default_toast_compression'"


def compress(apps, schema_editor):
    _alter(schema_editor, "lz4")


def compress_as_before(apps, schema_editor):
    _alter(schema_editor, "default")


def _alter(schema_editor, method):
    if schema_editor.connection.vendor != "postgresql":
        return
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(HAS_LZ4)
        has_lz4 = cursor.fetchone()
    if has_lz4 and has_lz4[0]:
        said = ", ".join(f"ALTER {column} SET COMPRESSION {method}" for column in COLUMNS)
        schema_editor.execute(f"ALTER TABLE mail_message {said}")


class Migration(migrations.Migration):
    dependencies = [("mail", "0004_pause_reason")]

    operations = [migrations.RunPython(compress, compress_as_before)]
