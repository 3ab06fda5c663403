"""This floor in the back office."""

from habitat.members.admin import members, third_party, users

__all__ = ["members", "third_party", "users"]
