"""What every verb on other people's money asks first: the permission, and a reason."""

from habitat.errors import NotAllowed, ReasonRequired
from habitat.members.policies.actors import Actor

REASON_LENGTH = 500


def require(acting: Actor, permission: str) -> None:
    """Raises NotAllowed unless the actor holds the permission."""
    if not acting.may(permission):
        raise NotAllowed(permission=permission)


def require_reason(reason: str) -> str:
    """The reason as it is recorded. Raises ReasonRequired when blank."""
    why = reason.strip()[:REASON_LENGTH]
    if not why:
        raise ReasonRequired(field="reason")
    return why
