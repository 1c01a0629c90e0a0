"""Moa's production settings, with the app that changes what is done about receipts."""

from moa.settings import *  # noqa: F403
from moa.settings import INSTALLED_APPS as OF_MOA

INSTALLED_APPS = [*OF_MOA, "bench.web"]
