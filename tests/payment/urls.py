"""The payment API where the project mounts it, and the two neighbours that it links to."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import include, path


def nothing(request: HttpRequest, pk: int) -> HttpResponse:
    return HttpResponse()


urlpatterns = [
    path("admin/", admin.site.urls),
    path("api/messages/<int:pk>/", nothing, name="message-detail"),
    path("api/", include("payment.api.urls")),
]
