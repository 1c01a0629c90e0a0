"""URLs of the payment API, for inclusion under /api/."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from payment.api.views import PaymentViewSet
from payment.api.webhooks import WebhookView

router = SimpleRouter(use_regex_path=False)
router.register("payments", PaymentViewSet, basename="payment")

urlpatterns = [
    path("payments/webhooks/<str:provider>/", WebhookView.as_view(), name="payment-webhook"),
    *router.urls,
]
