"""How a file of metering events reads: one event a line, CSV with a header or NDJSON, in bounded memory."""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from pathlib import PurePath
from typing import IO, Any, Final, NoReturn

from cloud_credits.errors import ImportFormUnknown, RowTooLong, RowUnreadable

LONGEST_ROW: Final = 65_536
FINGERPRINT_BYTES: Final = 4_096


class FileForm(StrEnum):
    CSV = "csv"
    NDJSON = "ndjson"


@dataclass(frozen=True, slots=True)
class RawRow:
    """One line: its number (the header is line 1), the offset right after it, and its text or nothing if too long."""

    number: int
    end: int
    line: bytes | None


def form_of(name: str) -> FileForm:
    """The form a file's name promises. Raises ImportFormUnknown."""
    suffix = PurePath(name).suffix.lower()
    if suffix == ".csv":
        return FileForm.CSV
    if suffix in {".ndjson", ".jsonl"}:
        return FileForm.NDJSON
    raise ImportFormUnknown(name=PurePath(name).name)


def header_of(stream: IO[bytes]) -> list[str]:
    """The column names in a CSV's first line. Raises RowUnreadable, RowTooLong."""
    row = next(lines(stream, number=0), None)
    if row is None:
        raise RowUnreadable(why="the file is empty")
    return [name.strip() for name in _cells(_text(row).removeprefix("\ufeff"))]


def lines(stream: IO[bytes], *, number: int) -> Iterator[RawRow]:
    """The lines from the stream's position on, never more than one in memory; a line too long comes without text."""
    while piece := stream.readline(LONGEST_ROW + 1):
        number += 1
        whole = len(piece) <= LONGEST_ROW
        while not piece.endswith(b"\n") and (rest := stream.readline(LONGEST_ROW + 1)):
            piece, whole = rest, False
        yield RawRow(number=number, end=stream.tell(), line=piece if whole else None)


def read(row: RawRow, form: FileForm, header: list[str]) -> dict[str, Any] | None:
    """The fields of a line as `policies.metering.parse` takes them; None for a blank line.

    Raises RowTooLong, RowUnreadable.
    """
    text = _text(row)
    if not text.strip():
        return None
    if form is FileForm.NDJSON:
        return _object(text.removeprefix("\ufeff"))
    cells = _cells(text)
    if len(cells) != len(header):
        raise RowUnreadable(why=f"it has {len(cells)} columns where the header has {len(header)}")
    return dict(zip(header, cells, strict=True))


def _text(row: RawRow) -> str:
    if row.line is None:
        raise RowTooLong(largest=LONGEST_ROW)
    try:
        return row.line.decode()
    except UnicodeDecodeError:
        raise RowUnreadable(why="it is not UTF-8") from None


def _cells(text: str) -> list[str]:
    try:
        return next(csv.reader([text], strict=True), [])
    except csv.Error as error:
        raise RowUnreadable(why=str(error)) from None


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text, parse_float=Decimal, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise RowUnreadable(why="it is not JSON") from None
    if not isinstance(found, dict):
        raise RowUnreadable(why="it is not a JSON object")
    return found


def _refuse_constant(name: str) -> NoReturn:
    message = f"{name} is not JSON"
    raise ValueError(message)
