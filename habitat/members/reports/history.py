"""History as rows for people: when, who, why, and what changed from one version to the next."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db.models import Model, QuerySet

from habitat.members.models import Member, MemberHistory, RoleHistory, UserHistory

WORDS: Final = {
    "insert": "created",
    "update": "changed",
    "given": "role given",
    "taken": "role taken",
    "changed": "role changed",
}
# Nobody is a superuser (a constraint says so), so its column has nothing to tell.
UNTOLD: Final = frozenset({"id", "is_superuser"})


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """`changes` are (field, before, after) in words; `who` and `why` are empty where nobody said."""

    at: datetime
    what: str
    who: str
    why: str
    address: str
    changes: tuple[tuple[str, str, str], ...]


def of_member(member: Member) -> list[HistoryRow]:
    """Newest first: the membership, its sign-in and its roles."""
    rows = _versions(MemberHistory.objects.filter(pgh_obj=member))
    if member.user_id is not None:
        rows += _versions(UserHistory.objects.filter(pgh_obj_id=member.user_id))
        rows += _roles(RoleHistory.objects.filter(user_id=member.user_id).select_related("group"))
    return sorted(rows, key=lambda row: row.at, reverse=True)


def versions(events: QuerySet[Any]) -> list[HistoryRow]:
    """Newest first: the versions of one object."""
    return _versions(events)[::-1]


def _versions(events: QuerySet[Any]) -> list[HistoryRow]:
    before: Model | None = None
    rows = []
    for event in events.order_by("pgh_id"):
        rows.append(_row(event, WORDS.get(event.pgh_label, event.pgh_label), _changes(before, event)))
        before = event
    return rows


def _roles(events: Iterable[Any]) -> list[HistoryRow]:
    return [_row(event, WORDS[event.pgh_label], [("role", "", event.group.name)]) for event in events]


def _row(event: Any, what: str, changes: Sequence[tuple[str, str, str]]) -> HistoryRow:
    context = event.pgh_context or {}
    return HistoryRow(
        at=event.pgh_created_at,
        what=what,
        who=_who(context),
        why=context.get("reason", ""),
        address=context.get("url", ""),
        changes=tuple(changes),
    )


def _who(context: dict[str, Any]) -> str:
    if context.get("actor"):
        return f"{context.get('actor_name', '')} ({context['actor']})".strip()
    return f"sign-in {context['user']}" if context.get("user") else ""


def _changes(before: Model | None, after: Any) -> list[tuple[str, str, str]]:
    fields = [field for field in after._meta.concrete_fields if not field.name.startswith("pgh_")]
    found = []
    for field in fields:
        new = getattr(after, field.attname)
        old = getattr(before, field.attname) if before is not None else None
        if new != old and field.name not in UNTOLD:
            found.append((str(field.verbose_name), "" if old is None else str(old), "" if new is None else str(new)))
    return found
