"""The job clock: every due time once, missed ones made up for, a failing job retried, then a person's."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO

import psycopg
import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection, connections, transaction
from django.utils import timezone
from django_q.models import OrmQ, Schedule, Task

from habitat.controls.models import Alert
from habitat.errors import NotAllowed, ReasonRequired
from habitat.events.actions.outbox import emit
from habitat.events.workflows import queue
from habitat.members.policies.actors import SYSTEM, Actor, ActorKind
from habitat.workflows.actions import jobs, schedule
from habitat.workflows.errors import JobNotFinished, UnknownJob
from habitat.workflows.models import Job
from habitat.workflows.policies.guards import GUARDS
from habitat.workflows.policies.jobs import (
    Every,
    JobDefinition,
    definition,
    definitions,
    due_times,
    register,
    slot,
    unregister,
)
from habitat.workflows.workflows import clock
from habitat.workflows.workflows.watch import watch_outbox
from tests.events.facts import BellRang

OLGA = Actor(ActorKind.MEMBER, 3, "Olga", frozenset({"workflows.run_job"}))
ANNA = Actor(ActorKind.MEMBER, 7, "Anna")

ran: list[datetime] = []
broken: list[datetime] = []


def ring_bell(due_at: datetime) -> None:
    """The job of these tests."""
    if due_at in broken:
        raise RuntimeError("the rope broke")
    ran.append(due_at)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


DAILY = JobDefinition(name="bell.daily", every=Every.DAY, run=f"{__name__}.ring_bell", help="Rings.", catch_up=10)


@pytest.fixture
def bell(monkeypatch: pytest.MonkeyPatch) -> Iterator[JobDefinition]:
    """Only the bell is on the clock."""
    others = list(definitions())
    for job in others:
        unregister(job.name)
    register(DAILY)
    yield DAILY
    unregister(DAILY.name)
    register(*others)
    ran.clear()
    broken.clear()


def make_due() -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE workflows_job SET take_at = now() - interval '1 s' WHERE state IN ('due', 'running')")


@pytest.mark.parametrize(
    ("every", "moment", "start"),
    [
        (Every.DAY, "2026-03-08T23:59:59.999999", "2026-03-08T00:00:00"),
        (Every.HOUR, "2026-03-08T05:00:00", "2026-03-08T05:00:00"),
        (Every.FIVE_MINUTES, "2026-03-08T05:09:59", "2026-03-08T05:05:00"),
        (Every.MINUTE, "2026-03-08T05:09:59", "2026-03-08T05:09:00"),
    ],
)
def test_slot__starts_at_utc_midnight(every: Every, moment: str, start: str) -> None:
    assert slot(every, at(moment)) == at(start)


def test_due_times__missed_days_are_made_up_for_within_bounds() -> None:
    now = at("2026-03-10T09:00:00")
    days = [at(f"2026-03-{day:02}T00:00:00") for day in range(1, 11)]
    assert due_times(DAILY, last=None, now=now) == [days[9]]
    assert due_times(DAILY, last=days[9], now=now) == []
    assert due_times(DAILY, last=days[6], now=now) == days[7:]
    assert due_times(DAILY, last=at("2025-01-01T00:00:00"), now=now) == days
    assert due_times(DAILY, last=at("2026-03-11T00:00:00"), now=now) == []
    minutely = JobDefinition(name="m", every=Every.MINUTE, run="x", help="")
    assert due_times(minutely, last=days[0], now=now) == [now]


def test_register__refuses_two_jobs_of_one_name(bell: JobDefinition) -> None:
    register(bell)
    with pytest.raises(ValueError, match=r"bell\.daily"):
        register(JobDefinition(name="bell.daily", every=Every.HOUR, run="x", help=""))
    with pytest.raises(UnknownJob):
        definition("nothing")


def test_jobs_of_this_floor__can_be_imported() -> None:
    from django.utils.module_loading import import_string

    assert {job.name for job in definitions()} >= {"workflows.trim", "workflows.watch_outbox"}
    assert all(callable(import_string(job.run)) for job in definitions())


@pytest.mark.django_db
def test_tick__inserts_each_missed_day_once_and_runs_it_as_of_midnight(bell: JobDefinition) -> None:
    days = [at(f"2026-03-{day:02}T00:00:00") for day in (7, 8, 9, 10)]
    assert jobs.insert_due(now=at("2026-03-07T12:00:00"), acting=SYSTEM) == 1
    assert jobs.insert_due(now=at("2026-03-07T12:01:00"), acting=SYSTEM) == 0
    assert jobs.insert_due(now=at("2026-03-10T03:30:00"), acting=SYSTEM) == 3
    assert list(Job.objects.order_by("due_at").values_list("name", "due_at", "state")) == [
        ("bell.daily", day, "due") for day in days
    ]
    assert queue.drain("jobs") == 4
    assert sorted(ran) == days
    assert queue.drain("jobs") == 0
    assert set(Job.objects.values_list("state", "attempts", "error")) == {("done", 1, "")}


@pytest.mark.django_db
def test_tick_command__runs_for_a_person(bell: JobDefinition) -> None:
    output = StringIO()
    call_command("tick", "--drain", stdout=output)
    today = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
    assert ran == [today]
    assert "1 jobs fell due." in output.getvalue()
    assert "jobs: 1 done." in output.getvalue()


@pytest.mark.django_db
def test_failing_job__is_retried_then_failed_with_an_alert_and_run_again_by_a_person(bell: JobDefinition) -> None:
    bad, good = at("2026-03-07T00:00:00"), at("2026-03-08T00:00:00")
    broken.append(bad)
    jobs.insert_due(now=bad, acting=SYSTEM)
    jobs.insert_due(now=good, acting=SYSTEM)
    clock.run_due()
    assert ran == [good]
    job = Job.objects.get(due_at=bad)
    assert (job.state, job.attempts, job.error, job.lease_until) == ("due", 1, "RuntimeError: the rope broke", None)
    assert job.take_at > timezone.now() + timedelta(seconds=2)
    for wrong in (job, Job.objects.get(due_at=bad)):
        with pytest.raises(JobNotFinished):
            jobs.run_again(job=wrong, reason="now", acting=OLGA)

    for _ in range(7):
        make_due()
        clock.run_due()
    job = Job.objects.get(due_at=bad)
    assert (job.state, job.attempts) == ("failed", 8)
    alert = Alert.objects.get(code="saga_stuck")
    assert (alert.cause, alert.state) == ("job:bell.daily", "open")

    with pytest.raises(NotAllowed):
        jobs.run_again(job=job, reason="now", acting=ANNA)
    with pytest.raises(ReasonRequired):
        jobs.run_again(job=job, reason=" ", acting=OLGA)
    assert Job.objects.get(due_at=bad).state == "failed"

    broken.clear()
    jobs.run_again(job=job, reason="new rope", acting=OLGA)
    assert clock.run_due() == 1
    assert ran == [good, bad]
    assert Job.objects.get(due_at=bad).state == "done"
    assert Alert.objects.get(pk=alert.pk).state == "resolved"


@pytest.mark.django_db
def test_stale_fence__cannot_finish_or_fail_a_job_somebody_took_over(bell: JobDefinition) -> None:
    jobs.insert_due(now=timezone.now(), acting=SYSTEM)
    slow = jobs.claim(acting=SYSTEM)
    assert slow is not None
    assert jobs.claim(acting=SYSTEM) is None
    make_due()
    quick = jobs.claim(acting=SYSTEM)
    assert quick is not None
    assert (slow.fence, quick.fence) == (1, 2)
    assert jobs.finish(claim=slow, acting=SYSTEM) is False
    jobs.fail(claim=slow, error=RuntimeError("late"), acting=SYSTEM)
    assert list(Job.objects.values_list("state", "error")) == [("running", "")]
    assert jobs.finish(claim=quick, acting=SYSTEM) is True


@pytest.mark.django_db
def test_job_unknown_to_this_version__fails_and_is_kept(bell: JobDefinition) -> None:
    jobs.insert_due(now=timezone.now(), acting=SYSTEM)
    unregister(bell.name)
    clock.run_due()
    assert Job.objects.get().error == "UnknownJob: No job is called bell.daily."


@pytest.mark.django_db
@pytest.mark.parametrize(
    "attack",
    [
        "UPDATE workflows_job SET state = 'done'",
        "UPDATE workflows_job SET name = 'other'",
        "UPDATE workflows_job SET due_at = now()",
        "INSERT INTO workflows_job (name, due_at, state) VALUES ('x', now(), 'done')",
        "INSERT INTO workflows_job (name, due_at) SELECT name, due_at FROM workflows_job",
    ],
)
def test_guard__refuses_jumps_and_doubles(bell: JobDefinition, attack: str) -> None:
    jobs.insert_due(now=timezone.now(), acting=SYSTEM)
    before = list(Job.objects.values())
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(attack)
    assert list(Job.objects.values()) == before


@pytest.mark.django_db
def test_guards__are_in_the_catalogue() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tgname FROM pg_trigger WHERE tgrelid = 'workflows_job'::regclass AND tgenabled = 'O'"
            " UNION SELECT conname FROM pg_constraint WHERE conrelid = 'workflows_job'::regclass"
        )
        assert {guard.name for guard in GUARDS if guard.table == "workflows_job"} <= {
            name for (name,) in cursor.fetchall()
        }


@pytest.mark.django_db
def test_ensure_tick__leaves_one_schedule_a_minute_whatever_was_there() -> None:
    Schedule.objects.all().delete()
    schedule.ensure_tick(acting=SYSTEM)
    schedule.ensure_tick(acting=SYSTEM)
    Schedule.objects.create(name="tick", func="wrong", schedule_type=Schedule.DAILY)
    Schedule.objects.filter(func=schedule.TICK).update(minutes=7, repeats=0)
    schedule.ensure_tick(acting=SYSTEM)
    assert list(Schedule.objects.values_list("name", "func", "schedule_type", "minutes", "repeats")) == [
        ("tick", "habitat.workflows.workflows.clock.tick", "I", 1, -1)
    ]


@pytest.mark.django_db
def test_trim__throws_away_old_done_jobs_but_not_the_newest_of_a_name(bell: JobDefinition) -> None:
    for day in (1, 2, 3):
        jobs.insert_due(now=at(f"2026-03-0{day}T01:00:00"), acting=SYSTEM)
    broken.append(at("2026-03-01T00:00:00"))
    clock.run_due()
    long_ago = timezone.now() - timedelta(days=20)
    Task.objects.create(id="a", name="old", func="f", started=long_ago, stopped=long_ago, success=False)
    Task.objects.create(id="b", name="new", func="f", started=timezone.now(), stopped=timezone.now(), success=True)
    OrmQ.objects.create(key="habitat", payload="x", lock=long_ago)
    clock.trim(timezone.now() + timedelta(days=1))
    assert Job.objects.count() == 3
    clock.trim(timezone.now() + timedelta(days=31))
    assert sorted(Job.objects.values_list("due_at", "state")) == [
        (at("2026-03-01T00:00:00"), "due"),
        (at("2026-03-03T00:00:00"), "done"),
    ]
    assert (Task.objects.count(), OrmQ.objects.count()) == (0, 0)


@pytest.mark.django_db(transaction=True)
def test_watch__raises_one_alert_while_deliveries_stand_still_and_closes_it(owner_dsn: str) -> None:
    with transaction.atomic():
        emit(BellRang(amount="1"), acting=SYSTEM)
    watch_outbox(timezone.now())
    assert not Alert.objects.exists()
    with psycopg.connect(owner_dsn, autocommit=True) as owner:
        owner.execute("ALTER TABLE events_event DISABLE TRIGGER events_event_append_only")
        owner.execute("UPDATE events_event SET occurred_at = occurred_at - interval '40 minutes'")
    watch_outbox(timezone.now())
    watch_outbox(timezone.now())
    alert = Alert.objects.get()
    assert (alert.code, alert.cause, alert.state, alert.times) == ("outbox_stuck", "waiting:analytics", "open", 2)
    queue.drain("deliveries")
    watch_outbox(timezone.now())
    assert Alert.objects.get().state == "resolved"


@pytest.mark.django_db(transaction=True)
def test_two_clocks__insert_a_slot_once(bell: JobDefinition, app_connection: psycopg.Connection) -> None:
    inserted: list[int] = []
    now = at("2026-03-10T09:00:00")

    def other_clock() -> None:
        try:
            inserted.append(jobs.insert_due(now=now, acting=SYSTEM))
        finally:
            connections.close_all()

    late = threading.Thread(target=other_clock)
    with app_connection.transaction():
        slot_of = (bell.name, at("2026-03-10T00:00:00"))
        app_connection.execute("INSERT INTO workflows_job (name, due_at) VALUES (%s, %s)", slot_of)
        late.start()
        wait_until_one_waits()
    late.join(timeout=10)
    assert inserted == [0]
    assert Job.objects.count() == 1


def wait_until_one_waits() -> None:
    """Until the other clock stands before the uncommitted row."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            if cursor.fetchone() == (1,):
                return
        time.sleep(0.02)
    raise AssertionError("nobody waits")
