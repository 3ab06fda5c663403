"""The bank in the back office: accounts, lines with every version, the review queue of matches, bills."""

import re
from datetime import date
from decimal import Decimal
from typing import Any, ClassVar, Final

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Exists, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.admin import TabularInline

from habitat.errors import HabitatError
from habitat.faces.admin import Done, ExportMixin, HouseAdmin, ReasonForm, Verb, VerbForm
from habitat.faces.templatetags.faces import usd
from habitat.members.policies.actors import Actor
from habitat.money import LARGEST_USD, USD_BOOK_PLACES, parse_decimal
from treasury.actions import bank, bank_matches, bills
from treasury.models import (
    BankAccount,
    BankLine,
    BankLineVersion,
    BankMatch,
    BankMatchLine,
    BankMatchTarget,
    BankReading,
    BankRowAside,
    Bill,
)
from treasury.policies.bank import (
    BANK_CODES,
    BILL_ACCOUNTS,
    HOLDING,
    POSTED,
    BillKind,
    BillState,
    LineStatus,
    MatchKind,
    MatchState,
    TargetKind,
)
from treasury.policies.matching import Target
from treasury.reports import bank as reports
from treasury.workflows import bank as workflows

_TARGET: Final = re.compile(r"^\s*(payout|bill|refund|account)\s+#?(\d+)\s*$", re.IGNORECASE)
_BY_HAND: Final = (
    MatchKind.PAYOUT,
    MatchKind.STRIPE_DEBIT,
    MatchKind.REFUND,
    MatchKind.BILL,
    MatchKind.TAX,
    MatchKind.TRANSFER,
    MatchKind.INTEREST,
)


class ReadOnlyInline(TabularInline):
    """Rows that belong to the object above; never changed here."""

    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


# --- accounts


class AssignForm(ReasonForm):
    ledger_code = forms.ChoiceField(label="Stands for account", choices=[(code, code) for code in BANK_CODES])
    is_backing = forms.BooleanField(label="Counts as backing", required=False)


def _read_now(*, acting: Actor, key: str) -> Done:
    done = workflows.sync(timezone.now(), acting=acting)
    refused = f" Refused: {'; '.join(done.refused)}" if done.refused else ""
    return Done(
        message=f"{done.accounts} accounts read: {done.new} new lines, {done.changed} changed, {done.vanished} gone; "
        f"{done.suggested} suggestions, {done.deposits} deposits.{refused}"
    )


def _assign(account: BankAccount, *, acting: Actor, key: str, ledger_code: str, is_backing: bool, reason: str) -> None:
    bank.assign(account=account, ledger_code=ledger_code, is_backing=is_backing, reason=reason, acting=acting)


def _as_it_is(account: Any) -> dict[str, Any]:
    return {"ledger_code": account.ledger_code, "is_backing": account.is_backing}


class ReadingInline(ReadOnlyInline):
    """The newest readings."""

    model = BankReading
    fields = ("read_at", "available", "current")
    readonly_fields = fields
    max_num = 0

    def get_queryset(self, request: HttpRequest) -> QuerySet[BankReading]:
        newest = BankReading.objects.order_by("-read_at").values("pk")[:200]
        return super().get_queryset(request).filter(pk__in=newest)


@admin.register(BankAccount)
class BankAccountAdmin(HouseAdmin):
    list_display = ("name", "kind", "ledger_code", "is_backing", "available", "read_until")
    fields = ("account_id", "name", "kind", "ledger_code", "is_backing", "opened_at", "read_until")
    readonly_fields = fields
    inlines = (ReadingInline,)
    list_verbs: ClassVar = (Verb("read-now", "Read the bank now", "treasury.read_bank", _read_now, form=VerbForm),)
    verbs: ClassVar = (
        Verb(
            "assign",
            "Say what it stands for",
            "treasury.assign_bankaccount",
            _assign,
            form=AssignForm,
            initial=_as_it_is,
            warning="Backing is computed from the accounts that count.",
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[BankAccount]:
        self._readings: dict[int, BankReading] | None = None
        return super().get_queryset(request)

    @admin.display(description="available (USD)")
    def available(self, account: BankAccount) -> str:
        if self._readings is None:
            self._readings = reports.latest_readings()
        reading = self._readings.get(account.pk)
        return usd(reading.available) if reading is not None else "not read yet"


# --- lines


class WaitingFilter(admin.SimpleListFilter):
    """Posted lines that nobody has matched or explained."""

    title = "match"
    parameter_name = "match"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("waiting", "waits"), ("held", "matched or explained"), ("unposted", "not posted")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[BankLine]) -> QuerySet[BankLine]:
        if self.value() == "waiting":
            return queryset.filter(~Exists(reports.held_lines()), current__status=POSTED.value)
        if self.value() == "held":
            return queryset.filter(Exists(reports.held_lines()))
        return queryset.exclude(current__status=POSTED.value) if self.value() == "unposted" else queryset


class VersionInline(ReadOnlyInline):
    """Each way the bank reported the line."""

    model = BankLineVersion
    fk_name = "line"
    fields = ("number", "status", "amount", "posted_at", "counterparty", "description", "reference", "seen_at")
    readonly_fields = fields
    ordering = ("-number",)


class MatchForm(ReasonForm):
    kind = forms.ChoiceField(
        label="Stands for", choices=[(kind.value, kind.value.replace("_", " ")) for kind in _BY_HAND]
    )
    targets = forms.CharField(
        label="Which",
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "placeholder": "bill 12\nbill 13"}),
        help_text="One a row: payout, bill, refund or account, and its number. None for a transfer between two lines.",
    )
    others = forms.CharField(
        label="Together with lines", required=False, help_text="Numbers of other lines, with spaces between."
    )

    def clean_targets(self) -> list[tuple[TargetKind, int]]:
        return [_target(row) for row in self.cleaned_data["targets"].splitlines() if row.strip()]

    def clean_others(self) -> list[BankLine]:
        words = self.cleaned_data["others"].replace(",", " ").split()
        if not all(word.isdecimal() and len(word) < 19 for word in words):
            raise ValidationError("Write numbers of lines, with spaces between.")
        found = {line.pk: line for line in BankLine.objects.select_related("current").filter(pk__in=map(int, words))}
        missing = [word for word in words if int(word) not in found]
        if missing:
            raise ValidationError(f"There is no line {missing[0]}.")
        return list(found.values())


class DuplicateForm(ReasonForm):
    of = forms.ModelChoiceField(
        label="Of line", queryset=BankLine.objects.select_related("current"), widget=forms.NumberInput
    )


def _target(row: str) -> tuple[TargetKind, int]:
    found = _TARGET.match(row)
    if found is None or len(found[2]) > 18:
        raise ValidationError(f"“{row.strip()}” is not payout, bill, refund or account, and a number.")
    return TargetKind(found[1].lower()), int(found[2])


def _match(
    line: BankLine,
    *,
    acting: Actor,
    key: str,
    kind: str,
    targets: list[tuple[TargetKind, int]],
    others: list[BankLine],
    reason: str,
) -> Done:
    lines = list({one.pk: one for one in (line, *others)}.values())
    made = bank_matches.match_by_hand(
        kind=MatchKind(kind),
        lines=lines,
        targets=_targets(lines, targets),
        reason=reason,
        idempotency_key=key,
        acting=acting,
    )
    return Done(message=f"Match {made.pk} is confirmed.", go_to=_address(made))


def _targets(lines: list[BankLine], named: list[tuple[TargetKind, int]]) -> list[Target]:
    """Facts come to what they come to; an account of the chart takes what is left of the lines."""
    left = sum((line.current.amount for line in lines if line.current is not None), Decimal(0))
    amounts = {pair: reports.fact_amount(*pair) or Decimal(0) for pair in named if pair[0] is not TargetKind.ACCOUNT}
    left -= sum(amounts.values(), Decimal(0))
    return [Target(kind, str(number), amounts.get((kind, number), left)) for kind, number in named]


def _ignore(line: BankLine, *, acting: Actor, key: str, reason: str) -> Done:
    made = bank_matches.ignore(line=line, reason=reason, idempotency_key=key, acting=acting)
    return Done(message=f"Line {line.pk} is explained and posts nothing.", go_to=_address(made))


def _duplicate(line: BankLine, *, acting: Actor, key: str, of: BankLine, reason: str) -> Done:
    made = bank_matches.mark_duplicate(line=line, of=of, reason=reason, idempotency_key=key, acting=acting)
    return Done(message=f"Line {line.pk} is a duplicate of line {of.pk}.", go_to=_address(made))


def _address(match: BankMatch) -> str:
    return reverse("admin:treasury_bankmatch_change", args=[match.pk])


def _waits(line: Any) -> bool:
    posted = line.current is not None and line.current.status == POSTED
    return posted and reports.holder_of_line(line.pk) is None


@admin.register(BankLine)
class BankLineAdmin(HouseAdmin):
    list_display = ("id", "posted", "amount", "counterparty", "description", "status", "account", "matches")
    list_display_links = ("id", "counterparty")
    list_filter = (WaitingFilter, "account", "current__status")
    search_fields = ("=id", "=line_id", "current__counterparty", "current__description", "current__reference")
    list_select_related = ("current", "account")
    ordering = ("-id",)
    fields = ("id", "account", "line_id", "status", "amount", "posted", "opened_at", "first_seen_at", "matches")
    readonly_fields = fields
    inlines = (VersionInline,)
    verbs: ClassVar = (
        Verb("match", "Match by hand", "treasury.match_bank", _match, form=MatchForm, available=_waits,
             warning="What it stands for is posted: see the bank's entries in the journal."),
        Verb("ignore", "Explain and ignore", "treasury.match_bank", _ignore, available=_waits),
        Verb("duplicate", "Mark as a duplicate", "treasury.match_bank", _duplicate, form=DuplicateForm,
             available=_waits),
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[BankLine]:
        return super().get_queryset(request).prefetch_related("match_lines__match")

    @admin.display(description="posted", ordering="current__posted_at")
    def posted(self, line: BankLine) -> Any:
        return line.current.posted_at if line.current is not None else None

    @admin.display(description="amount (USD)", ordering="current__amount")
    def amount(self, line: BankLine) -> str:
        return usd(line.current.amount) if line.current is not None else ""

    @admin.display(description="counterparty")
    def counterparty(self, line: BankLine) -> str:
        return line.current.counterparty if line.current is not None else ""

    @admin.display(description="description")
    def description(self, line: BankLine) -> str:
        return line.current.description if line.current is not None else ""

    @admin.display(description="status")
    def status(self, line: BankLine) -> str:
        return LineStatus(line.current.status).value if line.current is not None else ""

    @admin.display(description="matches")
    def matches(self, line: BankLine) -> SafeString | str:
        parts = [part.match for part in line.match_lines.all() if part.match.state in (*HOLDING, MatchState.SUGGESTED)]
        rows = ((_address(match), match.get_kind_display(), match.state) for match in parts)
        return format_html_join(" · ", '<a href="{}">{} {}</a>', rows) if parts else "—"


@admin.register(BankRowAside)
class BankRowAsideAdmin(HouseAdmin):
    list_display = ("id", "row_id", "field", "account", "seen_at")
    list_filter = ("field", "account")
    list_select_related = ("account",)
    search_fields = ("=row_id",)
    fields = ("id", "account", "row_id", "field", "payload", "seen_at")
    readonly_fields = fields


# --- matches: the review queue


class MatchLineInline(ReadOnlyInline):
    """What the bank reported."""

    model = BankMatchLine
    fields = ("line", "dollars")
    readonly_fields = fields
    verbose_name_plural = "bank lines"

    @admin.display(description="amount")
    def dollars(self, part: BankMatchLine) -> str:
        return usd(part.amount)


class TargetInline(ReadOnlyInline):
    """What it stands for."""

    model = BankMatchTarget
    fields = ("kind", "target_id", "dollars")
    readonly_fields = fields
    verbose_name_plural = "stand for"

    @admin.display(description="amount")
    def dollars(self, target: BankMatchTarget) -> str:
        return usd(target.amount)


def _confirm(match: BankMatch, *, acting: Actor, key: str, reason: str) -> None:
    bank_matches.confirm(match=match, reason=reason, acting=acting)


def _dismiss(match: BankMatch, *, acting: Actor, key: str, reason: str) -> None:
    bank_matches.dismiss(match=match, reason=reason, acting=acting)


def _unmatch(match: BankMatch, *, acting: Actor, key: str, reason: str) -> None:
    bank_matches.unmatch(match=match, reason=reason, acting=acting)


def _is_suggested(match: Any) -> bool:
    return bool(match.state == MatchState.SUGGESTED)


def _may_be_undone(match: Any) -> bool:
    return match.state in HOLDING and match.kind not in {MatchKind.DEPOSIT, MatchKind.REFUND}


@admin.register(BankMatch)
class BankMatchAdmin(HouseAdmin):
    list_display = ("id", "kind", "state", "score", "amount", "why", "question", "created_at")
    list_display_links = ("id", "kind")
    list_filter = ("state", "kind", "rule")
    search_fields = ("=id", "why", "match_lines__line__current__counterparty", "=match_lines__line__line_id")
    ordering = ("-id",)
    fields = (
        "id", "kind", "state", "rule", "score", "why", "question", "created_at", "created_by", "decided_at",
        "decided_by", "reason", "entry", "undone_at", "undone_by", "undo_reason",
    )  # fmt: skip
    readonly_fields = fields
    inlines = (MatchLineInline, TargetInline)
    verbs: ClassVar = (
        Verb("confirm", "Confirm", "treasury.match_bank", _confirm, available=_is_suggested,
             warning="What it stands for is posted to the books."),
        Verb("dismiss", "Dismiss", "treasury.match_bank", _dismiss, available=_is_suggested),
        Verb("unmatch", "Undo the match", "treasury.match_bank", _unmatch, available=_may_be_undone, danger=True,
             warning="Its entry is reversed; the lines wait for a match again."),
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[BankMatch]:
        return super().get_queryset(request).prefetch_related("match_lines")

    @admin.display(description="at the bank (USD)")
    def amount(self, match: BankMatch) -> str:
        return usd(sum((part.amount for part in match.match_lines.all()), Decimal(0)))

    @admin.display(description="entry")
    def entry(self, match: BankMatch) -> SafeString | str:
        if match.journal_entry_id is None:
            return "—"
        address = reverse("admin:treasury_journalentry_change", args=[match.journal_entry_id])
        return format_html('<a href="{}">Entry {}</a>', address, match.journal_entry_id)


# --- bills


class BillForm(VerbForm):
    kind = forms.ChoiceField(label="For", choices=[(kind.value, kind.value) for kind in BillKind])
    account = forms.ChoiceField(
        label="Account", choices=[(code, code) for codes in BILL_ACCOUNTS.values() for code in codes]
    )
    supplier = forms.CharField(label="Supplier or authority", max_length=200)
    number = forms.CharField(label="Their number of it", max_length=64)
    amount = forms.CharField(label="Amount (USD)", max_length=40)
    billed_on = forms.DateField(label="Dated", widget=forms.DateInput(attrs={"type": "date"}))
    due_on = forms.DateField(label="Due", widget=forms.DateInput(attrs={"type": "date"}))
    note = forms.CharField(label="Note", required=False, max_length=2000, widget=forms.Textarea(attrs={"rows": 2}))

    def clean_amount(self) -> Decimal:
        try:
            return parse_decimal(self.cleaned_data["amount"], places=USD_BOOK_PLACES, largest=LARGEST_USD)
        except HabitatError as error:
            raise ValidationError(error.sentence) from error


def _record(
    *,
    acting: Actor,
    key: str,
    kind: str,
    account: str,
    supplier: str,
    number: str,
    amount: Decimal,
    billed_on: date,
    due_on: date,
    note: str,
) -> Done:
    bill = bills.record(
        kind=BillKind(kind),
        account=account,
        supplier=supplier,
        number=number,
        amount=amount,
        billed_on=billed_on,
        due_on=due_on,
        note=note,
        idempotency_key=key,
        acting=acting,
    )
    return Done(message=f"Bill {bill.number} of {bill.supplier} is recorded.")


def _void(bill: Bill, *, acting: Actor, key: str, reason: str) -> None:
    bills.void(bill=bill, reason=reason, acting=acting)


@admin.register(Bill)
class BillAdmin(ExportMixin, HouseAdmin):
    list_display = ("id", "supplier", "number", "kind", "account", "amount", "billed_on", "due_on", "state")
    list_display_links = ("id", "number")
    list_filter = ("state", "kind", "account", ("due_on", admin.DateFieldListFilter))
    search_fields = ("supplier", "number")
    ordering = ("-id",)
    fields = (
        "id", "kind", "account", "supplier", "number", "amount", "billed_on", "due_on", "state", "note",
        "journal_entry", "recorded_by", "created_at", "void_entry", "voided_by", "void_reason",
    )  # fmt: skip
    readonly_fields = fields
    export_fields = ("id", "kind", "account", "supplier", "number", "amount", "billed_on", "due_on", "state")
    list_verbs: ClassVar = (
        Verb("record", "Record a bill", "treasury.record_bill", _record, form=BillForm,
             warning="It is posted to the books at once: an expense or a tax against what is payable."),
    )  # fmt: skip
    verbs: ClassVar = (
        Verb("void", "Void", "treasury.void_bill", _void, danger=True,
             available=lambda bill: bill.state == BillState.OPEN, warning="Its entry is reversed."),
    )  # fmt: skip
