"""A file of events comes in through the services' door; killed anywhere, it goes on where it was."""

import csv
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from cloud_credits.actions import import_usage as import_usage_module
from cloud_credits.actions.import_usage import Progress, import_usage, report_path
from cloud_credits.errors import ImportBusy, ImportFileChanged, ImportFormUnknown, RowUnreadable
from cloud_credits.management.commands import import_usage as command
from cloud_credits.models import MeteringRefusal, ResourceUsage, UsageImport
from cloud_credits.policies.import_usage import LONGEST_ROW, FileForm, form_of
from habitat.controls.actions import service_keys
from habitat.controls.models import ServiceKey
from habitat.controls.reports.service_keys import actor_of
from habitat.members.policies.actors import SYSTEM
from tests.cloud_credits.ledger import broken_proofs, holds
from tests.cloud_credits.metered import body, dec, make_key
from tests.factories import make_member

pytestmark = pytest.mark.django_db

COLUMNS = ["eventId", "memberId", "primitive", "quantity", "unit", "serviceName", "timestamp"]
ROOT = Path(__file__).resolve().parents[2]


def csv_file(path, events):
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        writer.writerows(events)
    return path


def ndjson_file(path, events):
    path.write_text("".join(json.dumps(event) + "\n" for event in events))
    return path


def run(path, key, **options):
    *_, last = import_usage(path=path, key=key, acting=actor_of(key), **options)
    return last


def reasons(path):
    with report_path(path).open(newline="") as stream:
        return [(row["line"], row["eventId"], row["code"], row["field"]) for row in csv.DictReader(stream)]


@pytest.mark.parametrize(
    ("write", "name"), [(csv_file, "usage.csv"), (ndjson_file, "usage.ndjson"), (ndjson_file, "u.JSONL")]
)
def test_import__records_every_event(tmp_path, write, name):
    member, key = make_member(credits="100"), make_key()
    path = write(tmp_path / name, [body(member) for _ in range(5)])
    last = run(path, key)
    assert (last.rows, last.accepted, last.duplicates, last.refused) == (5, 5, 0, 0)
    assert last.offset == path.stat().st_size
    assert holds(member)[0] == dec("87.5")
    assert reasons(path) == []
    assert broken_proofs() == []


def test_import__refused_rows_are_reported_with_line_and_reason(tmp_path):
    member, key = make_member(credits="6"), make_key()
    events = [
        body(member, eventId="a"),
        body(member, eventId="b", quantity="-1"),
        body(member, eventId="c", unit="GB"),
        body(member, eventId="d"),
        body(member, eventId="e"),
        body(member, eventId="=cmd()", quantity="x"),
    ]
    path = csv_file(tmp_path / "usage.csv", events)
    last = run(path, key)
    assert (last.accepted, last.refused) == (2, 4)
    assert reasons(path) == [
        ("3", "b", "quantity_not_positive", "quantity"),
        ("4", "c", "wrong_unit", "unit"),
        ("6", "e", "insufficient_balance", ""),
        ("7", "'=cmd()", "amount_not_a_number", "quantity"),
    ]
    assert MeteringRefusal.objects.count() == 4
    assert broken_proofs() == []


def test_import__rows_that_cannot_be_read_stop_nothing(tmp_path):
    member, key = make_member(credits="100"), make_key()
    good = json.dumps(body(member)).encode()
    path = tmp_path / "usage.ndjson"
    path.write_bytes(
        b"\n".join(
            [b"{", b"[1]", b"\xff\xfe", b'{"quantity": NaN}', b"", b"x" * (LONGEST_ROW * 3), b"[" * 60_000, good]
        )
    )
    last = run(path, key)
    assert (last.rows, last.accepted, last.refused) == (7, 1, 6)
    assert [(line, code) for line, _, code, _ in reasons(path)] == [
        ("1", "row_unreadable"),
        ("2", "row_unreadable"),
        ("3", "row_unreadable"),
        ("4", "row_unreadable"),
        ("6", "row_too_long"),
        ("7", "row_unreadable"),
    ]


def test_import__a_csv_row_with_other_columns_is_refused(tmp_path):
    member, key = make_member(credits="100"), make_key()
    path = csv_file(tmp_path / "usage.csv", [body(member)])
    path.write_text(path.read_text() + "a,b\r\n" + '"open\r\n')
    assert (run(path, key).accepted, [code for _, _, code, _ in reasons(path)]) == (1, ["row_unreadable"] * 2)


def test_import__the_same_file_again_does_nothing_and_tells_what_it_came_to(tmp_path):
    member, key = make_member(credits="100"), make_key()
    path = csv_file(tmp_path / "usage.csv", [body(member), body(member), body(member, quantity="0")])
    whole = run(path, key)
    assert list(import_usage(path=path, key=key, acting=actor_of(key))) == [whole]
    assert (whole.accepted, whole.refused, ResourceUsage.objects.count()) == (2, 1, 2)


def test_import__the_same_events_in_another_file_are_duplicates(tmp_path):
    member, key = make_member(credits="100"), make_key()
    events = [body(member) for _ in range(3)]
    run(csv_file(tmp_path / "one.csv", events), key)
    last = run(ndjson_file(tmp_path / "two.ndjson", events), key)
    assert (last.accepted, last.duplicates, last.refused) == (0, 3, 0)
    assert holds(member)[0] == dec("92.5")


def test_import__a_file_that_grew_goes_on_with_what_is_new(tmp_path):
    member, key = make_member(credits="100"), make_key()
    events = [body(member) for _ in range(4)]
    path = csv_file(tmp_path / "usage.csv", events[:2])
    run(path, key)
    csv_file(path, events)
    last = run(path, key)
    assert (last.rows, last.accepted, last.duplicates) == (4, 4, 0)


def test_import__another_file_under_the_same_name_is_refused(tmp_path):
    member, key = make_member(credits="100"), make_key()
    path = ndjson_file(tmp_path / "usage.ndjson", [body(member)])
    run(path, key)
    ndjson_file(path, [body(member), body(member)])
    with pytest.raises(ImportFileChanged):
        run(path, key)
    assert ResourceUsage.objects.count() == 1


@pytest.mark.parametrize("count", [1, 3, 4])
@pytest.mark.parametrize("at_once", [1, 100])
def test_import__tomorrows_file_of_the_same_name_and_header_is_refused(tmp_path, count, at_once):
    member, key = make_member(credits="100"), make_key()
    path = csv_file(tmp_path / "usage.csv", [body(member, eventId=f"old-{number}") for number in range(3)])
    run(path, key, rows_at_once=at_once)
    job, report = UsageImport.objects.values().get(), report_path(path).read_bytes()
    csv_file(path, [body(member, eventId=f"new-{number}") for number in range(count)])
    with pytest.raises(ImportFileChanged, match="what was read of it changed"):
        run(path, key)
    assert (UsageImport.objects.values().get(), report_path(path).read_bytes()) == (job, report)
    assert ResourceUsage.objects.count() == 3


def test_import__a_long_file_that_grew_is_known_by_what_stands_before_its_mark(tmp_path):
    """Longer than what is compared, and read in several turns."""
    member, key = make_member(credits="100"), make_key()
    events = [body(member, eventId=f"long-{number}", quantity="0.1") for number in range(90)]
    path = ndjson_file(tmp_path / "usage.ndjson", events[:70])
    assert path.stat().st_size > 2 * 4_096
    first = import_usage(path=path, key=key, acting=actor_of(key), rows_at_once=40)
    assert [next(first).accepted for _ in range(2)] == [0, 40]
    first.close()
    ndjson_file(path, events)
    assert run(path, key, rows_at_once=30).accepted == 90
    text = path.read_bytes()
    path.write_bytes(text[:-10] + b"?" + text[-9:] + text)
    with pytest.raises(ImportFileChanged):
        run(path, key)
    assert ResourceUsage.objects.count() == 90


def test_import__a_mark_from_before_tails_were_kept_still_needs_the_whole_length(tmp_path):
    member, key = make_member(credits="100"), make_key()
    path = csv_file(tmp_path / "usage.csv", [body(member) for _ in range(3)])
    run(path, key)
    UsageImport.objects.update(tail=None)
    assert run(path, key).rows == 3
    csv_file(path, [body(member)])
    with pytest.raises(ImportFileChanged):
        run(path, key)


def test_import__stopped_between_rows_it_goes_on_with_the_next(tmp_path):
    member, key = make_member(credits="100"), make_key()
    events = [body(member, quantity="-1" if number % 2 else "1") for number in range(6)]
    path = csv_file(tmp_path / "usage.csv", events)
    first = import_usage(path=path, key=key, acting=actor_of(key), rows_at_once=1)
    assert [next(first).rows for _ in range(4)] == [0, 1, 2, 3]
    first.close()
    # What a killed run wrote past its last mark is cut off again.
    with report_path(path).open("ab") as report:
        report.write(b"7,half-a-row")
    last = run(path, key)
    assert (last.rows, last.accepted, last.refused, last.duplicates) == (6, 3, 3, 0)
    assert [line for line, *_ in reasons(path)] == ["3", "5", "7"]


def test_import__two_at_once_do_not_mix(tmp_path):
    """The one that was overtaken stops before it writes: not a line stands twice in the report."""
    member, key = make_member(credits="100"), make_key()
    events = [body(member, eventId=f"two-{number}", quantity="0" if number else "1") for number in range(4)]
    path = csv_file(tmp_path / "usage.csv", events)
    one = import_usage(path=path, key=key, acting=actor_of(key), rows_at_once=1)
    two = import_usage(path=path, key=key, acting=actor_of(key), rows_at_once=1)
    assert [next(one).rows, next(one).rows, next(two).rows, next(two).rows] == [0, 1, 1, 2]
    with pytest.raises(ImportBusy):
        next(one)
    assert [last.rows for last in two] == [3, 4]
    assert UsageImport.objects.get().refused == MeteringRefusal.objects.count() == 3
    assert [number for _, number, *_ in reasons(path)] == ["two-1", "two-2", "two-3"]


@pytest.mark.django_db(transaction=True)
def test_import__one_that_begins_while_another_writes_cuts_nothing_off(tmp_path, monkeypatch):
    member, key = make_member(credits="100"), make_key()
    path = csv_file(tmp_path / "usage.csv", [body(member, eventId=f"cut-{n}", quantity="0") for n in range(4)])
    mark, told = import_usage_module._mark, []

    def begin():
        try:
            told.extend(import_usage(path=path, key=key, acting=actor_of(key), rows_at_once=2))
        except ImportBusy as busy:
            told.append(busy)
        finally:
            connection.close()

    other = threading.Thread(target=begin)

    def marked_while_another_begins(*given):
        if other.ident is None:
            other.start()
            other.join(1)
        mark(*given)

    monkeypatch.setattr(import_usage_module, "_mark", marked_while_another_begins)
    try:
        run(path, key, rows_at_once=2)
    finally:
        other.join(30)
    assert not other.is_alive()
    assert type(told[-1]) is ImportBusy
    assert UsageImport.objects.get().report_bytes == report_path(path).stat().st_size
    assert [number for _, number, *_ in reasons(path)] == ["cut-0", "cut-1", "cut-2", "cut-3"]


@pytest.mark.parametrize("at_once", [1, 2, 3, 7, 100])
@pytest.mark.parametrize("write", [csv_file, ndjson_file])
def test_import__is_the_same_however_many_rows_are_taken_at_once(tmp_path, write, at_once):
    member, key = make_member(credits="6"), make_key()
    events = [body(member, eventId=f"n{number}", quantity=quantity) for number, quantity in
              enumerate(("1", "9", "2", "x", "4", "3", "1", "0", "1"))]  # fmt: skip
    events.append(events[0])
    path = write(tmp_path / ("usage.csv" if write is csv_file else "usage.ndjson"), events)
    text = path.read_text().splitlines(keepends=True)
    text.insert(4, "\n")
    path.write_text("".join(text))
    last = run(path, key, rows_at_once=at_once)
    assert (last.rows, last.accepted, last.duplicates, last.refused) == (10, 3, 1, 6)
    assert last.offset == path.stat().st_size
    job = UsageImport.objects.get()
    assert (job.rows, job.blanks, job.offset) == (10, 1, last.offset)
    assert [(number, code) for _, number, code, _ in reasons(path)] == [
        ("n1", "insufficient_balance"),
        ("n3", "amount_not_a_number"),
        ("n4", "insufficient_balance"),
        ("n6", "insufficient_balance"),
        ("n7", "quantity_not_positive"),
        ("n8", "insufficient_balance"),
    ]
    assert holds(member)[0] == 0
    assert broken_proofs() == []


def test_import__a_batch_that_fails_leaves_its_rows_for_the_next_run(tmp_path, monkeypatch):
    member, key = make_member(credits="100"), make_key()
    path = csv_file(tmp_path / "usage.csv", [body(member) for _ in range(6)])
    first = import_usage(path=path, key=key, acting=actor_of(key), rows_at_once=4)
    assert [next(first).rows for _ in range(2)] == [0, 4]
    with monkeypatch.context() as patch:
        patch.setattr("cloud_credits.actions.import_usage._report", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            next(first)
    assert (ResourceUsage.objects.count(), UsageImport.objects.get().rows) == (4, 4)
    assert run(path, key).rows == 6
    assert holds(member)[0] == dec("85")


@pytest.mark.parametrize(
    ("name", "form"), [("a.csv", FileForm.CSV), ("a.NDJSON", FileForm.NDJSON), ("a.jsonl", FileForm.NDJSON)]
)
def test_form__follows_the_name(name, form):
    assert form_of(name) is form


def test_form__any_other_name_is_refused(tmp_path):
    path = tmp_path / "usage.xlsx"
    path.write_text("")
    with pytest.raises(ImportFormUnknown):
        run(path, make_key())


def test_import__an_empty_csv_is_refused(tmp_path):
    path = tmp_path / "usage.csv"
    path.write_text("")
    with pytest.raises(RowUnreadable):
        run(path, make_key())


def test_import__a_column_that_stands_twice_is_refused(tmp_path):
    member = make_member(credits="100")
    path = csv_file(tmp_path / "usage.csv", [body(member)])
    header, line = path.read_text().splitlines()
    path.write_text(f"{header},quantity\n{line},7\n")
    with pytest.raises(RowUnreadable) as refusal:
        run(path, make_key())
    assert refusal.value.details == {"why": "the column “quantity” stands twice in the header"}
    assert ResourceUsage.objects.count() == 0


def test_command__shows_progress_and_the_totals(tmp_path, capsys):
    member, key = make_member(credits="100"), make_key()
    path = csv_file(tmp_path / "usage.csv", [body(member), body(member, quantity="0")])
    call_command("import_usage", str(path), "--key", key.prefix)
    shown = capsys.readouterr()
    assert "1 accepted, 0 already known, 1 refused." in shown.out
    assert "usage.csv.refused.csv" in shown.out
    assert "usage.csv" in shown.err


def test_command__run_again_tells_the_counts_of_the_whole_and_where_the_report_is(tmp_path, capsys):
    member, key = make_member(credits="100"), make_key()
    path = csv_file(tmp_path / "usage.csv", [body(member), body(member, quantity="0")])
    call_command("import_usage", str(path), "--key", key.prefix)
    first = capsys.readouterr().out
    call_command("import_usage", str(path), "--key", key.prefix)
    assert capsys.readouterr().out == first
    assert "1 accepted, 0 already known, 1 refused." in first


def test_command__takes_the_only_key_that_may_meter(tmp_path, capsys):
    ServiceKey.objects.update(revoked_at=timezone.now(), revoked_by="system")
    service_keys.create(name="reader", scopes=["read"], acting=SYSTEM)
    key = make_key("the only one")
    path = csv_file(tmp_path / "usage.csv", [body(make_member(credits="100"))])
    call_command("import_usage", str(path))
    assert ResourceUsage.objects.get().service_key_id == key.pk
    assert f"Metered by the only one (hbt_{key.prefix}_" in capsys.readouterr().out


def test_command__guesses_no_key_among_several(tmp_path):
    one, two = make_key("one"), make_key("two")
    path = csv_file(tmp_path / "usage.csv", [body(make_member(credits="100"))])
    with pytest.raises(CommandError, match="--key") as refused:
        call_command("import_usage", str(path))
    assert (one.prefix in str(refused.value), two.prefix in str(refused.value)) == (True, True)
    assert not ResourceUsage.objects.exists()


def test_command__without_any_living_key_says_so(tmp_path):
    ServiceKey.objects.update(revoked_at=timezone.now(), revoked_by="system")
    with pytest.raises(CommandError, match="No living key may write metering"):
        call_command("import_usage", str(csv_file(tmp_path / "usage.csv", [])))


def test_command__counts_in_whole_numbers(tmp_path, capsys, monkeypatch):
    path = csv_file(tmp_path / "usage.csv", [])
    done = Progress(offset=path.stat().st_size, rows=23_456, accepted=12_345, duplicates=1_000, refused=10_111)
    monkeypatch.setattr(command, "import_usage", lambda **_: iter([done]))
    call_command("import_usage", str(path), "--key", make_key().prefix)
    shown = capsys.readouterr()
    assert "accepted=12,345, refused=10,111" in shown.err
    assert "12,345 accepted, 1,000 already known, 10,111 refused." in shown.out


def test_command__needs_a_living_key(tmp_path):
    path = csv_file(tmp_path / "usage.csv", [])
    with pytest.raises(CommandError, match="No living key"):
        call_command("import_usage", str(path), "--key", "nobody")


def test_command__an_expired_key_is_no_living_key(tmp_path):
    member, key = make_member(credits="100"), make_key()
    path = csv_file(tmp_path / "usage.csv", [body(member)])
    with (
        time_machine.travel(key.expires_at, tick=False),
        pytest.raises(CommandError, match="No living key"),
    ):
        call_command("import_usage", str(path), "--key", key.prefix)
    assert (ResourceUsage.objects.count(), UsageImport.objects.count()) == (0, 0)


@pytest.mark.django_db(transaction=True)
def test_import__a_closed_vote_is_settled_before_the_batchs_own_transaction(tmp_path, monkeypatch):
    inside = []
    monkeypatch.setattr("cloud_credits.reports.rate_cards.vote_waits", lambda: not inside)
    monkeypatch.setattr(
        "cloud_credits.actions.rate_cards.settle_due", lambda: inside.append(connection.in_atomic_block)
    )
    member, key = make_member(credits="100"), make_key()
    assert run(csv_file(tmp_path / "usage.csv", [body(member)]), key).accepted == 1
    assert inside == [False]


@pytest.mark.django_db(transaction=True)
def test_import__killed_three_times_ends_with_exact_counts(tmp_path, app_dsn, owner_dsn):
    """SIGKILL at no chosen moment: every event is in once, the counts and the report are those of one whole run."""
    member, key = make_member(credits="10000"), make_key()
    events = [body(member, eventId=f"k-{number}", quantity="0" if number % 10 == 0 else "1") for number in range(600)]
    path = csv_file(tmp_path / "usage.csv", events)
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "habitat.settings.test",
        "DATABASE_URL": app_dsn,
        "DATABASE_OWNER_URL": owner_dsn,
    }
    command = [sys.executable, "manage.py", "import_usage", str(path), "--key", key.prefix, "--rows-at-once", "7"]
    marks = []
    for _ in range(3):
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        began = ResourceUsage.objects.count()
        deadline = time.monotonic() + 60
        while ResourceUsage.objects.count() < began + 20 and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
        marks.append(UsageImport.objects.get().rows)
    assert marks == sorted(set(marks))
    assert 0 < marks[-1] < 600
    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)
    job = UsageImport.objects.get()
    assert (job.rows, job.accepted, job.duplicates, job.refused) == (600, 540, 0, 60)
    assert ResourceUsage.objects.count() == 540
    assert holds(member)[0] == 10000 - 540
    assert [line for line, *_ in reasons(path)] == [str(number + 2) for number in range(0, 600, 10)]
    assert broken_proofs() == []
    connection.close()
