"""The cache file: found again, shared by processes, whole after a kill, and never in the way when it is broken."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sqlite3
import subprocess
import sys
import time

import pytest
from conftest import ROOT
from scripted import CHAT, SCHEMA, chat, config, run

from rl_align.endpoints.client import Endpoint
from rl_align.endpoints.disk import Disk
from rl_align.endpoints.fake import Fake, Script
from rl_align.endpoints.meters import Meters
from rl_align.endpoints.store import Store

#: Writes answers of its own and answers that all have, until it is done or killed.
WRITER = """
import sys, time
from rl_align.endpoints.disk import Disk
from rl_align.endpoints.meters import Meters
path, name, count, pause = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
meters = Meters()
disk = Disk(path, meters)
for i in range(count):
    disk.put(f"{name}-{i}", [name, None, "stop", i, 0])
    disk.put(f"all-{i}", [name, None, "stop", i, 0])
    time.sleep(pause)
disk.close()
sys.exit(meters.cache_errors)
"""


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "folder" / "cache.sqlite")


def writer(path: str, name: str, count: int, pause: float) -> subprocess.Popen:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen([sys.executable, "-c", WRITER, path, name, str(count), str(pause)], env=env)


def rows(path: str) -> int:
    connection = sqlite3.connect(path)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return connection.execute("SELECT count(*) FROM answers").fetchone()[0]
    finally:
        connection.close()


def ask(url: str, count: int, **settings):
    async def calls(endpoint):
        return await asyncio.gather(*(endpoint.complete(chat(i), schema=SCHEMA) for i in range(count)))

    return run(url, calls, **settings)


def test_answers_are_found_again_by_another_client(path):
    with Fake() as fake:
        first, _ = ask(fake.base_url, 40, cache=path)
        second, metrics = ask(fake.base_url, 40, cache=path)
        ask(fake.base_url, 40, cache=path, extra={"top_k": 1})
    assert fake.counts["requests"] == 80
    assert metrics["judge/disk"] == 40 and metrics["judge/requests"] == 0
    assert [c.parsed for c in first] == [c.parsed for c in second] and all(c.cached and not c.cost for c in second)
    assert [c.prompt_tokens for c in first] == [c.prompt_tokens for c in second]
    assert rows(path) == 80


def test_answers_of_a_model_that_is_known_are_found_under_another_address(path):
    with Fake() as first:
        ask(first.base_url, 3, cache=path, identity="served:a")
    with Fake() as second:
        again, _ = ask(second.base_url, 3, cache=path, identity="served:a")
        retrained, _ = ask(second.base_url, 3, cache=path, identity="served:b")
    assert all(c.cached for c in again) and not any(c.cached for c in retrained) and second.counts["requests"] == 3


@pytest.mark.parametrize("schema", [None, SCHEMA])
def test_an_answer_that_nobody_can_use_is_asked_for_once_more_and_not_kept(path, schema):
    """Garbage of a proxy, with status 200, must not be a judge's answer for ever."""
    good = '{"score": 3}'
    answers = ['{"score": 1}', '{"score": 1}', '{"score": 1}', good]

    async def calls(endpoint):
        return await endpoint.complete(CHAT, schema=schema, usable=lambda c: c.text == good)

    with Fake(Script(answer=lambda _: answers.pop(0))) as fake:
        first, metrics = run(fake.base_url, calls, cache=path)
        second, _ = run(fake.base_url, calls, cache=path)
        third, _ = run(fake.base_url, calls, cache=path)
    assert first.text != good and first.attempts == 2 and metrics["judge/repairs"] == 1, "it comes as it is"
    assert second.text == good and not second.cached and second.attempts == 2
    assert third.text == good and third.cached and fake.counts["requests"] == 4
    assert fake.seen[0][1] == fake.seen[1][1], "the same question"


def test_an_answer_that_a_client_takes_unfit_is_not_kept_for_one_that_would_repair_it(path):
    answers = ["no JSON", '{"score": 3}']

    async def ask_once(url, repair):
        async with Endpoint(config(url, cache=path), repair=repair) as endpoint:
            return await endpoint.complete(CHAT, schema=SCHEMA)

    with Fake(Script(answer=lambda _: answers.pop(0))) as fake:
        first, second = (asyncio.run(ask_once(fake.base_url, repair)) for repair in (False, True))
    assert first.parsed is None and first.attempts == 1 and second.parsed == {"score": 3} and not second.cached


def test_what_is_read_from_disk_is_in_memory_from_then_on(path):
    with Fake() as fake:
        ask(fake.base_url, 1, cache=path)

        async def calls(endpoint):
            return [await endpoint.complete(chat(0), schema=SCHEMA) for _ in range(3)]

        _, metrics = run(fake.base_url, calls, cache=path)
    assert (metrics["judge/disk"], metrics["judge/memory"]) == (1, 2)


def test_texts_of_every_kind_come_back(path):
    texts = ['"', "\\", "'", "\0", "\n", "é", "𝄞", "{}", "", "]}"]
    store = Store(path, 1.0)
    store.write({str(i): [text, None, "stop", 1, 2] for i, text in enumerate(texts)})
    assert store.read([*map(str, range(len(texts))), "missing"]) == {str(i): [t, None, "stop", 1, 2] for i, t in enumerate(texts)}
    assert store.read([]) == {}
    store.close()


def test_several_processes_write_at_once(path):
    writers = [writer(path, name, 200, 0.001) for name in ("a", "b")]
    assert [w.wait(30) for w in writers] == [0, 0]
    assert rows(path) == 600


def test_a_killed_process_leaves_a_whole_file(path):
    process = writer(path, "a", 100_000, 0.0005)
    try:
        deadline = time.monotonic() + 20
        while not (os.path.exists(path) and os.path.exists(f"{path}-wal") and os.path.getsize(f"{path}-wal") > 20_000):
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.01)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    kept = Store(path, 1.0)
    assert kept.read(["a-0"]) == {"a-0": ["a", None, "stop", 0, 0]}
    kept.write({"new": ["new", None, "stop", 0, 0]})
    kept.close()
    assert rows(path) > 10


def test_answers_are_on_disk_at_the_end_of_a_process_that_closes_nothing(path):
    code = WRITER.replace("disk.close()", "")
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code, path, "a", "20", "0"], env=env, check=True, timeout=30)
    assert rows(path) == 40


def _text_file(path):
    path.write_text("This is no database. " * 100)


def _other_database(path):
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE precious (x)")
    connection.commit()
    connection.close()


def _damaged(path):
    store = Store(str(path), 1.0)
    store.write({str(i): ["x" * 500, None, "stop", 0, 0] for i in range(200)})
    store.close()
    data = bytearray(path.read_bytes())
    data[100:-4096] = os.urandom(len(data) - 4196)
    path.write_bytes(data)


def _folder(path):
    path.mkdir()


@pytest.mark.parametrize("break_it", [_text_file, _other_database, _damaged, _folder])
def test_a_file_that_cannot_be_used_is_left_alone_and_told_once(break_it, tmp_path, caplog):
    path = tmp_path / "cache.sqlite"
    break_it(path)
    before = path.read_bytes() if path.is_file() else None
    with Fake() as fake:
        done, metrics = ask(fake.base_url, 30, cache=str(path))
    assert len(done) == 30 and fake.counts["requests"] == 30
    assert metrics["judge/cache_errors"] >= 1
    (warning,) = [r for r in caplog.records if r.levelno >= logging.WARNING]
    assert str(path) in warning.getMessage() and "going on without it" in warning.getMessage()
    assert break_it is _damaged or before == (path.read_bytes() if path.is_file() else None)


def test_a_locked_file_costs_one_short_wait(path, caplog):
    Store(path, 1.0).close()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("PRAGMA locking_mode=EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    meters = Meters()
    disk = Disk(path, meters, read_patience_s=0.1)
    began = time.monotonic()
    assert [disk.read(["a"]).result() for _ in range(30)] == [{}] * 30
    assert time.monotonic() - began < 1 and disk.off
    disk.close()
    other.close()
    assert meters.cache_errors == 1 and "locked" in caplog.text and caplog.text.count("going on without") == 1


def test_a_lock_that_comes_later_loses_only_the_cache(path, caplog):
    meters = Meters()
    disk = Disk(path, meters, write_patience_s=0.1)
    disk.put("before", ["x", None, "stop", 0, 0])
    deadline = time.monotonic() + 5
    while not disk.read(["before"]).result():
        assert time.monotonic() < deadline
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    disk.put("meanwhile", ["x", None, "stop", 0, 0])
    while not disk.off:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    other.close()
    disk.put("after", ["x", None, "stop", 0, 0])
    assert disk.read(["before"]).result() == {}
    disk.close()
    assert (meters.cache_errors, meters.cache_lost, caplog.text.count("going on without")) == (1, 1, 1)
    assert rows(path) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_process_opens_the_file_anew(path):
    """Lock: threads do not survive a fork; a child that waited for them would wait for ever."""
    with Fake() as fake:
        endpoint = Endpoint(config(fake.base_url, cache=path))
        asyncio.run(endpoint.complete(CHAT))
        child = os.fork()
        if not child:
            done = asyncio.run(endpoint.complete(chat(1)))
            asyncio.run(endpoint.aclose())
            os._exit(0 if done.text else 1)
        assert os.waitpid(child, 0)[1] == 0
        asyncio.run(endpoint.aclose())
    assert rows(path) == 2
