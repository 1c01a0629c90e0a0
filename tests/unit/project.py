"""The project's folder and its own apps, for tests of its structure."""

from pathlib import Path

from django.apps import AppConfig, apps

PROJECT = Path(__file__).resolve().parents[2]


def own_apps() -> list[AppConfig]:
    """The project's own apps, as INSTALLED_APPS orders them: from the top of the layers down."""
    return [
        app
        for app in apps.get_app_configs()
        if Path(app.path).is_relative_to(PROJECT) and "site-packages" not in app.path
    ]
