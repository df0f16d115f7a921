"""What launch/test keeps of a run: counts from JUnit reports, reasons of every skip and failure."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "launch/lib/results.py"

REPORT = """<testsuites><testsuite name="pytest" time="12.5">
<testcase classname="tests.test_a" name="test_good"/>
<testcase classname="tests.test_a" name="test_bad"><failure message="assert 1 == 2&#10;more">trace</failure></testcase>
<testcase classname="tests.test_a" name="test_broken"><error message="fixture | died"/></testcase>
<testcase classname="tests.test_b" name="test_gpu"><skipped message="no NVIDIA GPU"/></testcase>
</testsuite></testsuites>"""


@pytest.fixture(scope="module")
def results() -> ModuleType:
    spec = importlib.util.spec_from_file_location("launch_results", SCRIPT)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_counts_and_reasons(results: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "fast.xml"
    path.write_text(REPORT)
    group = results.read_report(path)
    assert (group.name, group.passed, group.seconds) == ("fast", 1, 12.5)
    assert group.skips == [("tests.test_b::test_gpu", "no NVIDIA GPU")]
    text = results.markdown([group], [("date", "2026-01-01")])
    assert "| fast | 1 | 2 | 1 | 12 |" in text
    assert "| tests.test_a::test_bad | assert 1 == 2 |" in text
    assert "fixture \\| died" in text
    assert "| tests.test_b::test_gpu | no NVIDIA GPU |" in text
    assert results.closing_line([group, group]) == "2 passed, 4 failed, 2 skipped"


@pytest.mark.parametrize("content", [None, "<testsuites>"])
def test_missing_or_broken_report_is_a_failure(results: ModuleType, tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "engine.xml"
    if content is not None:
        path.write_text(content)
    assert results.closing_line([results.read_report(path)]) == "0 passed, 1 failed, 0 skipped"


def test_written_file_names_date_commit_machine_and_versions(
    results: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "fast.xml"
    path.write_text(REPORT)
    results.main([str(path), "--write", str(tmp_path / "RESULTS.md")])
    text = (tmp_path / "RESULTS.md").read_text()
    for pattern in (
        r"date: \d{4}-\d\d-\d\d \d\d:\d\d UTC",
        r"commit: \w+",
        r"machine: \d+ cores",
        r"versions: Python 3",
    ):
        assert re.search(pattern, text), pattern
    assert capsys.readouterr().out.splitlines()[-1] == "1 passed, 2 failed, 1 skipped"
