"""Moa's URLs, and the one under which a mail of the kind that holds is recorded."""

from django.urls import path

from chaos.shop.views import note
from moa.urls import urlpatterns as of_moa

urlpatterns = [*of_moa, path("chaos/notes/", note)]
