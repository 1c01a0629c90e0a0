"""How PostgreSQL stores the tables that mail changes most. Why: docs/architecture.md, "At scale"."""

from django.db import migrations
from django.db.models import F

SETTINGS = {
    "mail_batch": {
        "autovacuum_vacuum_threshold": 1000,
        "autovacuum_vacuum_scale_factor": 0.01,
    },
    "mail_message": {
        "fillfactor": 85,
        "autovacuum_vacuum_threshold": 1000,
        "autovacuum_vacuum_scale_factor": 0.02,
    },
    "mail_delivery": {
        "autovacuum_vacuum_threshold": 20_000,
        "autovacuum_vacuum_scale_factor": 0.01,
        "autovacuum_vacuum_insert_scale_factor": 0.02,
        "autovacuum_analyze_scale_factor": 0.02,
    },
}


def store(apps, schema_editor):
    for table, settings in SETTINGS.items():
        said = ", ".join(f"{name} = {value}" for name, value in settings.items())
        _alter(schema_editor, f"ALTER TABLE {table} SET ({said})")


def store_as_before(apps, schema_editor):
    for table, settings in SETTINGS.items():
        _alter(schema_editor, f"ALTER TABLE {table} RESET ({', '.join(settings)})")


def _alter(schema_editor, statement):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(statement)


def date_erasures(apps, schema_editor):
    kept = apps.get_model("mail", "Message").objects.filter(keep_for__isnull=False, erase_at=None)
    kept.update(erase_at=F("created_at") + F("keep_for"))


class Migration(migrations.Migration):
    dependencies = [("mail", "0002_scale")]

    operations = [
        migrations.RunPython(store, store_as_before),
        migrations.RunPython(date_erasures, migrations.RunPython.noop),
    ]
