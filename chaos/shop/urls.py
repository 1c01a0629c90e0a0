"""Moa's URLs, and the one under which a mail of the kind that holds is recorded."""

from django.urls import path

from chaos.shop.views import note
from moa.urls import handler400, handler404, handler500
from moa.urls import urlpatterns as of_moa

__all__ = ["handler400", "handler404", "handler500", "urlpatterns"]

urlpatterns = [*of_moa, path("chaos/notes/", note)]
