"""Permissions: who may steer a Message."""

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from mail.operations import access


class MaySteer(BasePermission):
    """May pause, resume, cancel and resend; the view has already checked that they may see it."""

    def has_object_permission(self, request: Request, view: APIView, obj: Any) -> bool:
        return access.may_steer(request.user)
