"""Who acts: a member, a service key or the house itself. Every action is told, and every record keeps it."""

from dataclasses import dataclass, field
from enum import StrEnum


class ActorKind(StrEnum):
    MEMBER = "member"
    SERVICE = "service"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Actor:
    """`id` is the member's or the key's; the system has 0. `permissions` are Django's `app.codename` strings."""

    kind: ActorKind
    id: int
    name: str
    permissions: frozenset[str] = field(default_factory=frozenset)

    @property
    def label(self) -> str:
        """As stored on records: `member:12`, `service:3`, `system:0`."""
        return f"{self.kind.value}:{self.id}"

    def may(self, permission: str) -> bool:
        """True for the system, and for whoever holds the permission."""
        return self.kind is ActorKind.SYSTEM or permission in self.permissions

    def is_member(self, member_id: int) -> bool:
        return self.kind is ActorKind.MEMBER and self.id == member_id


SYSTEM = Actor(kind=ActorKind.SYSTEM, id=0, name="Habitat")
