"""The seller app: sellers, products, terms, subscriptions."""

from typing import Any

from django.apps import AppConfig
from django.db import DEFAULT_DB_ALIAS
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class SellerConfig(AppConfig):
    name = "seller"
    verbose_name = _("seller")

    def ready(self) -> None:
        post_migrate.connect(create_notice_periods, sender=self)


def create_notice_periods(using: str = DEFAULT_DB_ALIAS, **_: Any) -> None:
    """Create the notice period of each kind of change, unless it exists."""
    from seller.models import NoticePeriod
    from seller.models.notice_period import SEEDS

    for change, days in SEEDS.items():
        NoticePeriod.objects.using(using).get_or_create(change=change, defaults={"days": days})
