"""Agents of the cooperative: people, organisations and its own system accounts."""

from typing import TYPE_CHECKING, ClassVar

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import Q
from django_fsm import FSMField, FSMModelMixin, transition

from habitat.members.policies.statuses import MemberKind, MemberStatus, SystemAccount

if TYPE_CHECKING:
    from habitat.members.models.users import User


class MemberQuerySet(models.QuerySet["Member"]):
    def visible_to(self, user: "User | AnonymousUser") -> "MemberQuerySet":
        """A member sees themself; who may view members sees all; anybody else nobody."""
        if user.has_perm("members.view_member"):
            return self
        if user.pk is None:
            return self.none()
        return self.filter(user=user)

    def held_by(self, user: "User | AnonymousUser") -> "MemberQuerySet":
        """The reader's own membership, also where they may view everybody's: what is somebody's stays theirs."""
        return self.filter(user=user) if user.is_authenticated and user.pk else self.none()

    def system(self, account: SystemAccount) -> "Member":
        return self.get(system_code=account.value)


class Member(FSMModelMixin, models.Model):
    """A holder of credits. Its id is its member number; it is never deleted."""

    kind = models.CharField(max_length=16, choices=[(kind.value, kind.value) for kind in MemberKind])
    display_name = models.CharField(max_length=120)
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="member"
    )
    status = FSMField(
        default=MemberStatus.PENDING.value,
        choices=[(status.value, status.value) for status in MemberStatus],
        protected=True,
    )
    is_investor = models.BooleanField("LCA member-investor: may stake", default=False)
    system_code = models.CharField(
        max_length=16, unique=True, null=True, blank=True, choices=[(c.value, c.value) for c in SystemAccount]
    )
    # The cloud identity: written once by cloud_credits through habitat.members.actions, null until then.
    ens_subname = models.CharField(max_length=63, unique=True, null=True, blank=True)
    ethereum_address = models.CharField(max_length=42, unique=True, null=True, blank=True)
    cloud_wallet_created_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = MemberQuerySet.as_manager()

    class Meta:
        permissions: ClassVar = [
            ("change_status", "Can admit, suspend, reinstate and end memberships"),
            ("manage_roles", "Can give roles and take them away"),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                name="member_status_known", condition=Q(status__in=[status.value for status in MemberStatus])
            ),
            models.CheckConstraint(name="member_kind_known", condition=Q(kind__in=[kind.value for kind in MemberKind])),
            models.CheckConstraint(
                name="member_system_has_code_and_no_sign_in",
                condition=Q(kind=MemberKind.SYSTEM.value, system_code__isnull=False, user__isnull=True)
                | (~Q(kind=MemberKind.SYSTEM.value) & Q(system_code__isnull=True)),
            ),
            models.CheckConstraint(
                name="member_subname_form",
                condition=Q(ens_subname__isnull=True) | Q(ens_subname__regex=r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$"),
                violation_error_message="A name has 1 to 63 of a–z, 0–9 and hyphens, with no hyphen at either end.",
            ),
            models.CheckConstraint(
                name="member_address_form",
                condition=Q(ethereum_address__isnull=True) | Q(ethereum_address__regex=r"^0x[0-9a-fA-F]{40}$"),
                violation_error_message="An address is 0x and 40 hexadecimal digits.",
            ),
            models.CheckConstraint(
                name="member_identity_whole",
                condition=Q(
                    ens_subname__isnull=True, ethereum_address__isnull=True, cloud_wallet_created_at__isnull=True
                )
                | Q(ens_subname__isnull=False, ethereum_address__isnull=False, cloud_wallet_created_at__isnull=False),
                violation_error_message="A cloud identity is a name, an address and its date, together.",
            ),
        ]

    def __str__(self) -> str:
        return self.display_name

    @property
    def full_ens_name(self) -> str | None:
        return f"{self.ens_subname}.habitat.eth" if self.ens_subname else None

    @transition(field=status, source=MemberStatus.PENDING.value, target=MemberStatus.ACTIVE.value)
    def admit(self) -> None:
        """The application is accepted."""

    @transition(field=status, source=MemberStatus.ACTIVE.value, target=MemberStatus.SUSPENDED.value)
    def suspend(self) -> None:
        """Nothing moves until the matter is settled."""

    @transition(field=status, source=MemberStatus.ACTIVE.value, target=MemberStatus.INACTIVE.value)
    def deactivate(self) -> None:
        """The member takes a pause."""

    @transition(
        field=status,
        source=[MemberStatus.SUSPENDED.value, MemberStatus.INACTIVE.value],
        target=MemberStatus.ACTIVE.value,
    )
    def reinstate(self) -> None:
        """The pause or the suspension is over."""

    @transition(field=status, source=MemberStatus.ACTIVE.value, target=MemberStatus.WITHDRAWN.value)
    def withdraw(self) -> None:
        """The member leaves by their own will."""

    @transition(field=status, source=MemberStatus.ACTIVE.value, target=MemberStatus.EXPELLED.value)
    def expel(self) -> None:
        """The cooperative ends the membership."""
