"""A request to stop: a file that any process may leave, signals that leave it, and what stages make of it."""

from __future__ import annotations

import os
import signal
import time

import pytest

from rl_align.errors import Stopped
from rl_align.pipeline.stages import Stage, run_stages
from rl_align.runfiles import stop


def test_a_request_is_obeyed_once(tmp_path):
    stop.obey(tmp_path, "never")
    stop.request(tmp_path, "a test")
    assert stop.requested(tmp_path)
    with pytest.raises(Stopped, match="stopped after step 3, as asked; the same command continues"):
        stop.obey(tmp_path, "after step 3")
    assert not stop.requested(tmp_path)


@pytest.mark.parametrize("number", stop.ASKING)
def test_a_signal_asks_and_impatience_ends(tmp_path, monkeypatch, number):
    before = signal.getsignal(number)
    with stop.asked_by_signals(tmp_path):
        os.kill(os.getpid(), number)
        os.kill(os.getpid(), number)  # a batch system may send it twice at once
        assert (tmp_path / stop.REQUEST).read_text() == f"{signal.Signals(number).name}\n"
        began = time.monotonic()
        monkeypatch.setattr(time, "monotonic", lambda: began + stop.PATIENCE_S + 1)
        with pytest.raises(SystemExit) as caught:
            os.kill(os.getpid(), number)
        assert caught.value.code == 128 + number
    assert signal.getsignal(number) is before


def test_stages_stop_between_two_and_an_old_request_does_not_stop_them(tmp_path):
    done = []

    def first() -> None:
        done.append("first")
        stop.request(tmp_path, "a test")

    stages = [Stage("first", first), Stage("second", lambda: done.append("second"))]
    stop.request(tmp_path, "left by a run that was killed")
    with pytest.raises(Stopped, match="stopped before stage second"):
        run_stages(tmp_path, stages, console=lambda line: None)
    assert done == ["first"]
    run_stages(tmp_path, stages, console=lambda line: None)
    assert done == ["first", "second"]
