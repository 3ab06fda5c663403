"""The page, the CSV and the XLSX of one list say the same."""

import csv
import io
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from html.parser import HTMLParser

import pytest
from openpyxl import load_workbook

from habitat.faces.tables import Column, Kind, Table


@dataclass(frozen=True)
class Line:
    id: int
    memo: str
    amount: Decimal
    dollars: Decimal | None
    at: datetime
    state: str


TABLE: Table[Line] = Table(
    name="lines",
    caption="Lines of a test.",
    columns=(
        Column("id", "Number", lambda line: line.id, Kind.INTEGER, link=lambda line: f"/lines/{line.id}/"),
        Column("memo", "Memo", lambda line: line.memo),
        Column("amount", "CLOUD", lambda line: line.amount, Kind.CLOUD),
        Column("dollars", "USD", lambda line: line.dollars, Kind.USD),
        Column("at", "Booked", lambda line: line.at, Kind.MOMENT),
        Column("state", "State", lambda line: line.state, Kind.STATUS),
    ),
)
AT = datetime(2026, 4, 1, 12, 0, tzinfo=UTC)
LINES = [
    Line(1, "first", Decimal("1.50000000"), Decimal("15.005"), AT, "completed"),
    Line(2, "=1+1", Decimal("-0.00000001"), None, AT, "pending"),
    Line(3, "<b>x</b>", Decimal("12345678901.12345678"), Decimal(1), AT, "failed"),
]


class _Cells(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.inside = False

    def handle_starttag(self, tag, attrs):
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
            self.inside = True

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self.inside = False

    def handle_data(self, data):
        if self.inside:
            self.rows[-1][-1] += data


def screen(rows):
    parser = _Cells()
    parser.feed(TABLE.render(rows))
    return parser.rows


def csv_rows(rows):
    text = b"".join(TABLE.csv_response(rows).streaming_content).decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text)))


def xlsx_rows(rows):
    sheet = load_workbook(io.BytesIO(TABLE.xlsx(rows))).active
    return [list(row) for row in sheet.iter_rows(values_only=True)]


def test_screen_shows_cents_and_exact_cloud():
    assert screen(LINES[:1]) == [
        ["Number", "Memo", "CLOUD", "USD", "Booked", "State"],
        ["1", "first", "1.5", "$15.01", "2026-04-01 12:00 UTC", "completed"],
    ]


def test_screen_escapes_what_people_typed():
    assert "<b>x</b>" not in TABLE.render(LINES)
    assert "&lt;b&gt;x&lt;/b&gt;" in TABLE.render(LINES)


def test_csv_carries_cents_and_exact_usd():
    assert csv_rows(LINES[:1]) == [
        ["Number", "Memo", "CLOUD", "USD", "USD (exact)", "Booked", "State"],
        ["1", "first", "1.5", "15.01", "15.005", "2026-04-01T12:00:00Z", "completed"],
    ]


def test_csv_starts_with_a_byte_order_mark_and_names_its_file():
    response = TABLE.csv_response([])
    assert b"".join(response.streaming_content).startswith(b"\xef\xbb\xbf")
    assert response["Content-Disposition"] == 'attachment; filename="lines.csv"'


def test_csv_defuses_a_formula__a_negative_amount_stays_a_number():
    row = csv_rows(LINES[1:2])[1]
    assert row[1] == "'=1+1"
    assert row[2] == "-0.00000001"


def test_xlsx_writes_a_formula_as_text():
    sheet = load_workbook(io.BytesIO(TABLE.xlsx(LINES[1:2]))).active
    assert sheet["B2"].value == "=1+1"
    assert sheet["B2"].data_type == "s"


def test_xlsx_keeps_a_number_too_long_for_a_double_as_text():
    assert xlsx_rows(LINES[2:])[1][2] == "12345678901.12345678"


def test_export_has_the_same_rows_and_columns_as_the_screen():
    shown, exported, book = screen(LINES), csv_rows(LINES), xlsx_rows(LINES)
    assert len(shown) == len(exported) == len(book) == 4
    for on_screen, in_csv, in_book in zip(shown[1:], exported[1:], book[1:], strict=True):
        assert on_screen[0] == in_csv[0] == str(in_book[0])
        assert on_screen[2].replace(",", "").replace("−", "-") == in_csv[2]
        assert Decimal(str(in_book[2])) == Decimal(in_csv[2])
        assert on_screen[3].replace("$", "").replace(",", "") == in_csv[3]
        assert on_screen[5] == in_csv[6] == in_book[6]


def test_totals_stand_under_their_columns():
    html = TABLE.render(LINES[:1], totals={"amount": Decimal("1.5"), "dollars": Decimal("15.005")})
    parser = _Cells()
    parser.feed(html)
    assert parser.rows[-1] == ["Total", "", "1.5", "$15.01", "", ""]


@pytest.mark.parametrize("count", [0, 1, 2000])
def test_csv_streams_every_row(count):
    rows = [Line(n, "m", Decimal(n), None, AT, "completed") for n in range(count)]
    assert len(csv_rows(rows)) == count + 1
