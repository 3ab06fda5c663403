"""Minting and backing in the back office: the switch with its two flags, and every check with its terms."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from habitat.faces.admin import Done, ExportMixin, HouseAdmin, Verb, VerbForm
from habitat.faces.templatetags.faces import status, usd, when
from habitat.members.policies.actors import Actor
from treasury.actions import backing
from treasury.models import BackingCheck, MintSwitch, MintSwitchChange
from treasury.policies.backing import TERM_TITLES, Band, band_in_words, percent, term_of
from treasury.reports.backing import latest
from treasury.workflows import backing as workflows

SWITCH = "treasury.switch_minting"
CHECK = "treasury.check_backing"


def _suspend(switch: MintSwitch, *, acting: Actor, key: str, reason: str) -> Done:
    backing.suspend_minting(reason=reason, acting=acting)
    return Done(message="Minting is suspended by hand. Payments are still taken and wait in 2240.")


def _resume(switch: MintSwitch, *, acting: Actor, key: str, reason: str) -> Done:
    now = backing.resume_minting(reason=reason, acting=acting)
    if now.automatic:
        return Done(message="Minting goes on; what waits is minted, oldest first.")
    return Done(message="The manual flag is on. Minting goes on by itself once a check finds every credit covered.")


def _check(*_: Any, acting: Actor, key: str) -> Done:
    check = workflows.check_now(trigger="by hand", acting=acting)
    return Done(
        message=f"{usd(check.held)} are held for {usd(check.required)}: {band_in_words(Band(check.band))}",
        go_to=reverse("admin:treasury_backingcheck_change", args=[check.pk]),
    )


@dataclass(frozen=True, slots=True)
class Turned:
    """A flag that was turned, as the history panel shows it."""

    at: datetime
    what: str
    who: str
    why: str
    address: str = ""
    changes: tuple[tuple[str, str, str], ...] = ()


@admin.register(MintSwitch)
class MintSwitchAdmin(HouseAdmin):
    list_display = ("minting", "automatic", "manual", "changed_at")
    fields = ("minting", "automatic_flag", "manual_flag", "changed_at", "newest_check", "public_page")
    readonly_fields = fields
    verbs: ClassVar = (
        Verb(
            "suspend",
            "Suspend minting",
            SWITCH,
            _suspend,
            available=lambda switch: switch.manual,
            danger=True,
            warning="No credits are minted until somebody resumes it. Payments are still taken and wait.",
        ),
        Verb(
            "resume",
            "Resume minting",
            SWITCH,
            _resume,
            available=lambda switch: not switch.manual,
            warning="This turns the manual flag alone; the automatic one stays as the checks left it.",
        ),
        Verb("check", "Check the backing now", CHECK, _check, form=VerbForm),
    )

    @admin.display(description="minting")
    def minting(self, switch: MintSwitch) -> str:
        return status("active" if switch.automatic and switch.manual else "suspended")

    @admin.display(description="automatic flag")
    def automatic_flag(self, switch: MintSwitch) -> SafeString:
        return format_html("{} {}", _flag(switch.automatic), "The checks turn it, people cannot.")

    @admin.display(description="manual flag")
    def manual_flag(self, switch: MintSwitch) -> SafeString:
        return format_html("{} {}", _flag(switch.manual), "People turn it, the checks never do.")

    @admin.display(description="latest check")
    def newest_check(self, switch: MintSwitch) -> SafeString:
        check = latest()
        if check is None:
            return format_html("There was none yet. Check the backing now.")
        address = reverse("admin:treasury_backingcheck_change", args=[check.pk])
        return format_html('<a href="{}">{}</a>: {}, {}', address, check, percent(check.ratio), when(check.as_of))

    @admin.display(description="in public")
    def public_page(self, switch: MintSwitch) -> SafeString:
        return format_html('<a href="{}">The reserve, with its history</a>', reverse("reserve"))

    def history_rows(self, request: HttpRequest, obj: MintSwitch) -> list[Turned]:
        return [
            Turned(
                at=change.changed_at,
                what=f"{change.flag} flag",
                who=change.acting,
                why=change.reason,
                changes=((change.flag, "off" if change.on else "on", "on" if change.on else "off"),),
            )
            for change in MintSwitchChange.objects.order_by("-id")[:200]
        ]


def _flag(is_on: bool) -> str:
    return status("on" if is_on else "off")


@admin.register(BackingCheck)
class BackingCheckAdmin(ExportMixin, HouseAdmin):
    list_display = ("as_of", "band_word", "ratio_shown", "settled_shown", "required_usd", "held_usd", "trigger")
    list_filter = ("band", ("as_of", admin.DateFieldListFilter), "trigger")
    ordering = ("-as_of", "-id")
    fields = (
        "as_of",
        "checked_at",
        "trigger",
        "band_word",
        "meaning",
        "ratio_shown",
        "settled_shown",
        "required_usd",
        "made_of",
        "held_usd",
        "settled_usd",
        "each_term",
    )
    readonly_fields = fields
    export_fields = (
        "id",
        "as_of",
        "checked_at",
        "trigger",
        "band",
        "ratio",
        "settled_ratio",
        "required",
        "outstanding",
        "in_flight",
        "held",
        "settled_held",
    )
    list_verbs: ClassVar = (Verb("check", "Check the backing now", CHECK, _check, form=VerbForm),)

    @admin.display(description="band", ordering="band")
    def band_word(self, check: BackingCheck) -> str:
        return status(check.band)

    @admin.display(description="what it means")
    def meaning(self, check: BackingCheck) -> str:
        return band_in_words(Band(check.band))

    @admin.display(description="ratio", ordering="ratio")
    def ratio_shown(self, check: BackingCheck) -> str:
        return percent(check.ratio)

    @admin.display(description="ratio of settled money alone", ordering="settled_ratio")
    def settled_shown(self, check: BackingCheck) -> str:
        return percent(check.settled_ratio)

    @admin.display(description="made of")
    def made_of(self, check: BackingCheck) -> str:
        return f"2220: {usd(check.outstanding)}; 2240: {usd(check.in_flight)}"

    @admin.display(description="settled of it")
    def settled_usd(self, check: BackingCheck) -> str:
        return usd(check.settled_held)

    @admin.display(description="required", ordering="required")
    def required_usd(self, check: BackingCheck) -> str:
        return usd(check.required)

    @admin.display(description="held", ordering="held")
    def held_usd(self, check: BackingCheck) -> str:
        return usd(check.held)

    @admin.display(description="terms of what is held")
    def each_term(self, check: BackingCheck) -> SafeString | str:
        rows = (
            (TERM_TITLES[term.name], usd(term.amount), term.source, when(term.read_at))
            for term in map(term_of, check.terms)
        )
        body = format_html_join("", "<tr><th scope='row'>{}</th><td>{}</td><td>{}</td><td>{}</td></tr>", rows)
        head = format_html_join("", "<th scope='col'>{}</th>", (("Term",), ("USD",), ("Source",), ("Read",)))
        return format_html('<table class="verb-table"><thead><tr>{}</tr></thead><tbody>{}</tbody></table>', head, body)
