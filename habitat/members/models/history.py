"""What became of members, sign-ins and roles: who, when and why, written by database triggers."""

import pghistory

from habitat.members.models.members import Member
from habitat.members.models.users import User


class MemberHistory(
    pghistory.create_event_model(  # type: ignore[misc]
        Member,
        pghistory.InsertEvent(),
        pghistory.UpdateEvent(),
        context_field=pghistory.ContextJSONField(),
        obj_field=pghistory.ObjForeignKey(related_name="history", related_query_name="history"),
    )
):
    """Each version of a member, as it was after the change."""

    class Meta:
        ordering = ("-pgh_id",)
        verbose_name = "member's history"
        verbose_name_plural = "members' history"
        default_permissions = ("view",)


class UserHistory(
    pghistory.create_event_model(  # type: ignore[misc]
        User,
        pghistory.InsertEvent(),
        pghistory.UpdateEvent(),
        # A password's hash is never copied; a sign-in's time is in the session list.
        exclude=["password", "last_login"],
        context_field=pghistory.ContextJSONField(),
        obj_field=pghistory.ObjForeignKey(related_name="history", related_query_name="history"),
    )
):
    """Each version of a sign-in, without its password."""

    class Meta:
        ordering = ("-pgh_id",)
        verbose_name = "sign-in's history"
        verbose_name_plural = "sign-ins' history"
        default_permissions = ("view",)


class RoleHolding(User.groups.through):  # type: ignore[name-defined,misc]
    """One role held by one sign-in: the rows between sign-ins and groups, under a name that can be tracked."""

    class Meta:
        proxy = True
        default_permissions = ()


class RoleHistory(
    pghistory.create_event_model(  # type: ignore[misc]
        RoleHolding,
        pghistory.InsertEvent("given"),
        pghistory.UpdateEvent("changed"),
        pghistory.DeleteEvent("taken"),
        context_field=pghistory.ContextJSONField(),
        obj_field=None,
    )
):
    """A role given to a sign-in or taken away."""

    class Meta:
        ordering = ("-pgh_id",)
        verbose_name = "roles' history"
        verbose_name_plural = "roles' history"
        default_permissions = ("view",)
