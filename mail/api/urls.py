"""URLs of the mail API, for inclusion under /api/."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from mail.api.views import DeliveryList, MessageViewSet

router = SimpleRouter(use_regex_path=False)
router.register("messages", MessageViewSet, basename="message")

urlpatterns = [
    path("messages/<int:pk>/deliveries/", DeliveryList.as_view(), name="message-deliveries"),
    *router.urls,
]
