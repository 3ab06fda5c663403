"""Django finds this floor here."""

from typing import TYPE_CHECKING

from django.apps import AppConfig

if TYPE_CHECKING:
    from django.http import HttpRequest

    from habitat.members.policies.actors import Actor


def _actor_of_request(request: "HttpRequest") -> "Actor":
    """Looked up once a request: the back office asks for every button."""
    from habitat.members.reports.actors import actor_of

    known = getattr(request, "_habitat_actor", None)
    if known is None or known[0] != request.user.pk:
        known = (request.user.pk, actor_of(request.user))
        request._habitat_actor = known  # type: ignore[attr-defined]
    return known[1]


class MembersConfig(AppConfig):
    name = "habitat.members"
    label = "members"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from habitat.faces import navigation
        from habitat.faces.admin import use_actors
        from habitat.members.views.navigation import NAVIGATION

        use_actors(_actor_of_request)
        navigation.register(NAVIGATION)
