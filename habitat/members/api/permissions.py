"""Who a door is for: a person who signed in, not a service."""

from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from habitat.members.models import User


class IsPerson(BasePermission):
    """A signed-in user. A service key has no membership and is refused."""

    message = "This is for people who signed in; a service key has no membership."

    def has_permission(self, request: Request, view: APIView) -> bool:
        return isinstance(request.user, User)
