"""Moa's production settings, with one more app: a kind that holds, and its view."""

from moa.settings import *  # noqa: F403
from moa.settings import INSTALLED_APPS as OF_MOA

INSTALLED_APPS = [*OF_MOA, "chaos.shop"]
ROOT_URLCONF = "chaos.shop.urls"
