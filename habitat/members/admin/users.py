"""Sign-ins and roles in the back office: to look at; members are what people act on."""

from django.contrib import admin
from django.contrib.auth.models import Group
from django.http import HttpRequest

from habitat.faces.admin import HouseAdmin
from habitat.members.models import User, UserHistory
from habitat.members.reports import history


@admin.register(User)
class UserAdmin(HouseAdmin):
    list_display = ("email", "member", "is_active", "is_staff", "second_factor", "last_login", "joined_at")
    list_filter = ("is_staff", "is_active")
    search_fields = ("email", "member__display_name")
    list_select_related = ("member",)
    ordering = ("email",)
    # The password's hash is shown to nobody.
    fields = ("email", "member", "is_active", "is_staff", "groups", "second_factor", "last_login", "joined_at")
    readonly_fields = fields

    @admin.display(description="member")
    def member(self, user: User) -> str:
        return str(getattr(user, "member", "")) or "—"

    @admin.display(description="second factor", boolean=True)
    def second_factor(self, user: User) -> bool:
        from allauth.mfa.utils import is_mfa_enabled

        return bool(is_mfa_enabled(user))

    def history_rows(self, request: HttpRequest, obj: User) -> list[history.HistoryRow]:
        return history.versions(UserHistory.objects.filter(pgh_obj=obj))


class RoleAdmin(HouseAdmin):
    """Roles are written in code and synchronised; this shows what each may do."""

    list_display = ("name", "permission_count")
    fields = ("name", "permissions_held")
    readonly_fields = fields
    list_verbs = ()

    @admin.display(description="permissions")
    def permission_count(self, group: Group) -> int:
        return group.permissions.count()

    @admin.display(description="permissions")
    def permissions_held(self, group: Group) -> str:
        names = group.permissions.values_list("content_type__app_label", "codename").order_by(
            "content_type__app_label", "codename"
        )
        return ", ".join(f"{app}.{codename}" for app, codename in names) or "—"
