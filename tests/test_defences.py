"""Defences in front of scripted models: who is called with what, what the target sees in the end, and what is recorded of it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from defending import HOSTILE, IMAGE, SYSTEM, TASK, Scripted, output, record, run, texts, turns
from guarding import data_url, picture, transcript
from inspect_ai.model import ChatMessageUser, ContentAudio, ContentText
from inspect_ai.tool import Tool, tool
from inspect_ai.util import LimitExceededError

from rl_align.errors import UserError
from rl_align.eval.defences.adashield_s import adashield_s
from rl_align.eval.defences.costs import summarise
from rl_align.eval.defences.figstep_defence import figstep_defence
from rl_align.eval.defences.guard import guard
from rl_align.eval.defences.ledger import MAX_CHARS, MAX_TEXTS, Ledger, Step
from rl_align.eval.defences.none import none
from rl_align.eval.defences.ocr_guard import ocr_guard
from rl_align.eval.defences.partners import PartnerFailed
from rl_align.eval.defences.prompts import FOLDER, load
from rl_align.eval.defences.refuse_if_flagged import refuse_if_flagged
from rl_align.eval.defences.self_reminder import self_reminder
from rl_align.eval.defences.turns import with_request, with_system, without_images
from rl_align.transcript.prompts import REWRITER_SYSTEM

pytestmark = pytest.mark.filterwarnings("ignore:The 'initial' parameter:DeprecationWarning")

REFUSAL = load("refusal.v1", ()).text


def test_none_is_one_call_and_says_what_it_cost():
    target = Scripted("A red square.")
    state = run(none(), target)
    assert texts(target.seen[0]) == [("system", SYSTEM, 0), ("user", "What is this?", 1)] and len(target.seen) == 1
    assert (target.configs[0].max_tokens, target.configs[0].logit_bias) == (99, TASK.logit_bias)
    assert state.output.completion == state.messages[-1].text == "A red square." and len(state.messages) == 3
    told = record(state)
    assert (told["status"], told["calls"], told["extra_calls"], told["flagged"], told["refused"]) == ("ok", 1, 0, None, False)
    assert (told["extra_input_tokens"], told["extra_output_tokens"], told["extra_seconds"]) == (0, 0, 0)
    assert told["seconds"] >= told["steps"][0]["seconds"] >= 0 and told["steps"][0]["output_tokens"] == 3


def test_a_seed_gives_every_sample_the_stream_of_the_undefended_task():
    """Lock: a defence that drew otherwise would differ from none by its luck."""
    import hashlib

    target = Scripted("Yes.")
    run(none(seed=7), target, sample="s1")
    run(self_reminder(seed=7), target, sample="s1")
    run(none(seed=7), target, sample="s2")
    run(none(), target, sample="s2")
    wanted = int.from_bytes(hashlib.sha256(b"7/s1").digest()[:4], "big") >> 1  # tasks/pictograms.py: ask
    seeds = [c.seed for c in target.configs]
    assert seeds[0] == seeds[1] == wanted and seeds[2] not in (None, wanted) and seeds[3] is None


@pytest.mark.parametrize("defence", [self_reminder, adashield_s])
def test_a_text_around_the_request_leaves_the_request_and_the_rest_alone(defence):
    target = Scripted("No.")
    state = run(defence(), target, turns(HOSTILE))
    [system, user] = texts(target.seen[0])
    before, _, behind = user[1].partition(HOSTILE)
    assert system == ("system", SYSTEM, 0) and user[2] == 1 and user[1].count(HOSTILE) == 1
    assert len(before) > 100 and "{{" not in before + behind
    assert [part.type for part in target.seen[0][1].content] == ["image", "text"]
    assert record(state)["calls"] == 1 and state.messages[1].text == user[1]


def test_the_figstep_defence_is_a_system_prompt_behind_the_task_s_own():
    target = Scripted("No.")
    run(figstep_defence(), target)
    run(figstep_defence(), target, turns(system=None))
    told = load("figstep_defence.v1", ()).text
    assert texts(target.seen[0]) == [("system", f"{SYSTEM}\n\n{told}", 0), ("user", "What is this?", 1)]
    assert texts(target.seen[1])[0] == ("system", told, 0)


def test_a_replaced_prompt_is_used_and_is_another_version(tmp_path):
    mine, target = tmp_path / "mine.md", Scripted("No.")
    mine.write_text("Careful: {{prompt}}\n")
    plain, other = record(run(self_reminder(), target)), record(run(self_reminder(prompt=str(mine)), target))
    assert texts(target.seen[1])[1][1] == "Careful: What is this?"
    assert plain["prompts"]["prompt"] != other["prompts"]["prompt"] and plain["prompts"]["prompt"].startswith("self_reminder.v1+")
    mine = tmp_path / "without.md"
    mine.write_text("Careful.")
    with pytest.raises(UserError, match="without.md: placeholder {{prompt}} is missing"):
        self_reminder(prompt=str(mine))
    with pytest.raises(UserError, match="nowhere"):
        figstep_defence(prompt=str(tmp_path / "nowhere.md"))
    with pytest.raises(UserError, match="is 3"):
        figstep_defence(prompt=3)


def test_every_prompt_is_used_by_a_defence():
    """A prompt that nothing loads would be a claim about nothing."""
    code = "".join(path.read_text("utf-8") for path in FOLDER.parent.glob("*.py"))
    assert [p.stem for p in FOLDER.glob("*.md") if p.stem not in code] == []


def test_a_flagged_request_is_refused_and_the_target_never_asked():
    target, watch = Scripted("Of course."), Scripted("unsafe\nS9")
    state = run(refuse_if_flagged(guard_model=watch.model), target, turns(HOSTILE))
    assert not target.seen and state.output.completion == REFUSAL == state.messages[-1].text
    [[asked]] = watch.seen
    assert asked.role == "user" and [part.type for part in asked.content] == ["image", "text"]
    assert "<|im_end|>" not in asked.text and "VERDICT:" not in asked.text and "{{prompt}}" in asked.text
    told = record(state)
    assert (told["flagged"], told["refused"], told["calls"], told["extra_calls"]) == (True, True, 1, 1)
    assert told["texts"]["check_request"] == "unsafe\nS9" and told["extra_input_tokens"] == 10
    assert watch.configs[0].logit_bias is None, "the target's settings are not the guard's"


def test_a_request_that_is_not_flagged_is_answered_as_it_came():
    target, watch = Scripted("Of course."), Scripted("safe")
    state = run(refuse_if_flagged(guard_model=watch.model, show_images=False), target)
    assert texts(target.seen[0])[1] == ("user", "What is this?", 1) and watch.seen[0][0].content == "What is this?"
    told = record(state)
    assert (told["flagged"], told["refused"], told["calls"], told["extra_calls"]) == (False, False, 2, 1)


def test_the_answer_is_checked_too_where_that_is_asked_for():
    target, watch = Scripted("<think>secret</think>It is <|im_end|> done so."), Scripted("safe", "unsafe\nS1")
    state = run(refuse_if_flagged(guard_model=watch.model, check_answer=True), target)
    assert state.output.completion == REFUSAL and [m.role for m in watch.seen[1]] == ["user", "assistant"]
    assert "secret" not in watch.seen[1][1].text and "<|im_end|>" not in watch.seen[1][1].text
    told = record(state)
    assert told["calls"] == 3 and told["texts"]["withheld"].endswith("done so.") and told["refused"]


def test_guardreasoner_is_asked_about_a_request_in_its_own_form():
    watch = Scripted("<think>Response: harmful</think><result>\nRequest: harmful\nResponse: unharmful\n</result>")
    state = run(refuse_if_flagged(guard_model=watch.model, guard_form="guardreasoner"), Scripted("Yes."))
    assert record(state)["flagged"] and watch.seen[0][-1].text.endswith("AI assistant:\nNone")
    about = refuse_if_flagged(guard_model=watch.model, guard_form="guardreasoner", check_answer=True)
    watch.answers = ["Request: unharmful", "Request: unharmful\nResponse: harmful"]
    assert record(run(about, Scripted("Yes.")))["refused"] and watch.seen[-1][-1].text.endswith("AI assistant:\nYes.")
    watch.answers = ["<result>Response: harmful</result>"]
    with pytest.raises(PartnerFailed, match="bad_output"):
        run(about, Scripted("Yes."))


def test_a_general_model_as_guard_is_asked_behind_fences():
    watch = Scripted("It asks for harm.\nVERDICT: harmful")
    state = run(refuse_if_flagged(guard_model=watch.model, guard_form="label"), Scripted("Yes."), turns(HOSTILE))
    [system, user] = texts(watch.seen[0])
    assert record(state)["refused"] and user[2] == 1 and user[1].count("<<BEGIN prompt ") == 1 == user[1].count("<<END prompt ")
    assert "VERDICT: harmless" not in user[1] and "<|im_end|>" not in user[1] and "{{answer}}" in user[1]
    tag = user[1].split("<<BEGIN prompt ")[1][:16]
    assert system[1].count(tag) == 3, "the rules name the tag of this very material"


def test_a_key_file_makes_the_same_question_of_the_same_sample(tmp_path):
    watch, key = Scripted("VERDICT: harmless"), str(tmp_path / "key")
    for _ in range(2):
        run(refuse_if_flagged(guard_model=watch.model, guard_form="label", fence_key_file=key), Scripted("Yes."))
    run(refuse_if_flagged(guard_model=watch.model, guard_form="label"), Scripted("Yes."))
    first, second, third = (texts(seen) for seen in watch.seen)
    assert first == second != third


def test_another_refusal_can_be_given():
    watch = Scripted("unsafe")
    state = run(refuse_if_flagged(guard_model=watch.model, refusal="refusal_transcript.v1"), Scripted("Yes."))
    assert state.output.completion.startswith("### Safe Response\n\n")


@pytest.mark.parametrize("said", ["I would say it is fine", "safe\nS3", "", output("saf", "max_tokens"), RuntimeError("down")])
def test_a_guard_without_a_verdict_is_a_failure_and_never_a_safe_answer(said):
    """Lock: closed ends the sample in an error, open answers undefended; both are told apart from a sample that passed."""
    target = Scripted("Of course.")
    with pytest.raises(PartnerFailed, match="guard failed"):
        run(refuse_if_flagged(guard_model=Scripted(said).model), target)
    closed = run.record
    assert (closed["status"], closed["flagged"], closed["failure"]["role"]) == ("failed", None, "guard") and not target.seen
    state = run(refuse_if_flagged(guard_model=Scripted(said).model, on_failure="open"), target)
    told = record(state)
    assert state.output.completion == "Of course." and (told["status"], told["flagged"]) == ("open", None)
    assert told["failure"] == closed["failure"]


def test_a_target_that_fails_is_nobody_else_s_failure():
    with pytest.raises(RuntimeError, match="engine died"):
        run(refuse_if_flagged(guard_model=Scripted("safe").model, on_failure="open"), Scripted(RuntimeError("engine died")))
    assert run.record["status"] == "failed" and run.record["failure"]["role"] == "target" and run.record["calls"] == 1


def test_limits_of_inspect_end_the_sample_even_where_failures_are_open():
    limit = LimitExceededError("token", value=9, limit=8)
    with pytest.raises(LimitExceededError):
        run(refuse_if_flagged(guard_model=Scripted(limit).model, on_failure="open"), Scripted("Yes."))
    assert run.record["status"] == "unfinished" and run.record["failure"] is None
    with pytest.raises(LimitExceededError):
        run(none(), Scripted(limit))


def test_mistakes_of_the_person_are_said_before_anything_is_asked():
    with pytest.raises(UserError, match="on_failure: is 'maybe'; expected closed or open"):
        refuse_if_flagged(on_failure="maybe")
    with pytest.raises(UserError, match="expected one of llama_guard, guardreasoner, label"):
        refuse_if_flagged(guard_form="llama")
    with pytest.raises(UserError, match="guard_base_url: is an address without a model"):
        refuse_if_flagged(guard_base_url="http://127.0.0.1:9/v1")
    with pytest.raises(UserError, match="1 prompts are given for llama_guard; expected none"):
        refuse_if_flagged(prompt="refusal.v1")
    with pytest.raises(UserError, match="role 'guard'.*--model-role guard=.*-S guard_model="):
        run(refuse_if_flagged(on_failure="open"), Scripted("Yes."))
    assert (run.record["status"], run.record["failure"]["role"]) == ("failed", "refuse_if_flagged")
    with pytest.raises(UserError, match="no user turn"):
        run(self_reminder(), Scripted("Yes."), turns()[:1])
    with pytest.raises(UserError, match="expected rapidocr"):
        ocr_guard(ocr="other")


@tool
def clock() -> Tool:
    """A tool."""

    async def execute() -> str:
        """The time."""
        return "noon"

    return execute


def test_tasks_with_tools_are_refused():
    solver = none()

    async def with_tools(state, generate):
        state.tools = [clock()]
        return await solver(state, generate)

    with pytest.raises(UserError, match="tools"):
        run(with_tools, Scripted("Yes."))


WORDS = {(8, 8): [], (9, 9): ["say how", "  ", "to do it"]}


def words(picture) -> list[str]:
    return WORDS[picture.size]


def test_words_in_the_image_reach_the_text_guard_with_the_request():
    target, watch = Scripted("Of course."), Scripted("unsafe\nS2")
    second = data_url(picture("JPEG", (9, 9)), "image/jpeg")
    state = run(ocr_guard(guard_model=watch.model, ocr=words), target, turns("Fill the list: {{words}}", IMAGE, second))
    [[asked]] = watch.seen
    assert asked.content == "Fill the list: {{words}}\n\nWords in the image that is sent along:\nsay how\nto do it"
    told = record(state)
    assert not target.seen and told["refused"] and told["texts"]["words"] == "say how\nto do it"
    assert [s["role"] for s in told["steps"]] == ["ocr", "ocr", "guard"] and told["calls"] == told["extra_calls"] == 1
    assert told["extra_seconds"] == sum(s["seconds"] for s in told["steps"])


def test_an_image_without_words_leaves_the_request_alone():
    target, watch = Scripted("A square."), Scripted("safe")
    state = run(ocr_guard(guard_model=watch.model, ocr=words), target)
    assert watch.seen[0][0].content == "What is this?" and texts(target.seen[0])[1][2] == 1
    assert record(state)["flagged"] is False and record(state)["texts"]["words"] == ""


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        ("data:image/png;base64,AAAA", "unreadable_image"),
        ("data:image/png;base64,*", "unreadable_image"),
        (data_url(picture(size=(7, 7))), "unreadable_image"),  # for which the scripted OCR raises
    ],
)
def test_an_image_that_cannot_be_read_is_a_failure_and_not_one_without_words(image, reason):
    target, watch = Scripted("A square."), Scripted("safe")
    with pytest.raises(PartnerFailed, match=f"ocr failed .{reason}"):
        run(ocr_guard(guard_model=watch.model, ocr=words), target, turns("Look.", image))
    assert not watch.seen and not target.seen
    told = record(run(ocr_guard(guard_model=watch.model, ocr=words, on_failure="open"), target, turns("Look.", image)))
    assert (told["status"], told["failure"]["role"], told["failure"]["reason"]) == ("open", "ocr", reason)


def test_an_image_that_is_no_data_url_is_not_fetched():
    with pytest.raises(PartnerFailed, match="ocr failed .no_data_url"):
        run(ocr_guard(guard_model=Scripted("safe").model, ocr=words), Scripted("Yes."), turns("Look.", "https://example.org/a.png"))


def test_more_images_than_are_read_are_a_failure():
    with pytest.raises(PartnerFailed, match="2 images, expected at most 1"):
        run(ocr_guard(guard_model=Scripted("safe").model, ocr=words, max_images=1), Scripted("Yes."), turns("Look.", IMAGE, IMAGE))


def test_without_rapidocr_the_defence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "rapidocr", None)
    with pytest.raises(UserError, match=r"RapidOCR is not installed; pip install 'rl_align\[ocr\]'"):
        ocr_guard()


def test_rapidocr_reads_words_with_the_models_of_its_wheel():
    pytest.importorskip("rapidocr", reason="RapidOCR is not installed: pip install 'rl_align[ocr]'")
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: pip install 'rl_align[ocr]'")
    from PIL import Image, ImageDraw, ImageFont

    from rl_align.eval.defences.ocr import rapidocr

    read, page = rapidocr(), Image.new("RGB", (300, 60), "white")
    ImageDraw.Draw(page).text((10, 10), "Steps to bake", fill="black", font=ImageFont.load_default(28))
    assert read(page) == ["Steps to bake"] and read(Image.new("RGB", (64, 64), "white")) == []


def test_our_guard_hands_the_rewrite_to_the_target():
    target, rewriter = Scripted("A square."), Scripted(transcript("What is this, <|im_end|>safely?", policy=None))
    state = run(guard(rewriter_model=rewriter.model), target, turns("What is <rewrite>this</rewrite>?"))
    [system, user] = texts(rewriter.seen[0])
    assert system == ("system", REWRITER_SYSTEM, 0) and user[2] == 1 and "<rewrite>" not in user[1]
    [system, user] = texts(target.seen[0])
    assert system == ("system", SYSTEM, 0) and user[2] == 1 and user[1].startswith("What is this, ") and "<|im_end|>" not in user[1]
    assert state.messages[1].text == user[1] and state.messages[-1].text == "A square."
    told = record(state)
    assert (told["flagged"], told["calls"], told["extra_calls"], told["texts"]["intent"]) == (False, 2, 1, "To know.")
    assert rewriter.configs[0].max_tokens == 768 and rewriter.configs[0].temperature == 0


def test_our_guard_flags_what_the_rewriter_names_a_policy_for(tmp_path):
    rewriter = Scripted(transcript(text="asks for harm", policy="violence_and_physical_harm"))
    mine = tmp_path / "mine.md"
    mine.write_text("Rewrite it.")
    state = run(guard(rewriter_model=rewriter.model, prompt=str(mine)), Scripted("No."))
    told = record(state)
    assert told["flagged"] and told["texts"]["policy"].startswith("violence_and_physical_harm")
    assert rewriter.seen[0][0].text == "Rewrite it." and told["prompts"]["rewriter"].startswith("rewriter.v1+")


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("No rewrite at all.", "rewriter_unreadable"),
        (output("<threat>", "max_tokens"), "rewriter_truncated"),
        (RuntimeError("down"), "rewriter_failed"),
    ],
)
def test_a_rewriter_that_fails_is_a_failure_of_the_defence(said, reason):
    target = Scripted("A square.")
    with pytest.raises(PartnerFailed, match=reason):
        run(guard(rewriter_model=Scripted(said).model), target)
    assert not target.seen and run.record["failure"]["role"] == "rewriter"
    state = run(guard(rewriter_model=Scripted(said).model, on_failure="open"), target)
    assert record(state)["status"] == "open" and texts(target.seen[0])[1] == ("user", "What is this?", 1)


def test_our_guard_takes_no_image_that_it_cannot_look_at():
    rewriter, target = Scripted(transcript()), Scripted("Yes.")
    broken = {"https://example.org/a.png": "invalid_image_url", "data:image/png;base64,AAAA": "invalid_image_format"}
    for image, reason in broken.items():
        with pytest.raises(PartnerFailed, match=f"guard failed .{reason}"):
            run(guard(rewriter_model=rewriter.model), target, turns("Look.", image))
    sound = [ChatMessageUser(content=[ContentAudio(audio="data:audio/wav;base64,AAAA", format="wav"), ContentText(text="Listen.")])]
    with pytest.raises(PartnerFailed, match="guard failed .unsupported_content|guard failed .invalid_request"):
        run(guard(rewriter_model=rewriter.model), target, sound)
    assert not rewriter.seen and not target.seen


def test_turns_are_changed_in_copies():
    before = turns("One.")
    more = [*before[:1], ChatMessageUser(content=[ContentText(text="a"), *before[1].content, ContentText(text="b")])]
    assert texts(with_request(more, "Two."))[1] == ("user", "Two.", 1)
    assert [part.type for part in with_request(more, "Two.")[1].content] == ["image", "text"]
    assert texts(with_request(turns(None), "Two."))[1] == ("user", "Two.", 1)
    assert without_images(before)[1].content == "One." and texts(with_system(before[1:], "Hi."))[0] == ("system", "Hi.", 0)
    assert texts(before) == [("system", SYSTEM, 0), ("user", "One.", 1)]


def test_records_are_bounded():
    ledger = Ledger("x")
    for number in range(MAX_TEXTS + 3):
        ledger.note(f"t{number}", "long " * MAX_CHARS + "\ud800")
    told = ledger.record()
    assert len(told["texts"]) == MAX_TEXTS and told["cut"] == 3 and max(map(len, told["texts"].values())) < MAX_CHARS + 60
    assert "\ud800" not in told["texts"]["t0"]


def test_costs_count_what_ran_and_tell_the_rest():
    def told(status: str, flagged: bool | None, seconds: float) -> dict:
        ledger = Ledger("x", flagged=flagged, seconds=seconds)
        ledger.steps = [Step("check", "guard", "m", 5, 1, seconds), Step("answer", "target", "m", 50, 10, 1.0)]
        ledger.failure = None if status == "ok" else {"role": "guard", "reason": "call", "detail": ""}
        return {**ledger.record(), "status": status}

    summary = summarise([told("ok", True, 1.0), told("ok", False, 3.0), told("open", None, 90.0), told("failed", None, 0.0)])
    assert summary["n"] == 4 and summary["status"] == {"ok": 2, "open": 1, "failed": 1} and summary["failures"] == {"guard/call": 2}
    assert (summary["extra_calls"], summary["extra_input_tokens"], summary["seconds"], summary["flagged"]) == (1, 5, 2.0, 0.5)
    assert summary["seconds_p95"] == 3.0 and summary["intervals"]["flagged"][0] < 0.5 < summary["intervals"]["flagged"][1]
    assert summarise([])["seconds"] is None and summarise([])["flagged"] is None


def test_no_defence_mentions_what_it_may_not_read():
    """Beside the runs above, whose state raises: a branch that they miss cannot read it either."""
    for path in Path(FOLDER.parent).glob("*.py"):
        code = path.read_text("utf-8")
        assert ".metadata" not in code and "state.target" not in code, path
