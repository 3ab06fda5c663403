"""What members may be told about; each floor adds its own kinds when it is ready."""

from dataclasses import dataclass
from typing import Final

from habitat.notifications.errors import UnknownNotificationType
from habitat.notifications.policies.channels import Channel


@dataclass(frozen=True, slots=True)
class NotificationType:
    """One kind of notice. `default_channels` hold until the member chooses otherwise; `always` hold whatever the member
    chooses, and `why_always` tells them why."""

    code: str
    title: str
    default_channels: tuple[Channel, ...] = (Channel.IN_APP,)
    always: tuple[Channel, ...] = ()
    why_always: str = ""

    def goes_by(self, channel: Channel, chosen: bool | None) -> bool:
        """Whether a notice takes this channel; `chosen` is the member's own word, None where there is none."""
        if channel in self.always:
            return True
        return channel in self.default_channels if chosen is None else chosen


_types: Final[dict[str, NotificationType]] = {}


def register(*types: NotificationType) -> None:
    """Makes kinds known. The same code twice must be the same kind."""
    for kind in types:
        if _types.setdefault(kind.code, kind) != kind:
            raise ValueError(f"two notification types are called {kind.code}")


def types() -> list[NotificationType]:
    """Every kind, by title."""
    return sorted(_types.values(), key=lambda kind: kind.title)


def type_of(code: str) -> NotificationType:
    """Raises UnknownNotificationType."""
    try:
        return _types[code]
    except KeyError:
        raise UnknownNotificationType(type=code) from None
