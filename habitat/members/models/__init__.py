"""What exists on this floor."""

from habitat.members.models.history import MemberHistory, RoleHistory, RoleHolding, UserHistory
from habitat.members.models.members import Member, MemberQuerySet
from habitat.members.models.users import User, UserManager

__all__ = [
    "Member",
    "MemberHistory",
    "MemberQuerySet",
    "RoleHistory",
    "RoleHolding",
    "User",
    "UserHistory",
    "UserManager",
]
