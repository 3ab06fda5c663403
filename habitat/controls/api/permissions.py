"""What a service key must carry to pass a door."""

from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from habitat.controls.errors import KeyRequired, MissingScope
from habitat.controls.models import ServiceKey


def has_scope(scope: str) -> type[BasePermission]:
    """A permission class: only keys with `scope`. Nobody at all gets 401, a person or another key 403."""

    class HasScope(BasePermission):
        """Raises MissingScope or KeyRequired, so that the answer names the scope."""

        def has_permission(self, request: Request, view: APIView) -> bool:
            if isinstance(request.auth, ServiceKey):
                if not request.auth.opens(scope):
                    raise MissingScope(scope=scope)
                return True
            if request.user.is_authenticated:
                raise KeyRequired(scope=scope)
            return False

    HasScope.__qualname__ = f"HasScope[{scope}]"
    return HasScope
