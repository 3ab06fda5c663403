"""Whether an actor may do something, asked in one place."""

from habitat.errors import NotAllowed
from habitat.members.policies.actors import Actor


def require(acting: Actor, permission: str) -> None:
    """Raises NotAllowed."""
    if not acting.may(permission):
        raise NotAllowed(permission=permission)


def require_own(acting: Actor, member_id: int, permission: str) -> None:
    """For what is a member's own affair: they may, and so may whoever holds `permission`. Raises NotAllowed."""
    if not acting.is_member(member_id):
        require(acting, permission)
