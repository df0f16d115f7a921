"""Lock: a pipeline killed at any moment loses no answer that was recorded, pays none of them twice, and ends with the same rows.

What can be paid twice are answers in flight at the kill: sent, and not yet on the disk.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import time

import pytest
from conftest import ROOT
from synthesising import Models, recorded, setting, world
from test_synthesis import PLANTED, results, synth

from rl_align.cli import main
from rl_align.endpoints.fake import Fake, Script
from rl_align.errors import UserError
from rl_align.synthesis.log import Answered, ResponseLog

ITEMS = world()[:20]
ERRORS = {i: [kind] for i, kind in PLANTED.items() if kind != "flattery"}
#: Answers after which the command is killed: at its first ones, while it is generating or judging, and at its last ones.
MOMENTS = [(1, 38, 70), pytest.param((1, 9, 22, 38, 55, 70), marks=pytest.mark.slow)]
CONCURRENCY = 4
#: The command line in processes of its own, which need not import everything anew.
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["rl_align.pipeline.synthesis", "rl_align.cli", "pyarrow.parquet", "tqdm"])


@pytest.mark.parametrize("moments", MOMENTS, ids=len)
def test_killed_at_any_moment_it_pays_no_recorded_answer_twice_and_ends_with_the_same_rows(tmp_path, moments):
    (tmp_path / "clean").mkdir()
    with Fake(Script(answer=Models(ITEMS, ERRORS))) as fake:
        assert synth(tmp_path / "clean" / "out", setting(fake.base_url, tmp_path / "clean", ITEMS), "attempts=2") == 0
        needed = fake.counts["requests"]
    assert needed > moments[-1] + CONCURRENCY
    models = Models(ITEMS, ERRORS)
    out, kept, kills = tmp_path / "out", set(), 0
    with Fake(Script(answer=models, latency_s=(0.01, 0.02))) as fake:
        arguments = [*setting(fake.base_url, tmp_path, ITEMS), "--out", str(out), "attempts=2", "concurrency=2"]
        for moment in moments:
            before = models.asked.copy()
            process = SERVER.Process(target=main, args=(["synth", "msr-align", *arguments],))
            process.start()
            while fake.counts["ok"] < moment and process.is_alive():
                time.sleep(0.002)
            assert process.is_alive(), "it ended before it was killed"
            process.kill()
            process.join()
            kills += 1
            time.sleep(0.05)  # what it had sent is answered now, to nobody
            asked = {key for key, n in models.asked.items() if n > before[key]}
            assert not asked & kept, "paid for twice"
            on_disk = recorded(out / "responses.sqlite")
            assert on_disk >= kept, "lost"
            kept = on_disk
        assert len(kept) >= moments[-1] - kills * CONCURRENCY
        before = models.asked.copy()
        assert synth(out, arguments[: arguments.index("--out")], "attempts=2", "concurrency=2") == 0
        assert not {key for key, n in models.asked.items() if n > before[key]} & kept
    assert needed <= sum(models.asked.values()) <= needed + kills * CONCURRENCY
    mine, clean = results(out), results(tmp_path / "clean" / "out")
    assert all(mine[name] == clean[name] for name in ("rows.parquet", "rejected.jsonl", "kept.jsonl"))


def test_one_process_at_a_time_writes_a_folder(tmp_path, capsys):
    with Fake(Script(answer=Models(ITEMS), latency_s=(0.3, 0.3))) as fake:
        arguments = setting(fake.base_url, tmp_path, ITEMS)
        process = _start([*arguments, "--out", str(tmp_path / "out")])
        try:
            while fake.counts["requests"] < 1 and process.poll() is None:
                time.sleep(0.01)
            assert synth(tmp_path / "out", arguments) == 2
        finally:
            process.kill()
            process.wait()
    assert "another process writes here" in capsys.readouterr().err


def test_an_interrupt_keeps_the_answers_under_way(tmp_path):
    models = Models(ITEMS)
    with Fake(Script(answer=models, latency_s=(0.2, 0.2))) as fake:
        process = _start([*setting(fake.base_url, tmp_path, ITEMS), "--out", str(tmp_path / "out")])
        while fake.most < CONCURRENCY and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130
        assert recorded(tmp_path / "out" / "responses.sqlite") == set(models.asked)


def test_an_answer_is_on_the_disk_when_keep_returns_and_many_share_a_commit(tmp_path):
    path = tmp_path / "responses.sqlite"
    log = ResponseLog(path)

    async def keep():
        await log.keep(_answered("a"))
        assert recorded(path) == {("generator", "a", "bare", 1)}
        begun = time.monotonic()
        await asyncio.gather(*(log.keep(_answered(f"b{i}")) for i in range(500)))
        return time.monotonic() - begun

    assert asyncio.run(keep()) < 2.0
    assert len(recorded(path)) == 501 and log.spent("generator").calls == 501
    log.close()


def test_an_answer_that_cannot_be_kept_ends_the_run(tmp_path):
    log = ResponseLog(tmp_path / "responses.sqlite")
    other = sqlite3.connect(tmp_path / "responses.sqlite")
    other.execute("DROP TABLE responses")
    other.commit()
    for _ in range(2):
        with pytest.raises(UserError, match="record of answers cannot be used"):
            asyncio.run(log.keep(_answered("a")))
    log.close()
    other.close()


def test_a_database_of_something_else_is_not_written_to(tmp_path):
    path = tmp_path / "responses.sqlite"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE mine (x)")
    with pytest.raises(UserError, match="database of something else"):
        ResponseLog(path)


def _answered(item: str) -> Answered:
    return Answered(item, "generator", item, 1, "reason", 0, "m", "v", "text \x00", "stop", 1, 1)


def _start(arguments: list[str]) -> subprocess.Popen:
    # A shell that starts the tests in its background has its children ignore interrupts.
    interruptible = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    code = f"{interruptible}; import sys; from rl_align.cli import main; sys.exit(main())"
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code, "synth", "msr-align", *arguments]
    return subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
