"""URLs: the admin, the API, and the endpoints for monitoring."""

from django.contrib import admin
from django.urls import include, path, re_path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

from moa import accounts, api, health, metrics

admin.site.site_header = admin.site.site_title = "모아 구독"
admin.site.site_url = None
admin.site.enable_nav_sidebar = False

api_urls = [
    path("", include("mail.api.urls")),
    path("", include("seller.api.urls")),
    path("", include("payment.api.urls")),
    path("auth/login/", accounts.LoginView.as_view(), name="login"),
    path("auth/logout/", accounts.LogoutView.as_view(), name="logout"),
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path("docs/", SpectacularSwaggerView.as_view(url_name="schema"), name="docs"),
    re_path("", api.nothing_here),
]

urlpatterns = [
    *accounts.password_reset_urls(),
    path("admin/", admin.site.urls),
    path("api/", include(api_urls)),
    path("", include("seller.urls")),
    path("livez", health.livez, name="livez"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", metrics.metrics, name="metrics"),
]

handler400 = "moa.api.bad_request"
handler404 = "moa.api.not_found"
handler500 = "moa.outage.server_error"
