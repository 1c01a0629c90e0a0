"""Plainer names in Python; the columns keep theirs, so old and new processes run side by side."""

from django.db import migrations, models

RENAMED = [
    ("message", "turning", "flags_pending"),
    ("message", "folded", "duplicates"),
    ("batch", "recalled", "flags_changed"),
    ("delivery", "parked", "paused"),
]


class Migration(migrations.Migration):
    dependencies = [("mail", "0006_batch_constraint")]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RemoveIndex("message", "mail_message_turning"),
                migrations.RemoveIndex("delivery", "mail_delivery_due"),
                migrations.RemoveIndex("delivery", "mail_delivery_parked"),
                *(migrations.RenameField(*names) for names in RENAMED),
                migrations.AlterField(
                    "message",
                    "flags_pending",
                    models.BooleanField(
                        db_column="turning",
                        default=False,
                        help_text="Rows do not agree yet with a pause, resume or cancel.",
                    ),
                ),
                migrations.AlterField(
                    "message",
                    "duplicates",
                    models.PositiveIntegerField(
                        db_column="folded", default=0, verbose_name="repeated addresses"
                    ),
                ),
                migrations.AlterField(
                    "batch",
                    "flags_changed",
                    models.BooleanField(db_column="recalled", default=False),
                ),
                migrations.AlterField(
                    "batch",
                    "begun",
                    models.BooleanField(default=False, verbose_name="end of data due"),
                ),
                migrations.AlterField(
                    "delivery",
                    "paused",
                    models.BooleanField(db_column="parked", db_default=False, default=False),
                ),
                migrations.AddIndex(
                    "message",
                    models.Index(
                        condition=models.Q(("flags_pending", True)),
                        fields=["id"],
                        name="mail_message_turning",
                    ),
                ),
                migrations.AddIndex(
                    "delivery",
                    models.Index(
                        condition=models.Q(
                            ("batch", None), ("paused", False), ("state", "queued")
                        ),
                        fields=["lane", "due_at", "id"],
                        name="mail_delivery_due",
                    ),
                ),
                migrations.AddIndex(
                    "delivery",
                    models.Index(
                        condition=models.Q(("paused", True)),
                        fields=["message", "id"],
                        name="mail_delivery_parked",
                    ),
                ),
            ]
        )
    ]
