"""Rate cards in the back office: drafted, put before the members, discussed, voted on, and what came of it."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from functools import update_wrapper
from typing import Any, ClassVar, Final

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import DateTimeField, Func, QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from cloud_credits.actions import rate_cards
from cloud_credits.actions.rate_cards import PROPOSE
from cloud_credits.admin import rate_card_draft
from cloud_credits.admin.rate_card_draft import DraftForm, first_month_start, judge
from cloud_credits.admin.rate_card_tables import HOUSE_EFFECT, LARGEST_CHANGES
from cloud_credits.errors import CardRefused, DraftChanged, NotTheProposer
from cloud_credits.models import RateCard, RateCardHistory
from cloud_credits.policies.governance import (
    LONGEST_BALLOT_REASON,
    LONGEST_COMMENT,
    RULES,
    Choice,
    Step,
    lapses_at,
)
from cloud_credits.policies.rate_card_course import next_of, state_in_words, steps
from cloud_credits.policies.rate_card_papers import ens_key, terms_digest
from cloud_credits.policies.rate_cards import CardState
from cloud_credits.reports import (
    governance,
    rate_card_changes,
    rate_card_effects,
    rate_card_notices,
    rate_card_votes,
)
from cloud_credits.reports.rate_cards import card_in_force, standing_of
from habitat import clock
from habitat.errors import HabitatError
from habitat.faces.admin import (
    Done,
    ExportMixin,
    HouseAdmin,
    OfferedVerb,
    ReasonForm,
    SecondLook,
    Verb,
    VerbForm,
    actor_for,
)
from habitat.faces.pages import number
from habitat.faces.templatetags.faces import cloud, deadline, status, usd, when
from habitat.members.models import Member
from habitat.members.policies.actors import Actor
from habitat.members.reports import history

VIEW: Final = "cloud_credits.view_ratecard"
VIEW_USAGE: Final = "cloud_credits.view_resourceusage"
SEEN: Final = "seen"
HOUR: Final = timedelta(hours=1)
_SPOKEN_OF: Final = (CardState.PROPOSED, CardState.VOTING)


class HouseNow(Func):
    """`habitat_now()`: the clock that the triggers read."""

    function = "habitat_now"
    arity = 0
    output_field = DateTimeField()


class CommentForm(VerbForm):
    text = forms.CharField(
        label="Comment",
        max_length=LONGEST_COMMENT,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="Every member reads it, with your name. It cannot be changed afterwards.",
    )


class ProposalForm(VerbForm):
    """Carries what the draft said when its page was read, through the second look."""

    seen = forms.CharField(max_length=66, required=False, widget=forms.HiddenInput)


class OpeningForm(VerbForm):
    """When the vote closes: a moment in UTC, shown in the reader's zone beside the field."""

    closes_at = forms.DateTimeField(
        label="Voting closes (UTC)",
        widget=forms.DateTimeInput(
            attrs={"type": "datetime-local", "data-utc": "", "step": "60"}, format="%Y-%m-%dT%H:%M"
        ),
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S"],
    )

    def for_object(self, card: RateCard) -> None:
        if card.proposed_at is None or card.effective_date is None:
            return
        course = rate_card_votes.course_of(card, now=clock.now())
        shortest = course.rules.voting(is_emergency=course.is_emergency)
        field = self.fields["closes_at"]
        opens = max(course.now, course.may_open_at)
        field.help_text = (
            f"At least {shortest // HOUR} hours after it opens, and by {course.must_close_by:%Y-%m-%d %H:%M} UTC. "
            "It never moves afterwards."
        )
        if opens > course.now:
            field.help_text += f" Members discuss first: the vote cannot open before {opens:%Y-%m-%d %H:%M} UTC."
        # A day more than the least, on the full hour: nobody should be shut out by a minute.
        wanted = (opens + shortest + timedelta(days=1)).replace(minute=0, second=0, microsecond=0)
        field.initial = min(wanted, course.must_close_by)


class BallotForm(VerbForm):
    choice = forms.ChoiceField(
        label="Vote",
        choices=[(Choice.YES.value, "Yes"), (Choice.NO.value, "No"), (Choice.ABSTAIN.value, "Abstain")],
        widget=forms.RadioSelect,
    )
    reason = forms.CharField(
        label="Reason",
        max_length=LONGEST_BALLOT_REASON,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Kept with your vote, for the other stewards and for the record.",
    )


# --- what the verbs do


def _address(card: RateCard) -> str:
    return reverse("admin:cloud_credits_ratecard_change", args=[card.pk])


def _look_at_proposal(card: RateCard, *, acting: Actor, seen: str) -> SecondLook:
    if seen != terms_digest(card.terms):
        raise DraftChanged(card=card.pk)
    now = clock.now()
    found = governance.problems_of(card, step=Step.PROPOSE, moment=now)
    if found:
        raise CardRefused(found)
    base = rate_card_changes.base_of(card)
    changes = [
        (change.measure.title, f"{cloud(change.before)} → {cloud(change.after)} CLOUD ({change.in_words})")
        for change in rate_card_changes.compare(card, base)
    ]
    talked = RULES.discussion(is_emergency=card.is_emergency)
    told = len(rate_card_notices.everybody())
    return SecondLook(
        facts=(
            *changes,
            ("In force from", f"{card.effective_date} 00:00 UTC"),
            ("Kind", "emergency card" if card.is_emergency else "normal card"),
            ("Told now", f"{told:,} members with a cloud identity"),
            ("Electorate", f"{len(governance.stewards())} stewards are active now; who still is at the opening votes"),
            *_given_way_to(card, acting, now),
            ("Voting may open", deadline(now + talked)),
            ("Lapses, if no vote was opened", deadline(lapses_at(now, RULES))),
        ),
        warning="From here nothing on it can be changed: an amendment is a new card with a new notice.",
    )


def _given_way_to(card: RateCard, acting: Actor, now: datetime) -> list[tuple[str, str]]:
    """The card under way that an amendment takes the place of. Raises NotTheProposer: only who proposed it may."""
    original = governance.given_way_to(card, governance.settled_history(moment=now, excluding=card.pk))
    if original is None:
        return []
    if original.proposed_by != acting.label:
        raise NotTheProposer(card=original.version, proposer=rate_card_votes.proposer_of(original))
    words = "withdrawn at once"
    if original.state == CardState.VOTING:
        words += (
            f"; its vote is broken off, and equal or higher rates may not be proposed for {RULES.silence_days} days"
        )
    return [(f"Version {original.version}", words)]


def _propose(card: RateCard, *, acting: Actor, key: str, seen: str) -> Done:
    told = rate_cards.propose(card_id=card.pk, acting=acting, seen=seen)
    return Done(message=f"Version {told.version} is before the members; they are being told.")


def _comment(card: RateCard, *, acting: Actor, key: str, text: str) -> Done:
    member = Member.objects.get(pk=acting.id)
    rate_cards.comment(card_id=card.pk, member=member, text=text, acting=acting)
    return Done(message="Your comment is in the thread.", go_to=f"{_address(card)}#discussion")


def _look_at_opening(card: RateCard, *, acting: Actor, closes_at: datetime) -> SecondLook:
    now = clock.now()
    roll = rate_card_votes.roll_of(card, now=now)
    still = set(governance.stewards())
    names = [each.name for each in roll.electors if each.member_id in still]
    found = governance.opening_problems_of(card, opens_at=now, closes_at=closes_at, electors=len(names))
    if found:
        raise CardRefused(found)
    return SecondLook(
        facts=(
            ("Opens", "at once"),
            ("Closes", deadline(closes_at)),
            ("Electorate, frozen now", f"{len(names)}: {', '.join(names)}"),
            ("In force from, if adopted", f"{card.effective_date} 00:00 UTC"),
        ),
        warning="The electorate and the close never move afterwards. Electors are told now and reminded before it.",
    )


def _open(card: RateCard, *, acting: Actor, key: str, closes_at: datetime) -> Done:
    rate_cards.open_voting(card_id=card.pk, closes_at=closes_at, acting=acting)
    return Done(message=f"Voting on version {card.version} is open until {closes_at:%Y-%m-%d %H:%M} UTC.")


def _vote(card: RateCard, *, acting: Actor, key: str, choice: str, reason: str) -> Done:
    rate_cards.cast_ballot(card_id=card.pk, choice=choice, reason=reason, acting=acting)
    return Done(message=f"Your vote is {choice}. You may change it until voting closes.")


def _look_at_withdrawal(card: RateCard, *, acting: Actor, reason: str) -> SecondLook:
    voted_on = card.state == CardState.VOTING
    return SecondLook(
        facts=(("Card", str(card)), ("State", card.state), ("Reason, for every member", reason)),
        warning=(
            "A withdrawal during the vote counts as a rejection: equal or higher rates may not be proposed for "
            f"{RULES.silence_days} days."
            if voted_on
            else "It cannot be brought back; the same rates can be proposed again, with a new notice."
        ),
    )


def _withdraw(card: RateCard, *, acting: Actor, key: str, reason: str) -> Done:
    rate_cards.withdraw(card_id=card.pk, reason=reason, acting=acting)
    return Done(message=f"Version {card.version} is withdrawn.")


def _amend(card: RateCard, *, acting: Actor, key: str) -> Done:
    draft = rate_cards.amend(card_id=card.pk, acting=acting)
    return Done(
        message="A new draft with the same content. When it is proposed, notice and discussion start again.",
        go_to=reverse("admin:cloud_credits_ratecard_draft", args=[draft.pk]),
    )


def _is(*states: CardState) -> Callable[[Any], bool]:
    return lambda card: card.state in states


def _may_be_opened(card: Any) -> bool:
    """Proposed, and not so late that no vote fits before its day any more."""
    return card.state == CardState.PROPOSED and not rate_card_votes.course_of(card, now=clock.now()).is_too_late


def _is_open(card: Any) -> bool:
    return card.state == CardState.VOTING and clock.now() < card.closes_at


@admin.register(RateCard)
class RateCardAdmin(ExportMixin, HouseAdmin):
    list_display = (
        "name",
        "state_word",
        "effective_on",
        "compute",
        "transfer",
        "long_term",
        "short_term",
        "told_at",
        "closing_at",
    )
    list_filter = ("state", "is_emergency")
    # Drafts have no number yet: the newest first.
    ordering = ("-id",)
    list_before_template = "cloud_credits/admin/rate_card_list.html"
    change_form_outer_before_template = "cloud_credits/admin/rate_card.html"
    # The rest stands in the panels above: what members read, as they read it.
    fields = ("proposer", "created_by", "created_at", "amends")
    readonly_fields = fields
    export_fields = (
        "id",
        "version",
        "state",
        "effective_date",
        "is_emergency",
        "compute_rate",
        "transfer_rate",
        "ltm_rate",
        "stm_rate",
        "compute_cost",
        "transfer_cost",
        "ltm_cost",
        "stm_cost",
        "proposed_at",
        "opens_at",
        "closes_at",
        "approved_at",
        "content_hash",
    )
    verbs: ClassVar = (
        Verb(
            "propose",
            "Propose to the members",
            PROPOSE,
            _propose,
            form=ProposalForm,
            initial=lambda card: {"seen": terms_digest(card.terms)},
            available=_is(CardState.DRAFT),
            preview=_look_at_proposal,
        ),
        Verb(
            "open-voting",
            "Open the vote",
            PROPOSE,
            _open,
            form=OpeningForm,
            available=_may_be_opened,
            preview=_look_at_opening,
        ),
        # Electors are asked, not the role: it may be lost while a vote is open (see `offered`).
        Verb("vote", "Vote", VIEW, _vote, form=BallotForm, available=_is_open),
        Verb("comment", "Comment", VIEW, _comment, form=CommentForm, available=_is(*_SPOKEN_OF)),
        Verb(
            "amend",
            "Amend",
            PROPOSE,
            _amend,
            form=VerbForm,
            available=_is(*_SPOKEN_OF, CardState.REJECTED, CardState.WITHDRAWN, CardState.LAPSED),
            warning="A new draft begins with this content. A card under way is withdrawn when the draft is proposed.",
        ),
        Verb(
            "withdraw",
            "Withdraw",
            PROPOSE,
            _withdraw,
            form=ReasonForm,
            available=_is(*_SPOKEN_OF),
            preview=_look_at_withdrawal,
            danger=True,
        ),
    )

    class Media:
        css: ClassVar = {"all": ("cloud_credits/governance.css", "cloud_credits/office.css", "faces/words.css")}
        js: ClassVar = ("cloud_credits/draft.js",)

    # --- reading

    @admin.display(description="card", ordering="version")
    def name(self, card: RateCard) -> SafeString:
        words = f"Version {card.version}" if card.version else f"Draft {card.pk}"
        return format_html('<span class="gov-name">{}{}</span>', words, ", emergency" if card.is_emergency else "")

    @admin.display(description="proposed by")
    def proposer(self, card: RateCard) -> str:
        return rate_card_votes.proposer_of(card) if card.proposed_by else ""

    @admin.display(description="in force from", ordering="effective_date")
    def effective_on(self, card: RateCard) -> str:
        return when(card.effective_date)

    @admin.display(description="compute", ordering="compute_rate")
    def compute(self, card: RateCard) -> str:
        return cloud(card.compute_rate)

    @admin.display(description="transfer", ordering="transfer_rate")
    def transfer(self, card: RateCard) -> str:
        return cloud(card.transfer_rate)

    @admin.display(description="long-term", ordering="ltm_rate")
    def long_term(self, card: RateCard) -> str:
        return cloud(card.ltm_rate)

    @admin.display(description="short-term", ordering="stm_rate")
    def short_term(self, card: RateCard) -> str:
        return cloud(card.stm_rate)

    @admin.display(description="members told", ordering="proposed_at")
    def told_at(self, card: RateCard) -> str:
        return when(card.proposed_at)

    @admin.display(description="voting closes", ordering="closes_at")
    def closing_at(self, card: RateCard) -> str:
        return when(card.closes_at)

    def get_queryset(self, request: HttpRequest) -> QuerySet[RateCard]:
        # The house's clock comes with the rows: a query of its own for each would be one too many.
        return super().get_queryset(request).annotate(asked_at=HouseNow())

    @admin.display(description="standing", ordering="state")
    def state_word(self, card: Any) -> str:
        if card.state == CardState.DRAFT:
            return status("draft")
        course = rate_card_votes.course_of(card, now=card.asked_at)
        return status(standing_of(card, card.asked_at) or state_in_words(course))

    def offered(self, request: HttpRequest, obj: Any) -> list[OfferedVerb]:
        """The vote is offered to those whose ballot it waits for; a card under way is its proposer's to take back."""
        found = super().offered(request, obj)
        if obj is None:
            return found
        hidden = set()
        if obj.state in _SPOKEN_OF and obj.proposed_by != actor_for(request).label:
            hidden |= {"withdraw", "amend"}
        if _is_open(obj):
            now, member = clock.now(), getattr(request.user, "member", None)
            roll, course = rate_card_votes.roll_of(obj, now=now), rate_card_votes.course_of(obj, now=now)
            if not rate_card_votes.awaits_ballot_of(member, roll=roll, course=course):
                hidden.add("vote")
        return [each for each in found if each.verb.name not in hidden]

    def history_rows(self, request: HttpRequest, obj: RateCard) -> list[history.HistoryRow]:
        return history.versions(RateCardHistory.objects.filter(pgh_obj=obj))

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().changelist_view(
            request, (extra_context or {}) | {"may_propose": actor_for(request).may(PROPOSE)}
        )

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        card = self.get_object(request, object_id) if self.has_view_permission(request) else None
        context = self._shown(request, card) if card is not None else {}
        return super().change_view(request, object_id, form_url, (extra_context or {}) | context)

    def _shown(self, request: HttpRequest, card: RateCard) -> dict[str, Any]:
        now, acting = clock.now(), actor_for(request)
        base = rate_card_changes.base_of(card)
        context: dict[str, Any] = {
            "card": card,
            "now": now,
            "base": base,
            "changes": rate_card_changes.compare(card, base),
            "may_propose": acting.may(PROPOSE),
            "is_draft": card.state == CardState.DRAFT,
            "earlier": rate_card_votes.earlier_versions(card),
        }
        if card.state == CardState.DRAFT:
            return context | {"found": governance.problems_of(card, step=Step.PROPOSE, moment=now)}
        course = rate_card_votes.course_of(card, now=now)
        roll = rate_card_votes.roll_of(card, now=now)
        outcome = rate_card_votes.outcome_of(card, course)
        return context | {
            "course": course,
            "word": standing_of(card, now) or state_in_words(course),
            "steps": steps(course),
            "next": next_of(course),
            "ens_key": ens_key(card.version),
            "roll": roll,
            "mine": roll.row_of(acting.id),
            "reader": acting.id,
            "bars": rate_card_votes.bars_of(card, outcome, roll=roll, course=course),
            "outcome": outcome,
            "thread": rate_card_votes.thread_of(card.version, before=number(request.GET.get("before"))),
        }

    # --- drafting and the dry run

    def get_urls(self) -> list[URLPattern]:
        def wrapped(guard: Callable[..., Any], view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
            guarded = guard(self.admin_site.admin_view(view))
            guarded.model_admin = self
            return update_wrapper(guarded, view)

        read_or_save = require_http_methods(["GET", "HEAD", "POST"])
        own = [
            path("draft/", wrapped(read_or_save, self.new_view), name="cloud_credits_ratecard_new"),
            path("check/", wrapped(require_POST, self.check_view), name="cloud_credits_ratecard_check_new"),
            path(
                "<path:object_id>/draft/", wrapped(read_or_save, self.draft_view), name="cloud_credits_ratecard_draft"
            ),
            path(
                "<path:object_id>/check/", wrapped(require_POST, self.check_view), name="cloud_credits_ratecard_check"
            ),
            path(
                "<path:object_id>/dry-run/", wrapped(require_safe, self.dry_run_view), name="cloud_credits_ratecard_dry"
            ),
        ]
        return own + super().get_urls()

    def new_view(self, request: HttpRequest) -> HttpResponse:
        self._must_draft(request)
        return self._drafting(request, None)

    def draft_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        self._must_draft(request)
        return self._drafting(request, self._find(request, object_id))

    def check_view(self, request: HttpRequest, object_id: str | None = None) -> HttpResponse:
        """What the policy says of the form as it stands, while somebody types. Nothing is stored."""
        self._must_draft(request)
        card = self._find(request, object_id) if object_id else None
        now = clock.now()
        form = DraftForm(request.POST)
        return JsonResponse(
            judge(
                form, history=governance.judged_against(card, moment=now), now=now, in_force=card_in_force(now)
            ).as_json()
        )

    def dry_run_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Everybody's usage of a period under the card: reads only."""
        card = self._find(request, object_id)
        spans = rate_card_effects.spans(clock.now().date())
        asked = rate_card_effects.span_called(request.GET.get("span", ""), spans)
        span = asked or next(iter(spans), None)
        effect = rate_card_effects.of_all(card, span) if span is not None else None
        names_members = actor_for(request).may(VIEW_USAGE)
        context = self.admin_site.each_context(request) | {
            "title": f"Dry run of {card}",
            "opts": self.opts,
            "media": self.media,
            "card": card,
            "spans": spans,
            "effect": effect,
            "back": self._object_url(card.pk),
        }
        if effect is not None and effect.lines:
            totals = {
                "revenue_was": effect.revenue_was,
                "revenue_would_be": effect.revenue_would_be,
                "cost_was": effect.cost_was,
                "cost_would_be": effect.cost_would_be,
                "margin_was": effect.margin_was,
                "margin_would_be": effect.margin_would_be,
            }
            context |= {
                "lines": HOUSE_EFFECT.render(effect.lines, totals),
                # Who used how much is operations' and the member's own; a steward judges the sums.
                "largest": LARGEST_CHANGES.render(effect.largest) if effect.largest and names_members else "",
                "difference": _signed(effect.revenue_would_be - effect.revenue_was),
            }
        return TemplateResponse(request, "cloud_credits/admin/rate_card_dry_run.html", context)

    def _must_draft(self, request: HttpRequest) -> None:
        if not actor_for(request).may(PROPOSE):
            raise PermissionDenied

    def _drafting(self, request: HttpRequest, card: RateCard | None) -> HttpResponse:
        if card is not None and card.state != CardState.DRAFT:
            messages.warning(request, f"{card} is {card.state}: only a draft is edited. Amend it instead.")
            return redirect(self._object_url(card.pk))
        now = clock.now()
        in_force = card_in_force(now)
        if request.method != "POST":
            words = rate_card_draft.words_of(card) if card else {"effective_date": first_month_start(now)}
            given = rate_card_draft.initial_of(card or in_force) | words
            form = DraftForm({name: "" if value is None else value for name, value in given.items()})
            return self._draft_page(request, card, form, is_fresh=card is None)
        form = DraftForm(request.POST)
        terms = form.terms
        if terms is None or "check" in request.POST:
            return self._draft_page(request, card, form, code=200 if terms is not None else 422)
        try:
            seen = request.POST.get(SEEN, "") if card is not None else None
            saved = rate_cards.save_draft(card=card, terms=terms, acting=actor_for(request), seen=seen)
        except HabitatError as refusal:
            form.refuse(refusal)
            return self._draft_page(request, card, form, code=refusal.status)
        messages.success(request, "The draft is saved. Nobody is told before you propose it.")
        return redirect(self._object_url(saved.pk))

    def _draft_page(
        self, request: HttpRequest, card: RateCard | None, form: DraftForm, *, code: int = 200, is_fresh: bool = False
    ) -> HttpResponse:
        now = clock.now()
        in_force = card_in_force(now)
        judgement = judge(form, history=governance.judged_against(card, moment=now), now=now, in_force=in_force)
        context = self.admin_site.each_context(request) | {
            "title": f"Edit {card}" if card else "Draft a rate card",
            "opts": self.opts,
            "media": self.media,
            "form": form,
            "rows": rate_card_draft.rows_of(form, judgement),
            "judgement": judgement,
            "is_fresh": is_fresh,
            # As it was when the page was opened: a form sent again does not learn of what came between.
            "seen": request.POST.get(SEEN, "")
            if request.method == "POST"
            else terms_digest(card.terms)
            if card
            else "",
            "in_force": in_force,
            "check_url": (
                reverse("admin:cloud_credits_ratecard_check", args=[card.pk])
                if card
                else reverse("admin:cloud_credits_ratecard_check_new")
            ),
            "back": self._object_url(card.pk) if card else self._list_url(),
        }
        return TemplateResponse(request, "cloud_credits/admin/rate_card_draft.html", context, status=code)


def _signed(dollars: Decimal) -> str:
    return f"+{usd(dollars)}" if dollars > 0 else usd(dollars)
