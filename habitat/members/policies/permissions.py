"""Whether an actor may do something, asked in one place."""

from habitat.errors import NotAllowed
from habitat.members.policies.actors import Actor


def require(acting: Actor, permission: str) -> None:
    """Raises NotAllowed."""
    if not acting.may(permission):
        raise NotAllowed(permission=permission)
