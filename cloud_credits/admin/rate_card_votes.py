"""Who was asked about a rate card and what came of it, in the back office: rows to be read, never changed."""

from typing import ClassVar

from django.contrib import admin
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest

from cloud_credits.models import RateCardBallot, RateCardElector, RateCardOutcome, RateCardReminder
from habitat.faces.admin import ExportMixin, HouseAdmin
from habitat.members.models import Member


@admin.register(RateCardOutcome)
class RateCardOutcomeAdmin(ExportMixin, HouseAdmin):
    list_display = ("version", "passed", "is_emergency", "yes", "no", "abstain", "electors", "quorum_met", "closed_at")
    list_filter = ("passed", "is_emergency", ("closed_at", admin.DateFieldListFilter))
    search_fields = ("=version", "reason")
    ordering = ("-version",)
    fields = (
        "card",
        "version",
        "is_emergency",
        "passed",
        "reason",
        "bar",
        "yes",
        "no",
        "abstain",
        "electors",
        "quorum_met",
        "electorate",
        "ballots",
        "closed_at",
        "settled_at",
    )
    readonly_fields = fields
    export_fields = ("version", "is_emergency", "passed", "reason", "yes", "no", "abstain", "electors", "closed_at")


@admin.register(RateCardElector)
class RateCardElectorAdmin(ExportMixin, HouseAdmin):
    list_display = ("version", "member", "at_opening")
    list_filter = ("at_opening",)
    search_fields = ("=version", "=member__id", "member__display_name")
    list_select_related = ("member",)
    ordering = ("-version", "member")
    fields = ("card", "version", "member", "at_opening")
    readonly_fields = fields
    export_fields = ("version", "member__id", "at_opening")


@admin.register(RateCardBallot)
class RateCardBallotAdmin(ExportMixin, HouseAdmin):
    """Nobody reads a ballot before its vote has an outcome, which the database writes down after the close alone; the
    ballots of a vote that was broken off are read by nobody."""

    list_display = ("version", "who", "choice", "reason", "cast_at")
    list_filter = ("choice", ("cast_at", admin.DateFieldListFilter))
    search_fields = ("=elector__version", "=elector__member__id", "elector__member__display_name", "reason")
    list_select_related: ClassVar = ("elector__member",)
    ordering = ("-cast_at", "-id")
    fields = ("card", "version", "who", "choice", "reason", "cast_at")
    readonly_fields = fields
    export_fields = ("elector__version", "elector__member__id", "choice", "reason", "cast_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[RateCardBallot]:
        told = RateCardOutcome.objects.filter(version=OuterRef("elector__version"))
        return super().get_queryset(request).filter(Exists(told)).select_related("elector__member")

    @admin.display(description="version", ordering="elector__version")
    def version(self, ballot: RateCardBallot) -> int:
        return ballot.elector.version

    @admin.display(description="elector", ordering="elector__member__display_name")
    def who(self, ballot: RateCardBallot) -> Member:
        return ballot.elector.member


@admin.register(RateCardReminder)
class RateCardReminderAdmin(ExportMixin, HouseAdmin):
    list_display = ("version", "hours", "sent_at")
    list_filter = ("hours", ("sent_at", admin.DateFieldListFilter))
    search_fields = ("=version",)
    ordering = ("-version", "hours")
    fields = ("card", "version", "hours", "sent_at")
    readonly_fields = fields
    export_fields = ("version", "hours", "sent_at")
