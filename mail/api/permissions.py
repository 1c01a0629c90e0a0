"""Permissions: who may steer a Message."""

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView


class MaySteer(BasePermission):
    """Pause, resume, cancel, resend: staff with the permission, and the sellers it is about.

    A Message comes here only when the user may see it. Whoever sees all by `mail.view_message`
    needs `mail.change_message` too, so that an auditor changes nothing. Everybody else sees it
    through an access rule, as its seller's staff, and may steer it: it is their announcement.
    """

    def has_object_permission(self, request: Request, view: APIView, obj: Any) -> bool:
        user: Any = request.user
        return user.has_perm("mail.change_message") or not user.has_perm("mail.view_message")
