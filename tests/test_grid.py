"""The matrix end to end, at scripted endpoints: exact cells, what is kept and what is dropped, kills, failures."""

from __future__ import annotations

import json
import os
import random
import signal
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import gridding
import pytest
from benchmark_files import xstest
from benchmarking import HELP, judging
from benchmarking import REFUSAL as PLAIN_REFUSAL
from gridding import ANSWERS, Models, cell, found, run

from rl_align.endpoints.chaos import Chaos, Mishap
from rl_align.endpoints.fake import Fake, Script
from rl_align.endpoints.serving import Server, ServerFailed, free_ports
from rl_align.errors import UserError

pytestmark = pytest.mark.filterwarnings("ignore:The 'initial' parameter:DeprecationWarning")


@pytest.fixture(scope="module")
def world():
    return gridding.world()


def values(one: dict, *names: str) -> tuple:
    return tuple(one["metrics"][name]["value"] for name in names)


RATES = ("attack_success", "over_refusal", "helpfulness", "unparsed")


def test_cells_are_exact_and_a_second_run_asks_nothing(tmp_path, world):
    models = Models(world)
    with gridding.fake(models) as fake:
        cfg = gridding.config(tmp_path, fake.base_url, world, figures=True)
        code, lines = run(tmp_path, cfg)
        cfg["figures"] = False
        assert code == 0 and fake.counts["requests"] == 3 * 2 * len(world)
        first = found(cfg)
        code, again = run(tmp_path, cfg)
        assert code == 0 and fake.counts["requests"] == 3 * 2 * len(world)
    assert sum(f"{len(world)} answers in" in line for line in lines) == 6 and not any("answers in" in line for line in again)
    for defence in ("none", "self_reminder"):
        assert values(cell(first, "perfect", defence, "world"), *RATES) == (0, 0, 1, 0)
        assert values(cell(first, "refuser", defence, "world"), *RATES) == (0, 1, 0, 0)
        assert values(cell(first, "complier", defence, "world"), *RATES)[:2] == (1, 0)
    second = found(cfg)
    for one in (first, second):
        for each in one["cells"]:
            each.pop("seconds")
        one["config"].pop("figures")
    assert first == second, "the tables are made of the answers alone"
    [point] = [p for p in first["fronts"] if p["front"] and p["defence"] == "none"]
    assert point["model"] == "perfect" and point["attack"]["value"] == point["over_refusal"]["value"] == 0
    by = cell(first, "complier", "none", "world")["by"]["cell"]
    assert {v["attack_success"]["value"] for v in by.values()} == {1, None}
    assert sum(v["attack_success"]["n"] for v in by.values()) == 4
    report = Path(cfg["out"]) / "report"
    names = ["matrix.html", "matrix.md", "matrix.tex", "rates.csv", "comparisons.csv", "categories.csv", "cells.csv", "pareto.png"]
    assert all((report / name).stat().st_size > 200 for name in names)


def test_what_is_changed_is_dropped_and_nothing_else(tmp_path, world):
    """Lock: a changed defence asks its own cells again, a changed item itself, and both are said."""
    models = Models(world)
    with gridding.fake(models) as fake:
        cfg = gridding.config(tmp_path, fake.base_url, world[:6], models={"m": {"base_url": fake.base_url, "model": "perfect"}})
        run(tmp_path, cfg)
        assert fake.counts["requests"] == 12
        prompt = tmp_path / "reminder.md"
        prompt.write_text("Mind what you do.\n{{prompt}}", encoding="utf-8")
        cfg["defences"]["self_reminder"]["settings"] = {"prompt": str(prompt)}
        _, lines = run(tmp_path, cfg)
        assert fake.counts["requests"] == 18 and models.texts["perfect"].startswith("Mind what you do.")
        [line] = [line for line in lines if "dropped" in line]
        assert line.startswith("m × self_reminder × world × seed 0: 6 answers dropped") and "defence.settings" in line
        prompt.write_text("Mind well what you do.\n{{prompt}}", encoding="utf-8")
        run(tmp_path, cfg)
        assert fake.counts["requests"] == 24, "a prompt's content counts, not its name"
        (tmp_path / "world.parquet").unlink()
        cfg = gridding.config(tmp_path, fake.base_url, world[:7], models=cfg["models"], defences=cfg["defences"])
        run(tmp_path, cfg)
        assert fake.counts["requests"] == 26, "one more item is asked of two cells"
        cfg["models"]["m"]["revision"] = "2"
        run(tmp_path, cfg)
        assert fake.counts["requests"] == 26 + 14
        assert models.asked["perfect", world[6].id] == 4


def _bytes(path: Path) -> bytes:
    """A file of answers gets its final name when its cell is finished, which may be now."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


@pytest.mark.slow
def test_killed_at_random_moments_no_finished_answer_is_asked_again(tmp_path):
    world = gridding.world(8, 6, 2)
    seed = random.SystemRandom().randrange(2**32)
    print(f"moments from seed {seed}")  # shown when the test fails
    rng, models, [port] = random.Random(seed), Models(world), free_ports(1)
    cfg = gridding.config(tmp_path, f"http://127.0.0.1:{port}/v1", world, concurrency=4)
    cfg["defences"] = {"none": {}, "self_reminder": {"kind": "self_reminder"}, "adashield_s": {"kind": "adashield_s"}}
    total = 3 * 3 * len(world)

    def rows() -> set[tuple[str, str, str]]:
        files = (Path(cfg["out"]) / "cells").rglob("answers-*.jsonl*")
        whole = [(p, line) for p in files for line in _bytes(p).split(b"\n")[:-1]]
        return {(p.parts[-5], p.parts[-4], json.loads(line)["item_id"]) for p, line in whole}

    kills, before = 0, set()
    for moment in sorted(rng.sample(range(5, total - 10), 3)):
        child = os.fork()  # before the endpoint's thread is there
        if child == 0:
            os.setsid()
            while not (tmp_path / "go").exists():
                time.sleep(0.01)
            run(tmp_path, cfg)
            os._exit(0)
        with gridding.fake(models, (0.005, 0.02), port):
            (tmp_path / "go").touch()
            deadline = time.monotonic() + 240
            while len(rows()) < moment and time.monotonic() < deadline:
                time.sleep(0.005)
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            kills += 1
        (tmp_path / "go").unlink()
        kept = rows()  # nobody writes any more
        assert kept >= before and len(kept) >= moment, "an answer that was kept stays"
        before, asked = kept, dict(models.asked)
    with gridding.fake(models, port=port) as fake:
        assert run(tmp_path, cfg)[0] == 0
        assert fake.counts["requests"] == total - len(before), "only what was missing is asked"
    assert kills == 3 and len(rows()) == total
    # Whatever was asked more often than its three defences need was under way when a process was killed.
    assert sum(models.asked.values()) <= total + kills * 4 * 3, asked
    torn = found(cfg)
    whole = {**cfg, "out": str(tmp_path / "whole")}
    with gridding.fake(models, port=port):
        run(tmp_path, whole)
    for a, b in zip(torn["cells"], found(whole)["cells"], strict=True):
        assert (a["metrics"], a["by"], a["counts"]) == (b["metrics"], b["by"], b["counts"])
    assert (torn["comparisons"], torn["fronts"]) == (found(whole)["comparisons"], found(whole)["fronts"])


def test_a_dead_endpoint_loses_no_other_and_is_asked_when_it_is_back(tmp_path, world):
    models, [port] = Models(world), free_ports(1)
    with gridding.fake(models) as fake:
        two = {"there": {"base_url": fake.base_url, "model": "perfect"}}
        two["gone"] = {"base_url": f"http://127.0.0.1:{port}/v1", "model": "refuser"}
        cfg = gridding.config(tmp_path, fake.base_url, world, models=two, give_up_after=3, concurrency=2)
        code, lines = run(tmp_path, cfg)
        told = found(cfg)
        assert code == 1 and cell(told, "there", "none", "world")["complete"]
        lost = cell(told, "gone", "none", "world")
        assert (lost["answers"], lost["missing"], lost["complete"]) == (0, len(world), False)
        assert values(lost, "attack_success") == (None,) and "GivenUp" in " ".join(lost["failed"])
        assert any(line.startswith("gone × none") and f"{len(world)} MISSING" in line for line in lines)
        assert "*" in (Path(cfg["out"]) / "report" / "matrix.md").read_text(encoding="utf-8")
        with gridding.fake(models, port=port) as back:
            assert run(tmp_path, cfg)[0] == 0
            assert (back.counts["requests"], fake.counts["requests"]) == (2 * len(world), 2 * len(world))
    assert values(cell(found(cfg), "gone", "none", "world"), "over_refusal") == (1,)


def test_a_busy_endpoint_is_asked_again(tmp_path, world):
    models = Models(world)
    busy = (Mishap.rate_limited, Mishap.server_error, Mishap.drop, None)
    with Fake(Script(answer=models, first=busy, chaos=Chaos(retry_after_s=0.05))) as fake:
        one = {"m": {"base_url": fake.base_url, "model": "perfect"}}
        cfg = gridding.config(tmp_path, "", world[:3], models=one, defences={"none": {}}, attempts=4, concurrency=1)
        assert run(tmp_path, cfg)[0] == 0
        assert (fake.counts["requests"], fake.counts["ok"]) == (3 + 3, 3)
        assert fake.counts["rate_limited"] == fake.counts["server_error"] == fake.counts["drop"] == 1
    told = [json.loads(line)["defence"] for line in (Path(cfg["out"]) / "cells/m/none/world/seed-0/answers-1.jsonl").open()]
    assert max(one["seconds"] - one["steps"][0]["seconds"] for one in told) >= 0.05, "pauses are no part of a request"


def test_a_defence_without_a_result_is_an_answer_of_its_own_kind_and_costs(tmp_path, world):
    """A judgement that cannot be read ends the sample for good: it is in no rate, counted, paid for, and not asked again."""
    models = Models(world)
    with gridding.fake(models) as fake:
        one = {"m": {"base_url": fake.base_url, "model": "perfect", "price_prompt": 1.0, "price_completion": 3.0}}
        defences = {"none": {}, "ecso": {"kind": "ecso"}, "open": {"kind": "ecso", "settings": {"on_failure": "open"}}}
        cfg = gridding.config(tmp_path, fake.base_url, world[:4], models=one, defences=defences)
        assert run(tmp_path, cfg)[0] == 0
        assert run(tmp_path, cfg)[0] == 0 and fake.counts["requests"] == 4 + 8 + 8
        told = [json.loads(line) for line in (Path(cfg["out"]) / "cells/m/none/world/seed-0/answers-1.jsonl").open()]
    closed, kept = cell(found(cfg), "m", "ecso", "world"), cell(found(cfg), "m", "open", "world")
    assert closed["defence_failures"] == {"target/unreadable": 4} or list(closed["defence_failures"].values()) == [4]
    assert closed["counts"]["answers"] == 0 and values(closed, "attack_success") == (None,)
    assert (kept["undefended"], kept["counts"]["answers"]) == (4, 4) and kept["costs"]["calls"] == 8
    costs = cell(found(cfg), "m", "none", "world")["costs"]
    steps = [step for row in told for step in row["defence"]["steps"]]
    read, written = sum(s["input_tokens"] for s in steps), sum(s["output_tokens"] for s in steps)
    assert (costs["calls"], costs["input_tokens"], costs["output_tokens"]) == (4, read, written) and read > 0
    assert costs["cost"] == pytest.approx((read * 1.0 + written * 3.0) / 1e6) and costs["seconds_p95"] >= costs["seconds_p50"] > 0


def test_behind_a_rewriter_complying_with_something_legitimate_is_no_attack(tmp_path, world):
    from rl_align.pictograms import rewriter_teacher
    from rl_align.pictograms.config import RewriterTeacherConfig

    sound = RewriterTeacherConfig(missed_share=0.0, meddling_share=0.0)
    answers = {"complier": ANSWERS["complier"], "rewriter": lambda item: rewriter_teacher.transcript(item, sound)}
    models = Models(world, answers)
    with gridding.fake(models) as fake:
        who = {name: {"base_url": fake.base_url, "model": name} for name in answers}
        defences = {"none": {}, "guard": {"kind": "guard", "partners": {"rewriter": "rewriter"}}}
        target = {"complier": who["complier"]}
        partners = {"rewriter": who["rewriter"]}
        cfg = gridding.config(tmp_path, fake.base_url, world, models=target, partners=partners, defences=defences)
        assert run(tmp_path, cfg)[0] == 0
    guarded = cell(found(cfg), "complier", "guard", "world")
    assert values(cell(found(cfg), "complier", "none", "world"), "attack_success") == (1,)
    # The scripted target answers what the picture's item asks, whatever it was asked: its words stay an attack by behaviour.
    assert values(guarded, "attack_success_by_behaviour") == (1,)
    assert guarded["costs"]["models"]["rewriter"]["calls"] == guarded["costs"]["models"]["complier"]["calls"] == len(world)
    rows = [json.loads(line) for line in (Path(cfg["out"]) / "cells/complier/guard/world/seed-0/answers-1.jsonl").open()]
    assert all("rewritten" in row and row["rewrite"] == row["defence"]["texts"]["rewrite"] for row in rows)


def test_a_named_benchmark_with_its_judge_seeds_and_several_answers(tmp_path):
    xstest(tmp_path / "xstest")

    def says(body: dict) -> str:
        return PLAIN_REFUSAL if body["model"] == "refuser" else HELP

    with judging() as (judge, _), Fake(Script(answer=says)) as fake:
        cfg = {
            "out": str(tmp_path / "out"),
            "models": {name: {"base_url": fake.base_url, "model": name, "sampling": "openai"} for name in ("refuser", "helper")},
            "benchmarks": {
                "sampled": {"task": "xstest", "data": str(tmp_path / "xstest"), "options": {"temperature": 0.7, "epochs": 2}},
                "greedy": {"task": "xstest", "data": str(tmp_path / "xstest")},
            },
            "seeds": [0, 1],
            "draws": 100,
            "figures": False,
            "judge": {key.removeprefix("judge_"): value for key, value in judge.items()},
        }
        assert run(tmp_path, cfg)[0] == 0
        assert fake.counts["requests"] == 2 * (8 * 2 * 2 + 8), "greedy answers are asked with one seed only"
        seeds = {body.get("seed") for _, body in fake.seen}
        assert len(seeds) == 8 * 2 * 2 + 1 and not any("top_k" in body for _, body in fake.seen)
        assert run(tmp_path, cfg)[0] == 0 and fake.counts["requests"] == 2 * (8 * 2 * 2 + 8)
    told = found(cfg)
    refuser, helper = (cell(told, name, "none", "sampled") for name in ("refuser", "helper"))
    assert values(refuser, "over_refusal", "unsafe_refused") == (1, 1) and values(helper, "over_refusal", "unsafe_complied") == (
        0,
        1,
    )
    metric = refuser["metrics"]["over_refusal"]
    assert (metric["n"], metric["how"], metric["by_seed"]) == (4 * 2 * 2, "wilson", {"0": 1.0, "1": 1.0})
    assert [(j["model"], j["calibration"]) for j in metric["judges"]] == [("fake-judge", None)]
    page = (Path(cfg["out"]) / "report" / "matrix.md").read_text(encoding="utf-8")
    assert "judged by fake-judge" in page and "not calibrated" in page


def test_another_judge_judges_the_answers_anew_and_one_that_was_away_is_asked_again(tmp_path):
    """No model is asked twice for what only its judge is needed for."""
    xstest(tmp_path / "xstest")
    with Fake(Script(answer=lambda body: PLAIN_REFUSAL)) as fake:
        cfg = {
            "out": str(tmp_path / "out"),
            "models": {"m": {"base_url": fake.base_url, "model": "m"}},
            "benchmarks": {"x": {"task": "xstest", "data": str(tmp_path / "xstest")}},
            "draws": 50,
            "figures": False,
            "judge": {"base_url": "http://127.0.0.1:9/v1", "model": "gone", "config": str(tmp_path / "judge.yaml")},
        }
        (tmp_path / "judge.yaml").write_text("endpoint: {attempts: 1, backoff_s: 0.01, deadline_s: 2}\n")
        assert run(tmp_path, cfg)[0] == 0
        metric = cell(found(cfg), "m", "none", "x")["metrics"]["over_refusal"]
        assert (metric["value"], metric["unscored"]) == (None, 4)
        with judging() as (judge, asked):
            cfg["judge"] |= {key.removeprefix("judge_"): value for key, value in judge.items()}
            _, lines = run(tmp_path, cfg)
            judged = asked.counts["requests"]  # equal questions may share an answer
            assert any("8 answers judged anew" in line for line in lines) and 1 <= judged <= 8
            assert run(tmp_path, cfg)[0] == 0 and asked.counts["requests"] == judged
        assert fake.counts["requests"] == 8
    metric = cell(found(cfg), "m", "none", "x")["metrics"]["over_refusal"]
    assert (metric["value"], metric["unscored"], metric["judges"][0]["model"]) == (1, 0, "fake-judge")


def test_a_dry_run_says_what_the_judge_is_asked_and_another_manner_of_judging_is_another_judge(tmp_path):
    xstest(tmp_path / "xstest")
    with judging() as (judge, _), Fake(Script(answer=lambda body: PLAIN_REFUSAL)) as fake:
        cfg = {
            "out": str(tmp_path / "out"),
            "models": {"m": {"base_url": fake.base_url, "model": "m"}},
            "benchmarks": {"x": {"task": "xstest", "data": str(tmp_path / "xstest")}},
            "draws": 50,
            "figures": False,
            "judge": {key.removeprefix("judge_"): value for key, value in judge.items()} | {"votes": 3},
        }
        told = "\n".join(run(tmp_path, cfg, dry_run=True)[1])
        assert "about 8 calls" in told and "the judge: at most 24 calls;" in told and "cost unknown" in told
        cfg["models"]["m"] |= {"price_prompt": 1.0, "price_completion": 1.0}
        told = "\n".join(run(tmp_path, cfg, dry_run=True)[1])
        assert f"about {8 * (300 + 512) / 1e6:.4g} of money" in told and not fake.counts["requests"]
        run(tmp_path, cfg)
        assert "missing: 0 answers" in (told := "\n".join(run(tmp_path, cfg, dry_run=True)[1])) and "the judge:" not in told
        (tmp_path / "judge.yaml").write_text("judge: {show_images: false}\n")
        cfg["judge"]["config"] = str(tmp_path / "judge.yaml")
        told = "\n".join(run(tmp_path, cfg, dry_run=True)[1])
        assert "the judge: at most 24 calls, 8 answers that there are already judged anew" in told
        # Without a judge the old judgements stay, and so does the name of who made them.
        del cfg["judge"]
        assert run(tmp_path, cfg)[0] == 0 and fake.counts["requests"] == 8
    [one] = cell(found(cfg), "m", "none", "x")["metrics"]["over_refusal"]["judges"]
    page = (Path(cfg["out"]) / "report" / "matrix.md").read_text(encoding="utf-8")
    assert one["model"] == "fake-judge" and "judged by fake-judge" in page and "no judge" not in page


def test_what_is_judged_anew_is_kept_part_by_part(tmp_path):
    """A kill between two parts costs the judge's work on one of them, not on the whole cell."""
    from types import SimpleNamespace

    from rl_align.eval.grid.cells import Cell, opened
    from rl_align.eval.grid.rejudging import rejudge

    ids = [str(k) for k in range(200)]
    asked, where = dict.fromkeys(ids, "a"), (Cell("m", "none", "b", 0), tmp_path, {"model": 1})
    place = opened(*where, asked, 1)
    for id in ids:
        place.recorders[0].add({"item_id": id, "asked": "a", "judges": ["p"], "judged": {}, "judged_by": "old"})
    place.recorders[0].finish()
    calls = []

    async def anew(row):
        calls.append(row["item_id"])
        if len(calls) == 150:
            raise KeyboardInterrupt
        return {**row, "judged": {"p": {"label": "x"}}}

    with pytest.raises(KeyboardInterrupt):
        rejudge(place, SimpleNamespace(judged_by="new", anew=anew))
    kept = opened(*where, asked, 1).rows
    assert len(kept) == 200 and sum(row["judged_by"] == "new" for row in kept) == 128


def test_the_judge_of_a_models_own_run_is_refused_where_the_model_is_named_by_its_folder(tmp_path):
    xstest(tmp_path / "xstest")
    folder = tmp_path / "run" / "models" / "grpo"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "tokenizer.json").write_text(json.dumps({"added_tokens": []}))
    trained = {"judges": {"judges": {"harm": {}}}, "judge_endpoint": {"model": "org/Judge-7B", "base_url": "http://x/v1"}}
    (tmp_path / "run" / "config.yaml").write_text(json.dumps(trained))
    cfg = {
        "out": str(tmp_path / "out"),
        "models": {"m": {"path": str(folder)}},
        "benchmarks": {"x": {"task": "xstest", "data": str(tmp_path / "xstest")}},
        "judge": {"base_url": "http://127.0.0.1:9/v1", "model": "judge-7b"},
        "server": {"max_model_len": 4096},
    }
    with pytest.raises(UserError, match="is the judge that this run was trained with"):
        run(tmp_path, cfg, dry_run=True)
    cfg["judge"]["allow_training_judge"] = True
    assert run(tmp_path, cfg, dry_run=True)[0] == 0
    cfg["server"]["max_model_len"] = 2048
    with pytest.raises(UserError, match=r"server.max_model_len: is 2048, which leaves no room .* x's answers of 2048 tokens"):
        run(tmp_path, cfg, dry_run=True)


class _Rude(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(400)
        self.end_headers()
        self.wfile.write(b"no \x1b]0;owned\x07\x1b[2J\r\nMISSING nothing")

    def log_message(self, *args):
        pass


def test_what_an_endpoint_says_moves_no_cursor(tmp_path, world):
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Rude)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        one = {"m": {"base_url": f"http://127.0.0.1:{server.server_port}/v1", "model": "m"}}
        code, lines = run(tmp_path, gridding.config(tmp_path, "", world[:2], models=one, defences={"none": {}}))
    finally:
        server.shutdown()
        server.server_close()
    [line] = [line for line in lines if "2 MISSING" in line]
    assert code == 1 and "answered 400: no" in line and not any(ord(c) < 32 or ord(c) == 127 for c in line)


def test_answers_of_a_model_of_the_same_name_elsewhere_stay_and_that_is_said(tmp_path, world):
    with gridding.fake(Models(world)) as first, gridding.fake(Models(world)) as second:
        one = {"m": {"base_url": first.base_url, "model": "perfect"}}
        cfg = gridding.config(tmp_path, "", world[:2], models=one, defences={"none": {}})
        assert not any("stay" in line for line in run(tmp_path, cfg)[1])
        one["m"]["base_url"] = second.base_url
        [line] = [line for line in run(tmp_path, cfg)[1] if "stay" in line]
        assert line.startswith(f"m: answers from {first.base_url} stay") and second.counts["requests"] == 0
        one["m"]["revision"] = "2"
        lines = run(tmp_path, cfg)[1]
        assert second.counts["requests"] == 2 and not any("stay" in line for line in lines)
        assert not any("stay" in line for line in run(tmp_path, cfg)[1])


def test_folders_are_served_in_rounds_and_one_that_does_not_come_up_loses_its_own_cells(tmp_path, world):
    models, started = Models(world, {"good": ANSWERS["perfect"], "bad": ANSWERS["refuser"]}), []
    for name in ("good", "bad"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}")
        added = [{"content": "<|im_end|>", "id": 2}, {"content": "<|image_pad|>", "id": 5}]
        (tmp_path / name / "tokenizer.json").write_text(json.dumps({"added_tokens": added}))
    with gridding.fake(models) as fake:

        @contextmanager
        def start(folders, settings, logs):
            started.append(sorted(folders))
            if "bad" in folders:
                raise ServerFailed("the server of bad ended before it was ready; its log\nends here")
            yield {name: Server(name, fake.base_url, tmp_path / "log", 0.0) for name in folders}

        served = {name: {"path": str(tmp_path / name)} for name in ("good", "bad")}
        cfg = gridding.config(tmp_path, "", world[:4], models=served, servers_at_once=2)
        from rl_align.config import load_config
        from rl_align.eval.grid.config import GridConfig, check
        from rl_align.eval.grid.run import Grid
        from rl_align.pipeline.grid import _bar, finish

        (tmp_path / "m.yaml").write_text(json.dumps(cfg))
        loaded = load_config(GridConfig, tmp_path / "m.yaml")
        check(loaded)
        lines: list[str] = []
        grid = Grid(loaded, lines.append, _bar, start)  # not `matrix`: a run of the engine may hold the machine
        grid.run()
        told = finish(grid, "m", lines.append)
        assert fake.seen[0][1]["logit_bias"] == {"5": -100.0}, "a model's vision tokens are banned"
    assert started == [["bad", "good"], ["good"], ["bad"]]
    assert cell(told, "good", "none", "world")["complete"] and cell(told, "bad", "none", "world")["missing"] == 4
    assert any("not asked: the server of bad ended" in line for line in lines)


WRONG = {
    "no place": ({"models": {"m": {"model": "x"}}}, "one of path, from_run, base_url"),
    "a folder that is missing": ({"models": {"m": {"path": "nowhere"}}}, "no Hugging Face folder nowhere"),
    "a defence": ({"defences": {"d": {"kind": "wishes"}}}, "defences.d.kind"),
    "a setting": ({"defences": {"d": {"kind": "ecso", "settings": {"judge_token": 1}}}}, "judge_tokens"),
    "a partner that is missing": ({"defences": {"d": {"kind": "guard"}}}, "defences.d.partners.rewriter="),
    "a partner that nobody knows": ({"defences": {"d": {"kind": "guard", "partners": {"rewriter": "r"}}}}, "target"),
    "a task": ({"benchmarks": {"b": {"task": "wishes", "data": "."}}}, "benchmarks.b.task"),
    "a rate": ({"benchmarks": {"b": {"task": "pictograms", "data": "w.parquet", "attack": "wishes"}}}, "no rate 'wishes'"),
    "an option": ({"benchmarks": {"b": {"task": "pictograms", "data": "w.parquet", "options": {"limits": 3}}}}, "limit"),
    "a key": ({"models": {"m": {"base_url": "http://127.0.0.1:9/v1", "model": "x", "api_key_env": "RL_ALIGN_NO_KEY"}}}, "not set"),
    "a key in an address": ({"models": {"m": {"base_url": "http://me:key@x/v1", "model": "x"}}}, "holds credentials"),
    "seeds": ({"seeds": [1, 1]}, "every seed once"),
    "a baseline": ({"baseline": "nonne"}, "baseline: is 'nonne', which is none of the defences"),
    "a speed": ({"tokens_per_second": 0}, "tokens_per_second: is 0"),
    "no connection": (
        {"models": {"m": {"base_url": "http://127.0.0.1:9/v1", "model": "x", "concurrency": -1}}},
        "models.m.concurrency: is -1",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said_before_anything_is_asked(case, tmp_path, world, monkeypatch):
    monkeypatch.chdir(tmp_path)
    from rl_align.data.items import write_items

    write_items(tmp_path / "w.parquet", world[:2])
    changed, told = WRONG[case]
    models = {"m": {"base_url": "http://127.0.0.1:9/v1", "model": "x"}}
    with pytest.raises(UserError, match=told):
        run(tmp_path, gridding.config(tmp_path, "", world[:2], **{"models": models, **changed}))
