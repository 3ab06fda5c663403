"""A file of metering events comes in, one event at a time, and can be taken up again where it stopped."""

import csv
import hashlib
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from django.db import transaction
from django.db.models import F

from cloud_credits.actions import metering
from cloud_credits.errors import ImportBusy, ImportFileChanged
from cloud_credits.models import UsageImport
from cloud_credits.policies.import_usage import FINGERPRINT_BYTES, FileForm, RawRow, form_of, header_of, lines, read
from habitat.controls.models import ServiceKey
from habitat.errors import HabitatError
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


def import_usage(*, path: Path, key: ServiceKey, acting: Actor) -> Iterator[Progress]:
    """Records each event of a CSV or NDJSON file through the same door as a service, yielding after each row.

    An event and the mark that it was read commit together: killed at any line, the next run goes on with the first
    row that is not in, and its counts are exact. Not one transaction, so that a long file holds no lock for long.
    Raises ImportFormUnknown, ImportFileChanged (the file under this name grew at its beginning), ImportBusy.
    """
    form = form_of(path.name)
    with path.open("rb") as stream:
        job = _job(path.name, _fingerprint(stream), key)
        header = header_of(stream) if form is FileForm.CSV else []
        stream.seek(max(job.offset, stream.tell()))
        first = job.rows + job.blanks + (1 if form is FileForm.CSV else 0)
        with report_path(path).open("ab") as report:
            _resume_report(report, job)
            for row in lines(stream, number=first):
                yield _one(row, form, header, job, report, acting)


def _one(
    row: RawRow, form: FileForm, header: list[str], job: UsageImport, report: IO[bytes], acting: Actor
) -> Progress:
    """Judges one line. Its effect, or its refusal, and the new offset are one transaction."""
    with transaction.atomic():
        try:
            body = read(row, form, header)
            if body is None:
                _mark(job, row, blanks=1)
            else:
                outcome = metering.receive(body=body, key_id=job.service_key_id, acting=acting)
                _mark(job, row, **({"duplicates": 1} if outcome.replayed else {"accepted": 1}))
        except ImportBusy:
            raise
        except HabitatError as refusal:
            _report(report, row, _event_id(row, form, header), refusal)
            _mark(job, row, refused=1, report_bytes=report.tell())
    return Progress(job.offset, job.rows, job.accepted, job.duplicates, job.refused)


def _mark(job: UsageImport, row: RawRow, *, report_bytes: int | None = None, **counted: int) -> None:
    """Moves the mark past `row`. Raises ImportBusy where it is no longer where this run left it."""
    changes: dict[str, Any] = {"offset": row.end} | {name: F(name) + by for name, by in counted.items()}
    if "blanks" not in counted:
        changes["rows"] = F("rows") + 1
    if report_bytes is not None:
        changes["report_bytes"] = report_bytes
    moved = UsageImport.objects.filter(pk=job.pk, offset=job.offset).update(**changes)
    if not moved:
        raise ImportBusy(name=job.name)
    job.offset = row.end
    for name, by in counted.items():
        setattr(job, name, getattr(job, name) + by)
    if "blanks" not in counted:
        job.rows += 1
    if report_bytes is not None:
        job.report_bytes = report_bytes


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


def _resume_report(report: IO[bytes], job: UsageImport) -> None:
    """Cuts off what a killed run wrote past its last mark; a new report begins with its header."""
    report.truncate(job.report_bytes)
    report.seek(0, io.SEEK_END)
    if job.report_bytes == 0:
        _write_line(report, REPORT_COLUMNS)


def _report(report: IO[bytes], row: RawRow, event_id: str, refusal: HabitatError) -> None:
    report.seek(0, io.SEEK_END)
    _write_line(report, (str(row.number), event_id, refusal.code, refusal.field or "", refusal.sentence))


def _write_line(report: IO[bytes], cells: tuple[str, ...]) -> None:
    text = io.StringIO()
    csv.writer(text).writerow(_harmless(cell) for cell in cells)
    report.write(text.getvalue().encode())
    report.flush()


def _harmless(cell: str) -> str:
    """A cell that a spreadsheet will not run as a formula: the row came from outside."""
    return f"'{cell}" if cell[:1] in {"=", "+", "-", "@", "\t", "\r"} else cell


def _event_id(row: RawRow, form: FileForm, header: list[str]) -> str:
    try:
        body: Mapping[str, Any] = read(row, form, header) or {}
    except HabitatError:
        return ""
    return str(body.get("eventId", ""))[:200]
