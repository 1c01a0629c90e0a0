from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CatcherConfig(AppConfig):
    name = "demo.catcher"
    label = "catcher"
    verbose_name = _("catcher")

    def ready(self) -> None:
        """Register the system check."""
        from demo.catcher import checks  # noqa: F401
