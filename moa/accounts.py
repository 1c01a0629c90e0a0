"""Accounts: the API's tokens, and the password reset of the admin, whose mail is a secret."""

from typing import Any

from django.contrib import admin
from django.contrib.auth import forms, views
from django.urls import URLPattern, path
from django.utils.functional import lazystr
from drf_spectacular.contrib.knox_auth_token import KnoxTokenScheme
from drf_spectacular.utils import extend_schema
from knox.views import LoginView as KnoxLoginView
from knox.views import LogoutView as KnoxLogoutView
from rest_framework import serializers
from rest_framework.authentication import BasicAuthentication

from mail import kinds
from mail.backends import sending_as
from moa.tokens import TokenAuthentication


class TokenScheme(KnoxTokenScheme):  # type: ignore[no-untyped-call]
    """How the schema describes `moa.tokens`."""

    target_class = "moa.tokens.TokenAuthentication"


class TokenSerializer(serializers.Serializer[dict[str, str]]):
    """The response of a login; the token is shown only once."""

    token = serializers.CharField()
    expiry = serializers.DateTimeField(allow_null=True)


@extend_schema(request=None, responses=TokenSerializer)
class LoginView(KnoxLoginView):  # type: ignore[misc]
    """Exchange name and password (HTTP Basic) for a token: `Authorization: Token …`."""

    authentication_classes = [BasicAuthentication]


@extend_schema(request=None, responses={204: None})
class LogoutView(KnoxLogoutView):  # type: ignore[misc]
    """Revoke the token of this request."""

    authentication_classes = [TokenAuthentication]


class PasswordResetForm(forms.PasswordResetForm):
    """Django's form; the content of its mail is erased from the outbox once it is sent."""

    def send_mail(self, *args: Any, **kwargs: Any) -> None:
        with sending_as(kinds.SECRET):
            super().send_mail(*args, **kwargs)


def password_reset_urls() -> list[URLPattern]:
    """The four steps, under the names that make the admin's login page show the link."""
    dress = {"extra_context": {"site_header": lazystr(admin.site.site_header)}}
    reset = views.PasswordResetView.as_view(form_class=PasswordResetForm, **dress)
    done = views.PasswordResetDoneView.as_view(**dress)
    confirm = views.PasswordResetConfirmView.as_view(**dress)
    complete = views.PasswordResetCompleteView.as_view(**dress)
    return [
        path("admin/password_reset/", reset, name="admin_password_reset"),
        path("admin/password_reset/done/", done, name="password_reset_done"),
        path("admin/password_reset/<uidb64>/<token>/", confirm, name="password_reset_confirm"),
        path("admin/password_reset/complete/", complete, name="password_reset_complete"),
    ]
