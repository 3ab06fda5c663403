"""Two-person decisions: their states, their edges, and which permission each kind asks of the second person."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from habitat.controls.errors import ApprovalKindUnknown


class ApprovalState(StrEnum):
    REQUESTED = "requested"
    GRANTED = "granted"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


FIRST: Final = ApprovalState.REQUESTED
EDGES: Final[dict[ApprovalState, frozenset[ApprovalState]]] = {
    ApprovalState.REQUESTED: frozenset({ApprovalState.GRANTED, ApprovalState.REFUSED, ApprovalState.WITHDRAWN}),
    ApprovalState.GRANTED: frozenset(),
    ApprovalState.REFUSED: frozenset(),
    ApprovalState.WITHDRAWN: frozenset(),
}


@dataclass(frozen=True, slots=True)
class ApprovalKind:
    """`permission` is what the second person must hold; `title` says what is asked, for people."""

    kind: str
    permission: str
    title: str


_KINDS: dict[str, ApprovalKind] = {}


def register(kind: str, *, permission: str, title: str) -> ApprovalKind:
    """Declare a kind of decision. Declaring the same again is fine; another under the same name is a bug."""
    declared = ApprovalKind(kind=kind, permission=permission, title=title)
    if _KINDS.setdefault(kind, declared) != declared:
        message = f"the approval {kind} is declared twice"
        raise ValueError(message)
    return declared


def kind_of(kind: str) -> ApprovalKind:
    """Raises ApprovalKindUnknown."""
    try:
        return _KINDS[kind]
    except KeyError:
        raise ApprovalKindUnknown(kind=kind) from None
