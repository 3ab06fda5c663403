"""A file of metering events comes in, a batch at a time, and can be taken up again where it stopped."""

import csv
import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from cloud_credits import locks
from cloud_credits.actions import metering_batch
from cloud_credits.actions.metering_batch import Refused
from cloud_credits.actions.rate_cards import settle_before_pricing
from cloud_credits.errors import ImportBusy, ImportFileChanged
from cloud_credits.models import UsageImport
from cloud_credits.policies.import_usage import (
    FINGERPRINT_BYTES,
    TAIL_BYTES,
    FileForm,
    RawRow,
    batch_of,
    chunks,
    form_of,
    header_of,
    is_blank,
    lines,
)
from cloud_credits.policies.metering_batch import MOST_EVENTS
from habitat.controls.models import ServiceKey
from habitat.members.policies.actors import Actor

REPORT_COLUMNS: Final = ("line", "eventId", "code", "field", "reason")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an import is, after one more row: bytes read of the file, and rows by outcome over all runs."""

    offset: int
    rows: int
    accepted: int
    duplicates: int
    refused: int


def report_path(path: Path) -> Path:
    """Where the refused rows of `path` are written, with the reason of each: next to it."""
    return path.with_name(path.name + ".refused.csv")


def import_usage(*, path: Path, key: ServiceKey, acting: Actor, rows_at_once: int = MOST_EVENTS) -> Iterator[Progress]:
    """Records each event of a CSV or NDJSON file as a batch from a service would be, yielding how far earlier runs came
    and then after each batch.

    A batch and the mark that its rows were read commit together: killed at any moment, the next run goes on with the
    first row that is not in, and its counts are exact. Not one transaction, so that a long file holds no lock for
    long. What two runs at once share, the mark and the report, is only touched under the lock of the import's row: the
    run whose mark was moved by another stops before it judges or writes anything. Raises ImportFormUnknown,
    ImportFileChanged (what was read under this name is no longer there), ImportBusy.
    """
    form = form_of(path.name)
    with path.open("rb") as stream:
        job = _job(path.name, _fingerprint(stream), key)
        _require_grown(stream, job)
        yield _progress(job)
        header = header_of(stream) if form is FileForm.CSV else []
        stream.seek(max(job.offset, stream.tell()))
        first = job.rows + job.blanks + (1 if form is FileForm.CSV else 0)
        with report_path(path).open("ab") as report:
            for rows in chunks(lines(stream, number=first), rows_at_once):
                yield _take(rows, _tail(stream, rows[-1].end), form, header, job, report, acting)


def _take(
    rows: list[RawRow],
    tail: bytes,
    form: FileForm,
    header: list[str],
    job: UsageImport,
    report: IO[bytes],
    acting: Actor,
) -> Progress:
    """Judges some lines. Their effects, their refusals and the new offset are one transaction."""
    filled = [row for row in rows if not is_blank(row)]
    counted = {"rows": len(filled), "blanks": len(rows) - len(filled)}
    settle_before_pricing()
    with transaction.atomic():
        _require_mark(job)
        _resume_report(report, job)
        if filled:
            outcome = metering_batch.record(
                batch=batch_of(filled, form, header), key_id=job.service_key_id, acting=acting
            )
            counted |= {
                "accepted": outcome.accepted,
                "duplicates": outcome.duplicates,
                "refused": len(outcome.refused),
            }
            _report(report, filled, outcome.refused)
        _mark(job, rows[-1].end, tail, counted, report.tell())
    return _progress(job)


def _progress(job: UsageImport) -> Progress:
    return Progress(job.offset, job.rows, job.accepted, job.duplicates, job.refused)


def _require_mark(job: UsageImport) -> None:
    """Locks the import until the transaction ends. Raises ImportBusy where its mark is no longer where this run left
    it."""
    if locks.usage_import(job.pk).offset != job.offset:
        raise ImportBusy(name=job.name)


def _mark(job: UsageImport, end: int, tail: bytes, counted: Mapping[str, int], report_bytes: int) -> None:
    """Moves the mark to `end`, under the lock of `_require_mark`."""
    changes: dict[str, Any] = {name: F(name) + by for name, by in counted.items()}
    UsageImport.objects.filter(pk=job.pk).update(
        offset=end, tail=tail, report_bytes=report_bytes, touched_at=Now(), **changes
    )
    job.offset, job.report_bytes = end, report_bytes
    for name, by in counted.items():
        setattr(job, name, getattr(job, name) + by)


def _job(name: str, fingerprint: bytes, key: ServiceKey) -> UsageImport:
    job, _ = UsageImport.objects.get_or_create(service_key=key, name=name, defaults={"fingerprint": fingerprint})
    if bytes(job.fingerprint) != fingerprint:
        raise ImportFileChanged(name=name)
    return job


def _fingerprint(stream: IO[bytes]) -> bytes:
    """SHA-256 of the first line or the first 4 KiB, whichever is less: a file that only grew is still the same."""
    beginning = stream.read(FINGERPRINT_BYTES).split(b"\n", 1)[0]
    stream.seek(0)
    return hashlib.sha256(beginning).digest()


def _require_grown(stream: IO[bytes], job: UsageImport) -> None:
    """The bytes before the mark still stand there: many files of one service begin alike. Raises ImportFileChanged."""
    size = stream.seek(0, io.SEEK_END)
    if size < job.offset or (job.tail is not None and _tail(stream, job.offset) != bytes(job.tail)):
        raise ImportFileChanged(name=job.name)
    stream.seek(0)


def _tail(stream: IO[bytes], end: int) -> bytes:
    """SHA-256 of the last 4 KiB before `end`, or of all of it; leaves the stream at `end`."""
    stream.seek(max(0, end - TAIL_BYTES))
    return hashlib.sha256(stream.read(end - stream.tell())).digest()


def _resume_report(report: IO[bytes], job: UsageImport) -> None:
    """Cuts off what a killed run wrote past its last mark; a new report begins with its header. Under the lock of
    `_require_mark`: nobody else writes past the mark now."""
    report.truncate(job.report_bytes)
    report.seek(0, io.SEEK_END)
    if job.report_bytes == 0:
        _write_line(report, REPORT_COLUMNS)
        report.flush()


def _report(report: IO[bytes], rows: list[RawRow], refused: Sequence[Refused]) -> None:
    report.seek(0, io.SEEK_END)
    for each in refused:
        number, refusal = rows[each.position].number, each.refusal
        _write_line(report, (str(number), each.event_id, refusal.code, refusal.field or "", refusal.sentence))
    report.flush()


def _write_line(report: IO[bytes], cells: tuple[str, ...]) -> None:
    text = io.StringIO()
    csv.writer(text).writerow(_harmless(cell) for cell in cells)
    report.write(text.getvalue().encode("utf-8", "replace"))


def _harmless(cell: str) -> str:
    """A cell that a spreadsheet will not run as a formula: the row came from outside."""
    return f"'{cell}" if cell[:1] in {"=", "+", "-", "@", "\t", "\r"} else cell
