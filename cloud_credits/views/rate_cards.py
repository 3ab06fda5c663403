"""`/rate-cards/`: what is in force, what is proposed, what was; each card's comparison, thread, vote and papers."""

from datetime import datetime
from typing import Any, Final

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse

from cloud_credits.actions import rate_cards as actions
from cloud_credits.models import RateCard
from cloud_credits.policies.governance import LONGEST_BALLOT_REASON, LONGEST_COMMENT, Choice
from cloud_credits.policies.rate_card_bars import bars
from cloud_credits.policies.rate_card_course import Course, next_of, state_in_words, steps
from cloud_credits.policies.rate_card_papers import canonical, content_hash, content_of, ens_key, markdown
from cloud_credits.policies.rate_cards import ADOPTED, Standing
from cloud_credits.reports import rate_card_changes, rate_card_effects, rate_card_votes, rate_cards
from cloud_credits.reports.rate_card_changes import Entry
from cloud_credits.reports.rate_card_votes import SentBack
from cloud_credits.views.tables import EFFECT, EFFECT_EVENTS
from cloud_credits.views.usage import mark_of
from habitat import clock
from habitat.errors import HabitatError
from habitat.faces.pages import EXPORTS, MemberPage, Page, number, query
from habitat.members.reports.actors import actor_of
from habitat.money import cloud_to_usd

EVENTS_PAGE: Final = 25
LARGEST_VERSION: Final = 2**31
SENT_BACK: Final = "sent back"


class CommentForm(forms.Form):
    text = forms.CharField(
        label="Your comment",
        max_length=LONGEST_COMMENT,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="Every member reads it, with your name. It cannot be changed afterwards.",
    )


class BallotForm(forms.Form):
    choice = forms.ChoiceField(
        label="Your vote",
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


class RateCardList(Page):
    """What is in force first, then what is proposed, then every version."""

    def get(self, request: HttpRequest) -> HttpResponse:
        now = clock.now()
        shown = [_row(entry, now) for entry in rate_card_changes.changelog()]
        context = {
            "now": now,
            "rows": shown,
            "open": [row for row in shown if row["is_under_way"]],
            "in_force": next((row for row in shown if row["word"] is Standing.IN_FORCE), None),
        }
        return render(request, "cloud_credits/rate_cards.html", context)


class Changelog(Page):
    """Every version and what it changed, the newest first."""

    def get(self, request: HttpRequest) -> HttpResponse:
        now = clock.now()
        entries = [
            (entry, _entry_word(entry, now), rate_card_votes.course_of(entry.card, now=now).is_too_late)
            for entry in rate_card_changes.changelog()
        ]
        return render(request, "cloud_credits/rate_card_log.html", {"entries": entries})


class RateCardDetail(Page):
    """One version whole. What an emergency sent back to draft keeps a page of its own: notices lead there."""

    def get(self, request: HttpRequest, version: int) -> HttpResponse:
        card = find(version)
        return self.show(request, card) if card is not None else self.show_sent_back(request, returned(version))

    def show_sent_back(self, request: HttpRequest, told: SentBack) -> HttpResponse:
        """As it was put before the members. The ballots of a vote that an emergency broke off stay secret."""
        card, base = told.card, rate_card_changes.base_when_told(told.card)
        outcome = card.outcome
        context = {
            "card": card,
            "why": told.why,
            "base": base,
            "changes": rate_card_changes.compare(card, base),
            "hash": card.content_hash,
            "ens_key": ens_key(card.number),
            "proposer": rate_card_votes.proposer_of(card),
            "thread": rate_card_votes.thread_of(card.number, before=number(request.GET.get("before"))),
            "outcome": outcome,
        }
        if outcome is not None:
            roll = rate_card_votes.roll_of(card, now=clock.now())
            context |= {"roll": roll, "bars": bars(roll.tally, is_emergency=card.is_emergency, rules=card.as_told)}
        return render(request, "cloud_credits/rate_card_sent_back.html", context)

    def show(
        self,
        request: HttpRequest,
        card: RateCard,
        *,
        comment_form: CommentForm | None = None,
        ballot_form: BallotForm | None = None,
        refusal: str = "",
        status: int = 200,
    ) -> HttpResponse:
        member, now = getattr(request.user, "member", None), clock.now()
        reader = member.pk if member is not None else None
        course, base = rate_card_votes.course_of(card, now=now), rate_card_changes.base_of(card)
        context = {
            "card": card,
            # On top of the page: the form it belongs to may be gone, because it is too late.
            "refusal": refusal,
            "now": now,
            "course": course,
            "word": _word(card, now),
            "steps": steps(course),
            "next": next_of(course),
            "base": base,
            "base_is_in_force": base is not None and rate_cards.standing_of(base, now) is Standing.IN_FORCE,
            "changes": rate_card_changes.compare(card, base),
            "hash": card.content_hash or content_hash(canonical(content_of(card))),
            "ens_key": ens_key(card.version),
            "proposer": rate_card_votes.proposer_of(card),
            "earlier": rate_card_votes.earlier_versions(card),
            "thread": rate_card_votes.thread_of(card.version, before=number(request.GET.get("before"))),
            "comment_form": comment_form or CommentForm(),
            "reader": reader,
        }
        context |= _effect(request, card, course, reader) | _vote(request, card, course, reader, ballot_form)
        return render(request, "cloud_credits/rate_card.html", context, status=status)


class CommentOnCard(MemberPage, RateCardDetail):
    """POST only: one more comment in the thread."""

    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, version: int) -> HttpResponse:
        card, form = published(version), CommentForm(request.POST)
        if not form.is_valid():
            return self.show(request, card, comment_form=form, status=422)
        try:
            actions.comment(
                card_id=card.pk, member=self.member, text=form.cleaned_data["text"], acting=actor_of(request.user)
            )
        except HabitatError as refusal:
            return self.show(request, card, comment_form=form, refusal=refusal.sentence, status=refusal.status)
        messages.success(request, "Your comment is in the thread.")
        return redirect(reverse("rate-card", args=[version]) + "#discussion")


class CastVote(MemberPage, RateCardDetail):
    """POST only: an elector's vote, or its change."""

    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, version: int) -> HttpResponse:
        card, form = published(version), BallotForm(request.POST)
        if not form.is_valid():
            return self.show(request, card, ballot_form=form, status=422)
        try:
            actions.cast_ballot(card_id=card.pk, acting=actor_of(request.user), **form.cleaned_data)
        except HabitatError as refusal:
            return self.show(request, card, ballot_form=form, refusal=refusal.sentence, status=refusal.status)
        words = Choice(form.cleaned_data["choice"]).value
        messages.success(request, f"Your vote is {words}. You may change it until voting closes.")
        return redirect(reverse("rate-card", args=[version]) + "#vote")


class MyUsageUnderCard(MemberPage):
    """The reader's own events of a period, each under both prices."""

    def get(self, request: HttpRequest, version: int) -> HttpResponseBase:
        card, spans = published(version), rate_card_effects.spans(clock.now().date())
        asked = rate_card_effects.span_called(request.GET.get("span", ""), spans)
        span = asked or next(iter(spans), None)
        if span is None:
            raise Http404
        if request.GET.get("export") in EXPORTS:
            every = rate_card_effects.every_event(self.member.pk, card, span)
            wanted = request.GET["export"]
            return EFFECT_EVENTS.csv_response(every) if wanted == "csv" else EFFECT_EVENTS.xlsx_response(every)
        rows, mark = rate_card_effects.events(self.member.pk, card, span, size=EVENTS_PAGE, after=mark_of(request))
        params = {"span": span.key}
        context = {
            "card": card,
            "span": span,
            "spans": spans,
            "table": EFFECT_EVENTS.render(rows) if rows else "",
            "older": query(params, before=mark.metered_at.isoformat(), line=str(mark.id)) if mark else "",
            "newest": query(params) if request.GET.get("before") else "",
            "csv": query(params, export="csv"),
            "xlsx": query(params, export="xlsx"),
        }
        return render(request, "cloud_credits/rate_card_usage.html", context)


class CanonicalPaper(Page):
    """The very bytes that were hashed."""

    def get(self, request: HttpRequest, version: int) -> HttpResponse:
        card = find(version) or returned(version).card
        paper = canonical(content_of(card))
        return _download(paper, "application/json", f"rate-card-v{version}.json")


class MarkdownPaper(Page):
    """A version as a page of Markdown, with its outcome once there is one."""

    def get(self, request: HttpRequest, version: int) -> HttpResponse:
        card = find(version)
        if card is not None:
            page = _markdown(card, base=rate_card_changes.base_of(card), state=_word(card, clock.now()))
        else:
            told = returned(version)
            page = _markdown(
                told.card, base=rate_card_changes.base_when_told(told.card), state=f"{SENT_BACK}. {told.why}"
            )
        return _download(page.encode(), "text/markdown; charset=utf-8", f"rate-card-v{version}.md")


def find(version: int) -> RateCard | None:
    """The card of that version, as every member may read it."""
    return RateCard.objects.published().filter(version=version).first() if version < LARGEST_VERSION else None


def published(version: int) -> RateCard:
    """The same. Raises Http404."""
    card = find(version)
    if card is None:
        raise Http404
    return card


def returned(version: int) -> SentBack:
    """The version that an emergency sent back to draft. Raises Http404."""
    told = rate_card_votes.sent_back(version) if version < LARGEST_VERSION else None
    if told is None:
        raise Http404
    return told


def _row(entry: Entry, now: datetime) -> dict[str, Any]:
    """A version in the list: what was sent back is under way no more, whatever state it was told in."""
    course = rate_card_votes.course_of(entry.card, now=now)
    return {
        "entry": entry,
        "card": entry.card,
        "word": _entry_word(entry, now),
        "next": next_of(course),
        "is_too_late": course.is_too_late,
        "is_under_way": course.is_under_way and not entry.is_sent_back,
    }


def _entry_word(entry: Entry, now: datetime) -> str:
    return SENT_BACK if entry.is_sent_back else _word(entry.card, now)


def _markdown(card: RateCard, *, base: RateCard | None, state: str) -> str:
    content = content_of(card)
    return markdown(
        content,
        state=state,
        hash_text=content_hash(canonical(content)),
        previous=content_of(base) if base is not None else None,
        outcome=rate_card_votes.printed(card.outcome, card),
    )


def _word(card: RateCard, now: datetime) -> str:
    """What a card is now: an adopted one by its date, any other by its state."""
    return rate_cards.standing_of(card, now) or state_in_words(rate_card_votes.course_of(card, now=now))


def _effect(request: HttpRequest, card: RateCard, course: Course, reader: int | None) -> dict[str, Any]:
    """What the card would have cost the reader: for a card that does not price usage, or not yet."""
    if reader is None or not (course.is_under_way or card.state not in ADOPTED):
        return {"effect": None}
    spans = rate_card_effects.spans(course.now.date())
    asked = rate_card_effects.span_called(request.GET.get("span", ""), spans)
    effect = rate_card_effects.fitting(reader, card, [asked] if asked is not None else spans)
    if effect is None:
        return {"effect": None}
    totals = {"was": effect.was, "would_be": effect.would_be, "change": effect.change}
    totals["usd"] = cloud_to_usd(effect.change)
    table = EFFECT.render(effect.lines, totals) if effect.lines else ""
    return {"effect": effect, "spans": spans, "effect_table": table}


def _vote(
    request: HttpRequest, card: RateCard, course: Course, reader: int | None, form: BallotForm | None
) -> dict[str, Any]:
    """The electorate, and what may be told of its ballots."""
    roll = rate_card_votes.roll_of(card, now=course.now)
    mine = roll.row_of(reader)
    may_vote = rate_card_votes.awaits_ballot_of(getattr(request.user, "member", None), roll=roll, course=course)
    outcome = rate_card_votes.outcome_of(card, course)
    context: dict[str, Any] = {"roll": roll, "mine": mine, "may_vote": may_vote, "outcome": outcome}
    context["bars"] = rate_card_votes.bars_of(card, outcome, roll=roll, course=course)
    if may_vote and mine is not None:
        given = {"choice": mine.choice, "reason": mine.reason} if mine.choice else {}
        context["ballot_form"] = form or BallotForm(initial=given)
    return context


def _download(body: bytes, kind: str, name: str) -> HttpResponse:
    response = HttpResponse(body, content_type=kind)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
