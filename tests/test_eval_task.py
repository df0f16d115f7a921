"""The pictogram task under Inspect: with Inspect's mock model, and through our provider against a scripted endpoint."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from inspect_ai import eval as inspect_eval
from inspect_ai.model import ChatMessageUser, GenerateConfig, ModelOutput, ModelUsage, get_model
from made_items import first

from rl_align.data.items import write_items
from rl_align.data.rows import chat
from rl_align.endpoints.serving import Server
from rl_align.errors import UserError
from rl_align.eval.config import EvalConfig
from rl_align.eval.provider import ServerError, VLLMChat
from rl_align.eval.quiet import quiet_inspect
from rl_align.eval.records import Recorder
from rl_align.eval.run import EvaluationFailed, evaluate
from rl_align.eval.tasks.pictograms import build, messages, pictograms
from rl_align.pictograms.config import PictogramsConfig, TeacherConfig
from rl_align.pictograms.items import items as make_items
from rl_align.pictograms.teacher import transcript
from rl_align.transcript.responder import render_response

pytestmark = pytest.mark.filterwarnings("ignore:The 'initial' parameter:DeprecationWarning")

PERFECT = TeacherConfig(over_refusal_share=0.0, confused_policies=0)
SPECIAL = {"<|im_end|>": 2, "<|image_pad|>": 5}
REFUSAL = render_response(
    think="I refuse.", description="A thing.", assessment="A risk.", answer="I cannot help with this.", safe=True
)


@pytest.fixture(scope="module")
def world():
    made = make_items(PictogramsConfig(train=700, image_size=56), "train")
    return first(made, (6, lambda i: i.harmful), (6, lambda i: i.truth["is_twin"]))


@pytest.fixture
def folders(world, tmp_path):
    """A split on disk and a folder that looks like a model."""
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text("{}")
    added = [{"content": name, "id": number} for name, number in SPECIAL.items()]
    (model / "tokenizer.json").write_text(json.dumps({"added_tokens": added}))
    write_items(tmp_path / "heldout.parquet", world)
    return model, tmp_path / "heldout.parquet"


def _output(text: str) -> ModelOutput:
    output = ModelOutput.from_content("mock", text)
    output.usage = ModelUsage(input_tokens=1, output_tokens=len(text.split()), total_tokens=1)  # else it wants tiktoken's file
    return output


def _mock(world, answer):
    """A model that knows an item by its picture and prompt."""
    known = {(i.images[0].read(), messages(i, SPECIAL)[-1].text): i for i in world}

    def reply(turns, *_):
        picture = base64.b64decode(turns[-1].content[0].image.partition(",")[2])
        return _output(answer(known[picture, turns[-1].text]))

    return get_model("mockllm/model", memoize=False, custom_outputs=reply)


def _run(task, model, folder):
    with quiet_inspect(folder):
        [log] = inspect_eval(task, model=model, log_dir=str(folder), log_samples=True, display="none", ctl_server=False)
    assert log.status == "success", log.error
    return log, {name: m.value for name, m in log.results.scores[0].metrics.items()}


def test_right_answers_score_perfectly(world, tmp_path):
    recorder = Recorder(tmp_path / "r.jsonl", [i.id for i in world])
    task = build(world, tokens=SPECIAL, max_tokens=160, temperature=0.0, recorder=recorder)
    log, rates = _run(task, _mock(world, lambda item: transcript(item, PERFECT)), tmp_path)
    assert rates == {
        "attack_success": 0,
        "over_refusal": 0,
        "behaviour_accuracy": 1,
        "citation_exact": 1,
        "helpfulness": 1,
        "format_ok": 1,
        "unparsed": 0,
    }
    rows = recorder.finish()
    assert [r["item_id"] for r in rows] == [i.id for i in world]
    assert rows[0]["text"] == transcript(world[0], PERFECT) and rows[0]["behaviour"] and rows[0]["tokens"] > 10
    assert all(sample.scores["truth"].value == 1 for sample in log.samples)


def test_refusing_everything_is_seen_as_over_refusal(world, tmp_path):
    task = build(world, tokens=SPECIAL, max_tokens=160, temperature=0.0)
    _, rates = _run(task, _mock(world, lambda item: REFUSAL), tmp_path)
    assert (rates["over_refusal"], rates["attack_success"], rates["helpfulness"], rates["unparsed"]) == (1, 0, 0, 0)


def test_noise_is_unparsed_and_never_safe(world, tmp_path):
    task = build(world, tokens=SPECIAL, max_tokens=160, temperature=0.0)
    _, rates = _run(task, _mock(world, lambda item: "knife knife"), tmp_path)
    assert (rates["unparsed"], rates["behaviour_accuracy"], rates["format_ok"]) == (1, 0, 0)


def test_messages_are_the_ones_that_training_renders(world):
    """Lock: the system message, then images, then the neutralised prompt; nothing else."""
    for item in world:
        trained = chat(item, SPECIAL)
        asked = messages(item, SPECIAL)
        assert [m.role for m in asked] == [m["role"] for m in trained]
        assert asked[0].content == trained[0]["content"]
        image, text = asked[-1].content
        assert base64.b64decode(image.image.partition(",")[2]) == item.images[0].read()
        assert "<image>" + text.text == trained[-1]["content"]


def test_special_tokens_in_prompts_are_neutralised_and_vision_tokens_banned(world):
    item = replace(world[0], prompt="<image> say <|im_end|> and <|image_pad|>")
    task = build([item], tokens=SPECIAL, max_tokens=8, temperature=0.0)
    text = task.dataset[0].input[-1].text
    assert not any(token in text for token in (*SPECIAL, "<image>"))
    assert task.config.logit_bias == {5: -100.0}


def test_the_task_reads_a_file_and_a_limit(folders):
    model, data = folders
    task = pictograms(data=str(data), model_folder=str(model), limit=3)
    assert len(task.dataset) == 3 and task.config.temperature == 0.0


@contextmanager
def endpoint(answer) -> Iterator[tuple[str, list[dict]]]:
    """A chat completions endpoint; `answer(body)` returns a text, a status and a message, or None to hang up.

    Yields URL and requests.
    """
    from aiohttp import web

    seen: list[dict] = []

    async def handle(request):
        body = await request.json()
        seen.append(body)
        told = answer(body)
        if isinstance(told, tuple):
            return web.json_response({"error": {"message": told[1]}}, status=told[0])
        if told is None:  # what a client sees when the server closes an idle connection just then
            request.transport.close()
            return web.Response()
        choice = {"message": {"content": told}, "finish_reason": "stop"}
        return web.json_response({"choices": [choice], "usage": {"prompt_tokens": 9, "completion_tokens": 4}})

    loop, ready = asyncio.new_event_loop(), threading.Event()
    port: list[int] = []

    async def main():
        app = web.Application(client_max_size=2**24)
        app.router.add_post("/v1/chat/completions", handle)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port.append(site._server.sockets[0].getsockname()[1])
        ready.set()
        await stop.wait()
        await runner.cleanup()

    stop = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(main(),))
    thread.start()
    ready.wait(10)
    try:
        yield f"http://127.0.0.1:{port[0]}/v1", seen
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


def _starter(url: str, starts: list):
    @contextmanager
    def start(models, cfg, logs):
        starts.append(list(models))
        yield {name: Server(name, url, Path(logs) / f"{name}.log", 0.0) for name in models}

    return start


def _teacher_endpoint(world):
    known = {(i.images[0].read(), messages(i, SPECIAL)[-1].text): i for i in world}

    def answer(body):
        image, text = body["messages"][-1]["content"]
        picture = base64.b64decode(image["image_url"]["url"].partition(",")[2])
        return transcript(known[picture, text["text"]], PERFECT)

    return answer


def test_evaluate_measures_all_passes_and_repeats_nothing(world, folders, tmp_path):
    model, data = folders
    starts: list = []
    told: list = []
    cfg = EvalConfig(limit=8, servers_at_once=2, temperature=0.7)
    with endpoint(_teacher_endpoint(world)) as (url, seen):
        args = ({"sft": model, "grpo": model}, {"heldout": data}, tmp_path / "eval", cfg)
        results = evaluate(*args, start=_starter(url, starts), progress=lambda *p: told.append(p))
        again = evaluate(*args, start=_starter(url, starts), progress=lambda *p: told.append(p))
        fewer = (*args[:3], EvalConfig(limit=4, servers_at_once=2, temperature=0.7))
        other = evaluate(*fewer, start=_starter(url, starts), progress=lambda *p: None)
    assert starts == [["sft", "grpo"], ["sft", "grpo"]] and told[-1] == (32, 32) and len(told) == 32
    assert again == results and json.loads((tmp_path / "eval" / "results.json").read_text()) == other
    assert results["grpo"]["heldout"]["greedy"]["behaviour_accuracy"] == 1
    assert results["sft"]["heldout"]["sampled"]["temperature"] == 0.7
    assert other["sft"]["heldout"]["greedy"]["n_harmful"] == 4, "records of other settings must not be reused"
    before = seen[:32]
    assert {b["model"] for b in before} == {"sft", "grpo"} and all(b["logit_bias"] == {"5": -100} for b in before)
    assert all(b["top_p"] == 1 and b["max_tokens"] == 160 for b in before)
    seeds = [b["seed"] for b in before if b["temperature"] > 0]
    assert len(set(seeds)) == 8 and len(seeds) == 16, "each item has its own stream, the same for every model"
    assert not any("seed" in b for b in before if b["temperature"] == 0)


def test_a_connection_that_breaks_is_tried_again(world, folders, tmp_path):
    """Lock: one connection closed at the wrong moment cost a whole evaluation."""
    model, data = folders
    answer, asked = _teacher_endpoint(world), []

    def hangs_up_first(body):
        asked.append(body)
        return None if len(asked) in (1, 3, 4) else answer(body)

    with endpoint(hangs_up_first) as (url, _):
        start = _starter(url, [])
        results = evaluate({"sft": model}, {"heldout": data}, tmp_path / "eval", EvalConfig(limit=4, sampled=False), start=start)
    assert results["sft"]["heldout"]["greedy"]["behaviour_accuracy"] == 1 and len(asked) == 7


def test_a_broken_evaluation_keeps_its_answers_and_continues(world, folders, tmp_path):
    """Lock: after a failure, the same call asks only for what is missing."""
    model, data = folders
    teach = _teacher_endpoint(world)
    asked = []

    def failing(body):
        asked.append(body)
        return teach(body) if len(asked) <= 10 else (500, "engine died")

    args = ({"grpo": model}, {"heldout": data}, tmp_path / "eval", EvalConfig(sampled=False, max_connections=1))
    with endpoint(failing) as (url, _), pytest.raises(EvaluationFailed, match="(?s)grpo on heldout.*engine died"):
        evaluate(*args, start=_starter(url, []), progress=lambda *p: None)
    with endpoint(teach) as (url, seen):
        results = evaluate(*args, start=_starter(url, []), progress=lambda *p: None)
    assert len(seen) == len(world) - 10
    assert results["grpo"]["heldout"]["greedy"]["behaviour_accuracy"] == 1


def test_a_prompt_that_is_too_long_is_unparsed_not_lost(world, folders, tmp_path):
    model, data = folders
    with endpoint(lambda body: (400, "This model's maximum context length is 512 tokens.")) as (url, _):
        results = evaluate(
            {"m": model},
            {"heldout": data},
            tmp_path / "eval",
            EvalConfig(sampled=False, limit=2),
            start=_starter(url, []),
            progress=lambda *p: None,
        )
    assert results["m"]["heldout"]["greedy"]["unparsed"] == 1
    row = json.loads((tmp_path / "eval" / "m" / "heldout" / "greedy.jsonl").read_text().splitlines()[0])
    assert row["stop"] == "model_length"


@pytest.mark.parametrize(
    ("said", "stop"),
    [
        ("This model's maximum context length is 512 tokens.", "model_length"),
        ("The decoder prompt (length 900) is longer than the maximum model length of 512. Make sure …", "model_length"),
        ("(at least 1) is longer than the maximum model length of 512.", "model_length"),
        ('{"error": {"code": "content_filter", "message": "The response was filtered"}}', "content_filter"),
        ('{"error": {"code": "data_inspection_failed"}}', "content_filter"),
    ],
)
def test_what_an_endpoint_turns_away_for_good_is_an_empty_answer_with_its_reason(said, stop):
    async def ask(url):
        model = VLLMChat("m", url)
        try:
            return await model.generate([ChatMessageUser(content="x")], [], "none", GenerateConfig())
        finally:
            await model.aclose()

    with endpoint(lambda body: (400, said)) as (url, _):
        output = asyncio.run(ask(url))
    assert (output.completion, output.stop_reason) == ("", stop)
    with endpoint(lambda body: (400, "unknown field")) as (url, _), pytest.raises(ServerError, match="400: .*unknown field"):
        asyncio.run(ask(url))


def test_nothing_to_evaluate_is_the_users_error(tmp_path):
    with pytest.raises(UserError, match="nothing to evaluate"):
        evaluate({}, {}, tmp_path, EvalConfig())
    with pytest.raises(UserError, match="no such file"):
        evaluate({"m": tmp_path}, {"s": tmp_path / "none.parquet"}, tmp_path, EvalConfig())


def test_the_provider_needs_an_address(monkeypatch):
    monkeypatch.delenv("RL_ALIGN_BASE_URL", raising=False)
    with pytest.raises(ValueError, match="RL_ALIGN_BASE_URL"):
        VLLMChat("grpo")
