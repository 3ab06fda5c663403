"""What exists on this floor."""

from habitat.members.models.members import Member, MemberQuerySet
from habitat.members.models.users import User, UserManager

__all__ = ["Member", "MemberQuerySet", "User", "UserManager"]
