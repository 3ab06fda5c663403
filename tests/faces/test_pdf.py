"""PDFs of the house: the words are the data's, the bytes are the same tomorrow, names keep their letters."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
import time_machine

from habitat.faces.pdf import Document, PdfColumn
from habitat.faces.tables import PDF_ROWS, Column, Kind, Table, TooManyPdfRows
from tests.faces.pdf_text import pages_of, text_of

MADE = datetime(2026, 2, 10, 17, tzinfo=UTC)
COLUMNS = (PdfColumn("Line"), PdfColumn("What", 5), PdfColumn("CLOUD", 2, is_amount=True))


def document(**changes) -> Document:
    return Document(**{"title": "Invoice 1", "subject": "Project X", "created_at": MADE} | changes)


def filled(rows: int = 3) -> bytes:
    made = document()
    made.heading("Invoice 1", under="Zoë Łuczak → Ñandú (a \\ b)")
    made.facts([("Total", "500 CLOUD"), ("Note", "")])
    made.table(COLUMNS, [[str(n), "Design", "50.00000001"] for n in range(1, rows + 1)], ["", "Total", "500"])
    return made.to_bytes()


def test_text__is_read_back_as_it_was_given():
    assert text_of(filled(2)).splitlines() == [
        "Invoice 1",
        "Zoë Łuczak → Ñandú (a \\ b)",
        "Total",
        "500 CLOUD",
        "Line",
        "What",
        "CLOUD",
        *["1", "Design", "50.00000001"],
        *["2", "Design", "50.00000001"],
        "Total",
        "500",
        "Invoice 1",
        *["1 of ", "1"],
    ]


def test_same_data__same_bytes__whenever_it_is_made():
    with time_machine.travel(datetime(2026, 3, 1, tzinfo=UTC)):
        first = filled()
    with time_machine.travel(datetime(2027, 7, 9, tzinfo=UTC)):
        assert filled() == first
    assert b"/CreationDate (D:20260210170000Z" in first
    assert b"/Lang (en)" in first


def test_long_tables__repeat_their_head_and_count_pages():
    pages = pages_of(filled(100))
    assert len(pages) > 2
    for number, page in enumerate(pages, start=1):
        assert page.splitlines()[-2:] == [f"{number} of ", str(len(pages))]
        assert {"Line", "What", "CLOUD"} <= set(page.splitlines())


def test_words_longer_than_the_sheet_and_letters_nobody_draws__break_nothing():
    made = document(title="a\x00b")
    made.heading("x" * 500)
    made.facts([("Name", "y" * 500 + "\ud800")])
    made.table(COLUMNS, [["1", "z" * 2000, "9" * 60]])
    text = text_of(made.to_bytes()).replace("\n", "")
    assert "x" * 500 in text
    assert text.count("z") == 2000


def test_table__prints_what_the_page_shows():
    table = Table(
        "things",
        "Things.",
        (
            Column("day", "Day", lambda row: row[0], Kind.MOMENT),
            Column("state", "State", lambda row: "overdue", Kind.STATUS),
            Column("cloud", "CLOUD", lambda row: row[1], Kind.CLOUD),
            Column("usd", "USD", lambda row: row[1] * 10, Kind.USD),
        ),
    )
    made = document()
    table.pdf(made, [(MADE, Decimal("1250.50000000"))], {"usd": Decimal("12505")})
    assert text_of(made.to_bytes()).splitlines()[4:-3] == [
        *["2026-02-10 17:00 UTC", "overdue", "1,250.5", "$12,505.00"],
        *["Total", "$12,505.00"],
    ]


def test_table__too_long_for_paper__says_so():
    table = Table("things", "Things.", (Column("n", "N", lambda row: row, Kind.INTEGER),))
    with pytest.raises(TooManyPdfRows):
        table.pdf(document(), range(PDF_ROWS + 1))
