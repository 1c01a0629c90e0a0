"""The mail app: its configuration, and the rows that always exist."""

from typing import Any

from django.apps import AppConfig
from django.db import DEFAULT_DB_ALIAS
from django.db.models.signals import post_migrate
from django.utils.module_loading import autodiscover_modules
from django.utils.translation import gettext_lazy as _


class MailConfig(AppConfig):
    name = "mail"
    verbose_name = _("mail")

    def ready(self) -> None:
        """Register the system checks, and import what each app declares in these modules."""
        from mail import checks  # noqa: F401

        autodiscover_modules("mails", "audiences", "access", "problems")
        post_migrate.connect(create_fixed_rows, sender=self)


def create_fixed_rows(using: str = DEFAULT_DB_ALIAS, **_: Any) -> None:
    """Create the Transport row of each lane and the one RelayLease row."""
    from mail.models import Lane, RelayLease, Transport

    for lane in Lane:
        Transport.objects.using(using).get_or_create(lane=lane)
    RelayLease.objects.using(using).get_or_create(pk=1)
