"""Runs every `bench_<subject>.py` beside it (or those named) and writes one JSON and one Markdown table.

A benchmark module has `run() -> dict`: figures by name, numbers or text. It names its ratios `ratio…`; an aim, where
it has one, is `aim…` of the same ending. `bench/results/` keeps each run; `latest.*` is the last.
"""

import argparse
import importlib
import json
import os
import platform
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parent.parent
RESULTS = CHECKOUT / "bench" / "results"

Figures = dict[str, Any]


def subjects() -> list[str]:
    return sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))


def machine() -> Figures:
    """What the figures were measured on: without it they say nothing."""
    return {
        "processors": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def table(results: dict[str, Figures], where: Figures) -> str:
    """The same figures for people: one line a figure, a section a benchmark."""
    lines = ["# Benchmarks", "", *(f"- {key}: {value}" for key, value in where.items()), ""]
    for subject, figures in results.items():
        lines += [f"## {subject}", "", "| figure | value |", "|---|---|"]
        lines += [f"| {key} | {_shown(value)} |" for key, value in figures.items()]
        lines.append("")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("subjects", nargs="*", help=f"some of: {', '.join(subjects()) or 'none are written yet'}")
    chosen = parser.parse_args().subjects or subjects()
    unknown = sorted(set(chosen) - set(subjects()))
    if unknown:
        parser.error(f"no such benchmark: {', '.join(unknown)}")
    results: dict[str, Figures] = {}
    for subject in chosen:
        sys.stdout.write(f"{subject} …\n")
        sys.stdout.flush()
        began = time.monotonic()
        results[subject] = importlib.import_module(f"tests.benchmarks.bench_{subject}").run()
        sys.stdout.write(f"    {time.monotonic() - began:.0f} s\n")
    _write(results, machine())
    return 0


def _write(results: dict[str, Figures], where: Figures) -> None:
    RESULTS.mkdir(parents=True, exist_ok=True)
    text = table(results, where)
    content = json.dumps({"machine": where, "results": results}, indent=2, default=str) + "\n"
    stamp = where["measured_at"].replace(":", "").replace("+0000", "Z")
    for name in (stamp, "latest"):
        (RESULTS / f"{name}.json").write_text(content)
        (RESULTS / f"{name}.md").write_text(text)
    sys.stdout.write(f"\n{text}\nWritten to {RESULTS.relative_to(CHECKOUT)}/{stamp}.json and .md\n")


def _shown(value: object) -> str:
    return f"{value:,.3f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    sys.exit(main())
