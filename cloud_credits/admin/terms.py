"""The terms of service in the back office: every version as published, who accepted it, and the verb for a new one."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from cloud_credits.actions import terms
from cloud_credits.models import TermsAcceptance, TermsVersion
from cloud_credits.reports.terms import current
from habitat.faces.admin import Done, ExportMixin, HouseAdmin, ReasonForm, SecondLook, Verb
from habitat.members.policies.actors import Actor


class TermsForm(ReasonForm):
    title = forms.CharField(label="Title", max_length=terms.LONGEST_TITLE)
    body = forms.CharField(
        label="Text",
        widget=forms.Textarea(attrs={"rows": 16}),
        help_text="Markdown: headings, paragraphs, lists. Begin from the version that stands now.",
    )

    def for_object(self, _: Any) -> None:
        standing = current()
        self.fields["title"].initial, self.fields["body"].initial = standing.title, standing.body


def _look(*, acting: Actor, title: str, body: str, reason: str) -> SecondLook:
    standing = current()
    return SecondLook(
        facts=(
            ("Version", f"{standing.version + 1}, in place of {standing.version}"),
            ("Title", title),
            ("Length", f"{len(body.split()):,} words; version {standing.version} has {len(standing.body.split()):,}"),
            ("Reason", reason),
        ),
        warning="It is never edited. Every member must accept it before the next purchase.",
    )


def _publish(*, acting: Actor, key: str, title: str, body: str, reason: str) -> Done:
    made = terms.publish(title=title, body=body, reason=reason, acting=acting)
    return Done(message=f"Version {made.version} stands; members are asked to accept it.")


@admin.register(TermsVersion)
class TermsVersionAdmin(HouseAdmin):
    list_display = ("version", "title", "published_at", "published_by", "reason", "accepted_by")
    list_display_links = ("version", "title")
    ordering = ("-version",)
    fields = ("version", "title", "published_at", "published_by", "reason", "accepted_by", "digest", "text")
    readonly_fields = fields
    list_verbs: ClassVar = (
        Verb("publish", "Publish a new version", terms.PUBLISH, _publish, form=TermsForm, preview=_look),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[TermsVersion]:
        return super().get_queryset(request).annotate(acceptance_count=Count("acceptances"))

    @admin.display(description="accepted by", ordering="acceptance_count")
    def accepted_by(self, version: Any) -> str:
        return f"{version.acceptance_count:,} members"

    @admin.display(description="text")
    def text(self, version: TermsVersion) -> SafeString:
        return format_html('<div class="verb-text">{}</div>', version.body)


@admin.register(TermsAcceptance)
class TermsAcceptanceAdmin(ExportMixin, HouseAdmin):
    list_display = ("id", "member", "terms", "accepted_at")
    list_filter = ("terms", ("accepted_at", admin.DateFieldListFilter))
    search_fields = ("member__display_name", "member__ens_subname")
    list_select_related = ("member", "terms")
    ordering = ("-id",)
    fields = ("id", "member", "terms", "accepted_at")
    readonly_fields = fields
    export_fields = ("id", "member__id", "member__display_name", "terms__version", "accepted_at")
