"""Services prove who they are with a key in the Authorization header."""

from collections.abc import Iterable
from typing import Any, ClassVar

from django.utils import timezone
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from habitat.controls.actions.service_keys import note_use, use_is_due
from habitat.controls.models import ServiceKey
from habitat.controls.reports.service_keys import Verdict, judge


class KeyUnknown(AuthenticationFailed):
    default_code = "service_key_unknown"
    default_detail = "This is not a service key of this house. Check that it was copied whole."


class KeyExpired(AuthenticationFailed):
    default_code = "service_key_expired"
    default_detail = "This service key has expired. Ask an administrator for a new one."


class KeyRevoked(AuthenticationFailed):
    default_code = "service_key_revoked"
    default_detail = "This service key was revoked. Ask an administrator for a new one."


REFUSALS: dict[Verdict, type[AuthenticationFailed]] = {
    Verdict.UNKNOWN: KeyUnknown,
    Verdict.EXPIRED: KeyExpired,
    Verdict.REVOKED: KeyRevoked,
}


class ServiceUser:
    """Stands where a user would: signed in, with no membership and no permission. What counts is `request.auth`."""

    pk: ClassVar[None] = None
    id: ClassVar[None] = None
    is_authenticated: ClassVar[bool] = True
    is_anonymous: ClassVar[bool] = False
    is_active: ClassVar[bool] = True
    is_staff: ClassVar[bool] = False
    is_superuser: ClassVar[bool] = False

    def __init__(self, key: ServiceKey) -> None:
        self.key = key

    def __str__(self) -> str:
        return self.key.name

    def has_perm(self, perm: str, obj: object = None) -> bool:
        return False

    def has_perms(self, perm_list: Iterable[str], obj: object = None) -> bool:
        return False

    def has_module_perms(self, app_label: str) -> bool:
        return False

    def get_all_permissions(self, obj: object = None) -> set[str]:
        return set()


class ServiceKeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer hbt_<prefix>_<secret>`. Another scheme is left to the next in line."""

    def authenticate(self, request: Request) -> tuple[Any, ServiceKey] | None:
        scheme, _, token = get_authorization_header(request).partition(b" ")
        if scheme.lower() != b"bearer":
            return None
        now = timezone.now()
        verdict, key = judge(token.decode("latin-1").strip(), at=now)
        if verdict is not Verdict.LIVE or key is None:
            raise REFUSALS[verdict]
        if use_is_due(key, now):
            note_use(key=key, at=now)
        return ServiceUser(key), key

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="Habitat"'
