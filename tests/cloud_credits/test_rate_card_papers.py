"""A card's papers: canonical bytes, their hash, and a Markdown page in which words stay words (domain §4, audit)."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from cloud_credits.policies.primitives import MEASURES, Primitive
from cloud_credits.policies.rate_card_papers import (
    CardContent,
    PrintedOutcome,
    canonical,
    changed_percent,
    content_hash,
    content_of,
    instant,
    markdown,
    percent_in_words,
    quoted,
)

CARD = CardContent(
    version=1,
    is_emergency=False,
    effective_date=date(2026, 4, 1),
    proposed_at=datetime(2026, 3, 1, tzinfo=UTC),
    rates={
        Primitive.COMPUTE: Decimal("1.00000000"),
        Primitive.TRANSFER: Decimal("0.1"),
        Primitive.LTM: Decimal("0.05"),
        Primitive.STM: Decimal("0.5"),
    },
    costs={
        Primitive.COMPUTE: Decimal("0.0416"),
        Primitive.TRANSFER: Decimal("0.01"),
        Primitive.LTM: Decimal("0.023"),
        Primitive.STM: Decimal("0.05"),
    },
    target_margin=Decimal("90.00"),
    reserve_buffer=Decimal(10),
    capacity_assumptions="No usage was measured before opening.",
    justification='Grün, "quoted"\nand <b>bold</b>.',
    notes="",
    evidence="",
    rules={"noticeDays": 30, "floors": {"compute": Decimal("0.50")}, "bars": ["1", True, None]},
)
BYTES = (
    b'{"capacityAssumptions":"No usage was measured before opening.","effectiveAt":"2026-04-01T00:00:00Z",'
    b'"emergency":false,"evidence":"","format":"habitat.rate-card.v1",'
    b'"justification":"Gr\xc3\xbcn, \\"quoted\\"\\nand <b>bold</b>.","notes":"",'
    b'"noticeAt":"2026-03-01T00:00:00.000000Z","primitives":{'
    b'"compute":{"costUsd":"0.0416","rateCloud":"1","unit":"compute-hours"},'
    b'"ltm":{"costUsd":"0.023","rateCloud":"0.05","unit":"gigabyte-months"},'
    b'"stm":{"costUsd":"0.05","rateCloud":"0.5","unit":"gigabyte-hours"},'
    b'"transfer":{"costUsd":"0.01","rateCloud":"0.1","unit":"gigabytes"}},'
    b'"reserveBufferPercent":"10","rules":{"bars":["1",true,null],"floors":{"compute":"0.5"},"noticeDays":30},'
    b'"targetMarginPercent":"90","version":1}'
)


def test_canonical__is_sorted_without_spaces_and_exact():
    assert canonical(CARD) == BYTES


def test_canonical__is_the_same_however_the_numbers_and_the_zone_were_written():
    elsewhere = CARD.proposed_at.astimezone(timezone(timedelta(hours=9)))
    rewritten = replace(
        CARD,
        proposed_at=elsewhere,
        target_margin=Decimal(90),
        rates={primitive: CARD.rates[primitive] + Decimal("0E-8") for primitive in reversed(MEASURES)},
    )
    assert canonical(rewritten) == canonical(CARD)


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"is_emergency": True},
        {"effective_date": date(2026, 4, 2)},
        {"proposed_at": datetime(2026, 3, 1, 0, 0, 0, 1, tzinfo=UTC)},
        {"rates": {**CARD.rates, Primitive.STM: Decimal("0.50000001")}},
        {"costs": {**CARD.costs, Primitive.STM: Decimal("0.05000001")}},
        {"target_margin": Decimal("90.01")},
        {"reserve_buffer": Decimal(11)},
        {"capacity_assumptions": "More."},
        {"justification": CARD.justification + " "},
        {"notes": "A note"},
        {"evidence": "A bill"},
        {"rules": {"noticeDays": 31}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_hash__changes_with_each_part(change):
    assert content_hash(canonical(replace(CARD, **change))) != content_hash(canonical(CARD))


def test_hash__is_keccak_and_not_sha3():
    assert content_hash(b"") == "0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
    assert content_hash(b"abc") == "0x4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"


def test_canonical__refuses_a_binary_fraction():
    with pytest.raises(TypeError):
        canonical(replace(CARD, rules={"cap": 0.5}))


def test_instant__has_one_form_and_needs_a_zone():
    assert instant(datetime(2026, 3, 1, 9, 30, tzinfo=timezone(timedelta(hours=9)))) == "2026-03-01T00:30:00.000000Z"
    with pytest.raises(ValueError, match="zone"):
        instant(datetime(2026, 3, 1))  # noqa: DTZ001 - the naive moment is what is refused


def test_content__of_a_draft_is_refused():
    class Draft:
        version = None
        effective_date = None
        proposed_at = None

    with pytest.raises(ValueError, match="draft"):
        content_of(Draft())


def test_markdown__compares_with_the_card_before_and_tells_the_vote():
    second = replace(
        CARD,
        version=2,
        effective_date=date(2026, 9, 1),
        rates={**CARD.rates, Primitive.COMPUTE: Decimal("1.125"), Primitive.STM: Decimal("0.4")},
    )
    outcome = PrintedOutcome(
        settled_at=datetime(2026, 8, 20, 12, tzinfo=UTC), electors=4, yes=3, no=1, abstain=0, passed=True,
        rule="more yes than no", reason="3 yes and 1 no of 4 electors.", eligible=["Ana", "B*n"],
    )  # fmt: skip
    page = markdown(second, state="approved", hash_text="0xabc", previous=CARD, outcome=outcome)
    assert page.startswith("# Rate card version 2\n\n- State: approved\n- In force from: 2026-09-01 00:00 UTC\n")
    assert "| Compute | compute-hours | 1.125 | 1 | +12.5 % | 0.0416 |" in page
    assert "| Transfer | gigabytes | 0.1 | 0.1 | unchanged | 0.01 |" in page
    assert "| Short-term memory | gigabyte-hours | 0.4 | 0.5 | −20 % | 0.05 |" in page
    assert "- Adopted: 3 yes and 1 no of 4 electors.\n- Closed: 2026-08-20 12:00 UTC\n" in page
    assert "- Electors: 4 (Ana, B\\*n)\n- Yes 3, no 1, abstained 0" in page
    assert "`rate-card-hash-v2` on `habitat.eth` is kept for it; nothing is written there yet" in page


def test_markdown__leaves_out_what_nobody_wrote():
    page = markdown(CARD, state="active", hash_text="0xabc")
    assert "## Notes" not in page
    assert "## Evidence" not in page
    assert "## The vote" not in page


def test_quoted__keeps_words_words():
    hostile = "<script>alert(1)</script>\n# Title\n[x](javascript:alert(1))\n- item\n1. one\n---\n![i](u) `c` *b* & |"
    assert quoted(hostile) == (
        "> \\<script\\>alert(1)\\</script\\>\n> \\# Title\n> \\[x\\](javascript:alert(1))\n> \\- item\n> 1\\. one\n"
        "> \\---\n> \\!\\[i\\](u) \\`c\\` \\*b\\* &amp; \\|"
    )


def test_canonical__can_be_read_back_as_json():
    assert json.loads(canonical(CARD))["primitives"]["compute"]["rateCloud"] == "1"


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("1", "1.5", "+50 %"),
        ("1", "1.50000001", "+50.000001 %"),
        ("0.5", "0.5", "unchanged"),
        ("0.3", "0.1", "−66.666667 %"),
    ],
)
def test_change__is_told_in_percent(before, after, words):
    assert percent_in_words(changed_percent(Decimal(before), Decimal(after))) == words
