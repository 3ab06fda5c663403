"""`make check`: everything that can be judged without running the suite, each with its own line and verdict."""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent.parent
BIN = Path(sys.executable).parent

# Production settings refuse to start without these; none of them is anybody's secret.
PRODUCTION = {
    "DJANGO_SETTINGS_MODULE": "habitat.settings.production",
    "SECRET_KEY": "only-for-the-deploy-check-0123456789-abcdefghijklmnopqrstuvwxyz",
    "ALLOWED_HOSTS": "habitat.example",
    "DATABASE_URL": "postgresql://habitat_app@127.0.0.1:1/habitat",
    "DATABASE_OWNER_URL": "postgresql://habitat_owner@127.0.0.1:1/habitat",
    "SITE_URL": "https://habitat.example",
    "CSRF_TRUSTED_ORIGINS": "https://habitat.example",
    "STRIPE_SECRET_KEY": "sk_live_only-for-the-deploy-check",
    "STRIPE_WEBHOOK_SECRET": "whsec_only-for-the-deploy-check",
}
# Advisories that do not touch us, each with the reason.
ACCEPTED_ADVISORIES: dict[str, str] = {}


@dataclass(frozen=True)
class Verdict:
    """Whether a step passed, and what people must read."""

    ok: bool
    words: str = ""


@dataclass(frozen=True)
class Step:
    """One check: a command that must exit 0, or a function that judges more finely."""

    name: str
    command: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    judge: Callable[[], Verdict] | None = None

    def run(self) -> Verdict:
        return self.judge() if self.judge else _run(self.command, self.environment)


def steps() -> list[Step]:
    manage = [sys.executable, "manage.py"]
    testing = {"DJANGO_SETTINGS_MODULE": "habitat.settings.test"}
    return [
        Step("format", [_tool("ruff"), "format", "--check", "."]),
        Step("lint", [_tool("ruff"), "check", "."]),
        Step("no float in money rooms", [sys.executable, "-m", "habitat.local.float_ban"]),
        Step("import layers", [_tool("lint-imports"), "--no-cache"]),
        Step("types", [_tool("mypy")]),
        Step("missing migrations", [*manage, "makemigrations", "--check", "--dry-run"], testing),
        Step("deploy settings", [*manage, "check", "--deploy", "--fail-level", "WARNING"], PRODUCTION),
        Step("dependency audit", judge=audit),
    ]


def audit() -> Verdict:
    """Known vulnerabilities among the pinned packages. A list that cannot be reached is a warning, not a failure."""
    command = [_tool("pip-audit"), "--disable-pip", "--require-hashes", "--progress-spinner", "off", "-f", "json"]
    command += ["--timeout", "15", "-r", "requirements.txt"]
    for advisory in ACCEPTED_ADVISORIES:
        command += ["--ignore-vuln", advisory]
    try:
        done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=240, check=False)
        packages = json.loads(done.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, ValueError, KeyError) as trouble:
        reason = done.stderr.strip().splitlines()[-1:] if isinstance(trouble, ValueError | KeyError) else [str(trouble)]
        return Verdict(ok=True, words=f"warning: the list of advisories could not be read: {' '.join(reason)[:300]}")
    found = [
        f"{package['name']} {package['version']}: {flaw['id']}, fixed in {', '.join(flaw['fix_versions']) or 'nothing'}"
        for package in packages
        for flaw in package.get("vulns", [])
    ]
    return Verdict(ok=not found, words="\n".join(found))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m habitat.local.check", description=__doc__)
    parser.add_argument("only", nargs="*", help="run only the steps whose name contains one of these words")
    only = parser.parse_args().only
    chosen = [step for step in steps() if not only or any(word in step.name for word in only)]
    failed = []
    for step in chosen:
        sys.stdout.write(f"{step.name} … ")
        sys.stdout.flush()
        began = time.monotonic()
        verdict = step.run()
        sys.stdout.write(f"{'ok' if verdict.ok else 'FAILED'} ({time.monotonic() - began:.1f} s)\n")
        if verdict.words:
            sys.stdout.write("    " + verdict.words.replace("\n", "\n    ") + "\n")
        if not verdict.ok:
            failed.append(step.name)
    if failed:
        sys.stdout.write(f"Failed: {', '.join(failed)}\n")
    return 1 if failed else 0


def _run(command: list[str], environment: dict[str, str]) -> Verdict:
    done = subprocess.run(
        command, cwd=CHECKOUT, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    return Verdict(ok=done.returncode == 0, words="" if done.returncode == 0 else (done.stdout + done.stderr).strip())


def _tool(name: str) -> str:
    return str(BIN / name)


if __name__ == "__main__":
    sys.exit(main())
