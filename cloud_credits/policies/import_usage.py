"""How a file of metering events reads: one event a line, CSV with a header or NDJSON, in bounded memory."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from pathlib import PurePath
from typing import IO, Final

from cloud_credits.errors import ImportFormUnknown, RowTooLong, RowUnreadable
from cloud_credits.policies.metering_batch import LONGEST_EVENT, Batch, Unread, read_bodies, read_lines

LONGEST_ROW: Final = LONGEST_EVENT
FINGERPRINT_BYTES: Final = 4_096
TAIL_BYTES: Final = 4_096


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
    names = [name.strip() for name in _cells(_text(row).removeprefix("\ufeff"))]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        # One of the two would be taken and the other lost, unseen.
        raise RowUnreadable(why=f"the column “{twice}” stands twice in the header")
    return names


def lines(stream: IO[bytes], *, number: int) -> Iterator[RawRow]:
    """The lines from the stream's position on, never more than one in memory; a line too long comes without text."""
    while piece := stream.readline(LONGEST_ROW + 1):
        number += 1
        whole = len(piece) <= LONGEST_ROW
        while not piece.endswith(b"\n") and (rest := stream.readline(LONGEST_ROW + 1)):
            piece, whole = rest, False
        yield RawRow(number=number, end=stream.tell(), line=piece if whole else None)


def chunks(rows: Iterator[RawRow], size: int) -> Iterator[list[RawRow]]:
    """The rows, so many at a time; never more than one chunk in memory."""
    while chunk := list(islice(rows, size)):
        yield chunk


def is_blank(row: RawRow) -> bool:
    return row.line is not None and not row.line.strip()


def batch_of(rows: list[RawRow], form: FileForm, header: list[str]) -> Batch:
    """The events in lines that are not blank, one an item; a line that cannot be read is refused, not lost."""
    if form is FileForm.NDJSON:
        return read_lines([row.line if row.line is not None else _too_long() for row in rows])
    return read_bodies([_cells_of(row, header) for row in rows])


def _too_long() -> Unread:
    return Unread(RowTooLong(largest=LONGEST_ROW))


def _cells_of(row: RawRow, header: list[str]) -> dict[str, str] | Unread:
    """A CSV line by its columns; what is empty is as if it were not there."""
    try:
        cells = _cells(_text(row))
    except (RowTooLong, RowUnreadable) as refusal:
        return Unread(refusal)
    if len(cells) != len(header):
        return Unread(RowUnreadable(why=f"it has {len(cells)} columns where the header has {len(header)}"))
    return {name: cell for name, cell in zip(header, cells, strict=True) if cell}


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
