"""Documents as PDF in the house's style: title, facts, tables, a footer that counts; same data, same bytes.

The creation date comes from what is shown, never from the clock. DejaVu Sans is embedded (`fonts/LICENSE`), so that
names keep their letters on every machine.
"""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from django.http import HttpResponse
from fpdf import FPDF
from fpdf.enums import TableBordersLayout, TableCellFillMode, VAlign, XPos, YPos
from fpdf.fonts import FontFace

# What it says of each font it cuts down is of no use to who runs the house.
logging.getLogger("fontTools").setLevel(logging.WARNING)

PDF_TYPE: Final = "application/pdf"
FONTS: Final = Path(__file__).parent / "fonts"
FAMILY: Final = "DejaVu Sans"
MARGIN: Final = 18
INK: Final = (28, 36, 33)
QUIET: Final = (84, 98, 92)
ACCENT: Final = (20, 92, 72)
HEAD_FILL: Final = (232, 240, 236)
# More columns than this are read across the long side of the sheet.
UPRIGHT_COLUMNS: Final = 6
# What no font draws and some readers stumble over.
_UNPRINTABLE: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class PdfColumn:
    """`width` is the column's share beside the others; amounts stand to the right."""

    title: str
    width: int = 1
    is_amount: bool = False


class _Pages(FPDF):
    """A4 sheets whose footer names the document and counts the pages."""

    foot_line: str = ""

    def footer(self) -> None:
        self.set_y(-14)
        self.set_font(FAMILY, size=8)
        self.set_text_color(*QUIET)
        self.cell(0, 5, self.foot_line, align="L", new_x=XPos.LMARGIN)
        self.cell(0, 5, f"{self.page_no()} of {{nb}}", align="R")


class Document:
    """One PDF. `created_at` is the moment of the data; `subject` a sentence for who finds the file in a list."""

    def __init__(self, *, title: str, subject: str, created_at: datetime, is_wide: bool = False) -> None:
        self._pdf = pdf = _Pages(orientation="landscape" if is_wide else "portrait", format="A4")
        pdf.foot_line = _clean(title)
        pdf.set_creation_date(created_at.astimezone(UTC))
        pdf.set_title(_clean(title))
        pdf.set_subject(_clean(subject))
        pdf.set_author("Habitat")
        pdf.set_creator("Habitat")
        pdf.set_lang("en")
        pdf.set_margin(MARGIN)
        pdf.set_auto_page_break(auto=True, margin=MARGIN)
        pdf.add_font(FAMILY, "", FONTS / "DejaVuSans.ttf")
        pdf.add_font(FAMILY, "B", FONTS / "DejaVuSans-Bold.ttf")
        pdf.add_page()

    def heading(self, text: str, *, under: str = "") -> None:
        """The title on the page, and a quiet line under it."""
        self._line(text, size=18, style="B", ink=ACCENT)
        if under:
            self._line(under, size=9, ink=QUIET)
        self._pdf.ln(4)

    def paragraph(self, text: str, *, is_strong: bool = False) -> None:
        self._line(text, size=10, style="B" if is_strong else "")
        self._pdf.ln(2)

    def facts(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Names and values, one pair a row; pairs without a value are left out."""
        pdf = self._pdf
        pdf.set_font(FAMILY, size=10)
        pdf.set_text_color(*INK)
        label = FontFace(color=QUIET)
        with pdf.table(
            borders_layout=TableBordersLayout.NONE,
            first_row_as_headings=False,
            col_widths=(1, 3),
            line_height=6,
            v_align=VAlign.T,
        ) as table:
            for name, value in pairs:
                if value:
                    row = table.row()
                    row.cell(_clean(name), style=label)
                    row.cell(_clean(value))
        pdf.ln(4)

    def table(
        self, columns: Sequence[PdfColumn], rows: Sequence[Sequence[str]], foot: Sequence[str] = (), *, size: int = 9
    ) -> None:
        """A table whose head is repeated on every page; `foot` is its last row, in bold."""
        pdf = self._pdf
        pdf.set_font(FAMILY, size=size)
        pdf.set_text_color(*INK)
        pdf.set_draw_color(*QUIET)
        pdf.set_line_width(0.1)
        strong = FontFace(emphasis="BOLD")
        with pdf.table(
            borders_layout=TableBordersLayout.HORIZONTAL_LINES,
            cell_fill_mode=TableCellFillMode.NONE,
            col_widths=tuple(column.width for column in columns),
            headings_style=FontFace(emphasis="BOLD", fill_color=HEAD_FILL),
            line_height=size * 0.6,
            padding=(0.8, 1.2),
            text_align=tuple("RIGHT" if column.is_amount else "LEFT" for column in columns),
            v_align=VAlign.T,
        ) as table:
            head = table.row()
            for column in columns:
                head.cell(_clean(column.title))
            for cells in rows:
                table.row([_clean(cell) for cell in cells])
            if foot:
                table.row([_clean(cell) for cell in foot], style=strong)
        pdf.ln(4)

    def to_bytes(self) -> bytes:
        return bytes(self._pdf.output())

    def response(self, name: str) -> HttpResponse:
        """Shown in the browser, saved as `name`."""
        answer = HttpResponse(self.to_bytes(), content_type=PDF_TYPE)
        answer["Content-Disposition"] = f'inline; filename="{name}"'
        return answer

    def _line(self, text: str, *, size: int, style: str = "", ink: tuple[int, int, int] = INK) -> None:
        pdf = self._pdf
        pdf.set_font(FAMILY, style=style, size=size)
        pdf.set_text_color(*ink)
        pdf.multi_cell(0, size * 0.5, _clean(text), align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)


def _clean(text: str) -> str:
    return _UNPRINTABLE.sub("\ufffd", text)
