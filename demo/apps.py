"""The demo app: its commands, `up` and `sample_data`."""

from django.apps import AppConfig


class DemoConfig(AppConfig):
    name = "demo"
