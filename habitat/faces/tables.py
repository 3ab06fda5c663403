"""One definition of a list: its columns give the page's table, the CSV and the XLSX, so that all three say the same."""

import csv
import io
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, Generic, TypeVar

from django.http import HttpResponse, StreamingHttpResponse
from django.template.loader import render_to_string
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font

from habitat.errors import HabitatError
from habitat.faces.pdf import UPRIGHT_COLUMNS, Document, PdfColumn
from habitat.faces.templatetags.faces import cloud, number_of, signed, status, usd, when
from habitat.money import CENT_PLACES, cents, plain

Row = TypeVar("Row")

# A spreadsheet keeps a number as a double: fifteen digits are safe, more would be changed silently.
SPREADSHEET_DIGITS: Final = 15
# A cell that starts so is run as a formula by spreadsheets that open a CSV.
FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
# What XML cannot carry: one such character in a memo would make a whole workbook impossible, for ever.
_UNPRINTABLE: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
XLSX_TYPE: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class Kind(StrEnum):
    TEXT = "text"
    # A number that names something: never grouped, never an amount.
    NUMBER = "number"
    CLOUD = "cloud"
    # A signed CLOUD amount: what came in and what went out.
    CHANGE = "change"
    USD = "usd"
    QUANTITY = "quantity"
    RATE = "rate"
    INTEGER = "integer"
    MOMENT = "moment"
    DAY = "day"
    STATUS = "status"


# A reader turns pages; a list longer than this is data, and takes its time to be drawn.
PDF_ROWS: Final = 2_000
# How much of the sheet's breadth a kind needs beside the others.
PDF_WIDTHS: Final = {Kind.TEXT: 3, Kind.NUMBER: 1, Kind.INTEGER: 1}

AMOUNTS: Final = frozenset({Kind.CLOUD, Kind.CHANGE, Kind.USD, Kind.QUANTITY, Kind.RATE, Kind.INTEGER})


class TooManyPdfRows(HabitatError):
    code = "too_many_pdf_rows"
    template = "A PDF shows at most {most} lines. Choose a shorter range, or take the CSV or XLSX file."


@dataclass(frozen=True, slots=True)
class Column(Generic[Row]):
    """`value` gives the exact value of a row; `link` the address its text leads to on the page."""

    key: str
    title: str
    value: Callable[[Row], Any]
    kind: Kind = Kind.TEXT
    link: Callable[[Row], str | None] | None = None

    @property
    def is_amount(self) -> bool:
        return self.kind in AMOUNTS

    def export_titles(self) -> tuple[str, ...]:
        """USD is exported twice: as the page shows it, and exact (domain §1)."""
        return (self.title, f"{self.title} (exact)") if self.kind is Kind.USD else (self.title,)

    def export_values(self, row: Row) -> tuple[Any, ...]:
        value = self.value(row)
        if self.is_amount:
            value = number_of(value)
        if self.kind is Kind.USD:
            return (None, None) if value is None else (cents(value), value)
        return (value,)

    def html(self, row: Row) -> SafeString | str:
        shown = _shown(self.kind, self.value(row))
        target = self.link(row) if self.link else None
        return format_html('<a href="{}">{}</a>', target, shown) if target and shown else shown


@dataclass(frozen=True, slots=True)
class Cell:
    title: str
    html: SafeString | str
    is_amount: bool


@dataclass(frozen=True, slots=True)
class Table(Generic[Row]):
    """`name` is the file's name and the id on the page; `caption` says in a sentence what the list holds."""

    name: str
    caption: str
    columns: Sequence[Column[Row]]

    def render(self, rows: Iterable[Row], totals: dict[str, Any] | None = None) -> SafeString:
        """The page's table. `totals` are by column key; the first column of the foot says “Total”."""
        body = [[Cell(c.title, c.html(row), c.is_amount) for c in self.columns] for row in rows]
        return render_to_string(
            "faces/table.html", {"table": self, "body": body, "foot": self._foot(totals) if totals else []}
        )

    def csv_response(self, rows: Iterable[Row]) -> StreamingHttpResponse:
        """UTF-8 with a byte order mark, so that spreadsheets read names right; streamed row by row."""
        response = StreamingHttpResponse(self._csv_lines(rows), content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="{self.name}.csv"'
        return response

    def xlsx_response(self, rows: Iterable[Row]) -> HttpResponse:
        response = HttpResponse(self.xlsx(rows), content_type=XLSX_TYPE)
        response["Content-Disposition"] = f'attachment; filename="{self.name}.xlsx"'
        return response

    def xlsx(self, rows: Iterable[Row]) -> bytes:
        """One sheet with a frozen bold head. A number too long for a double is written as text, digit for digit."""
        book = Workbook(write_only=True)
        sheet = book.create_sheet(self.name[:31])
        sheet.freeze_panes = "A2"
        head = [WriteOnlyCell(sheet, value=title) for title in self.export_titles()]
        for cell in head:
            cell.font = Font(bold=True)
        sheet.append(head)
        for row in rows:
            sheet.append([_xlsx_cell(sheet, value) for value in self.export_row(row)])
        out = io.BytesIO()
        book.save(out)
        return out.getvalue()

    def pdf(self, document: Document, rows: Iterable[Row], totals: dict[str, Any] | None = None) -> None:
        """The same table on a document's pages. Raises TooManyPdfRows: long lists are for CSV and XLSX."""
        body = []
        for row in rows:
            if len(body) == PDF_ROWS:
                raise TooManyPdfRows(most=PDF_ROWS)
            body.append([_printed(c.kind, c.value(row)) for c in self.columns])
        foot = [_printed(c.kind, totals.get(c.key)) for c in self.columns] if totals else []
        if foot and not foot[0]:
            foot[0] = "Total"
        columns = [PdfColumn(c.title, PDF_WIDTHS.get(c.kind, 2), is_amount=c.is_amount) for c in self.columns]
        document.table(columns, body, foot, size=9 if len(self.columns) <= UPRIGHT_COLUMNS else 7)

    def export_titles(self) -> list[str]:
        return [title for column in self.columns for title in column.export_titles()]

    def export_row(self, row: Row) -> list[Any]:
        return [value for column in self.columns for value in column.export_values(row)]

    def _csv_lines(self, rows: Iterable[Row]) -> Iterable[str]:
        buffer = io.StringIO()
        writer = csv.writer(buffer)
        yield "\ufeff"
        writer.writerow(self.export_titles())
        for row in rows:
            writer.writerow([_csv_text(value) for value in self.export_row(row)])
            if buffer.tell() > 16_384:
                yield buffer.getvalue()
                buffer.seek(0)
                buffer.truncate()
        yield buffer.getvalue()

    def _foot(self, totals: dict[str, Any]) -> list[Cell]:
        cells = [Cell(c.title, _shown(c.kind, totals.get(c.key)), c.is_amount) for c in self.columns]
        if not cells[0].html:
            cells[0] = Cell("", "Total", False)
        return cells


def _shown(kind: Kind, value: Any) -> SafeString | str:
    if value is None or value == "":
        return ""
    if kind is Kind.USD:
        return usd(value)
    if kind is Kind.CHANGE:
        return signed(value)
    if kind in AMOUNTS:
        return cloud(value)
    if kind in (Kind.MOMENT, Kind.DAY):
        return when(value)
    if kind is Kind.STATUS:
        return status(value)
    return conditional_escape(value)


def _printed(kind: Kind, value: Any) -> str:
    """As on the page, without its markup: amounts grouped and exact, USD to cents, moments in UTC."""
    if value is None or value == "":
        return ""
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    if kind in AMOUNTS:
        return str(_shown(kind, value))
    return str(value)


def _utc_text(moment: datetime) -> str:
    at = moment.astimezone(UTC)
    return at.isoformat(timespec="microseconds" if at.microsecond else "seconds").replace("+00:00", "Z")


def _csv_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Decimal):
        # Cents keep their two places; everything else drops trailing zeros, as on the page.
        return f"{value:f}" if _is_cents(value) else plain(value)
    if isinstance(value, datetime):
        return _utc_text(value)
    if isinstance(value, int | date):
        return str(value)
    text = str(value)
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def _xlsx_cell(sheet: Any, value: Any) -> WriteOnlyCell:
    if isinstance(value, Decimal):
        digits = len(value.normalize().as_tuple().digits)
        if digits > SPREADSHEET_DIGITS:
            return WriteOnlyCell(sheet, value=plain(value))
        cell = WriteOnlyCell(sheet, value=value)
        cell.number_format = "#,##0.00" if _is_cents(value) else "#,##0.########"
        return cell
    if isinstance(value, datetime):
        return WriteOnlyCell(sheet, value=_utc_text(value))
    if value is None or isinstance(value, int | date):
        return WriteOnlyCell(sheet, value=value)
    cell = WriteOnlyCell(sheet, value=_UNPRINTABLE.sub("\ufffd", str(value)))
    cell.data_type = "s"
    return cell


def _is_cents(value: Decimal) -> bool:
    return value.as_tuple().exponent == -CENT_PLACES
