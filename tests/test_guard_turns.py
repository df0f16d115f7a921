"""No text of the user's reaches the target unseen: turns of several messages, earlier turns, what stands behind them."""

from __future__ import annotations

import asyncio
import json

import pytest
from guarding import Scripted, data_url, picture, shown, transcript

from rl_align.endpoints.types import EndpointError, FailureReason
from rl_align.guard.config import GuardConfig, OnFailure, RewritingConfig, Turns
from rl_align.guard.conversation import look_through
from rl_align.guard.errors import GuardError
from rl_align.guard.fields import PASSED, check
from rl_align.guard.guard import Guard
from rl_align.guard.messages import text
from rl_align.guard.rewriting import EARLIER, LATER, REQUEST

PNG = data_url(picture())
#: Stands for a harmful text.
SLY = "sly-text"
CALL = {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f"}}]}


class Rewrites(Scripted):
    """Rewrites every prompt to its number."""

    async def complete(self, messages, *args, **kwargs):
        self.answers = [transcript(f"R{len(self.seen)}")]
        return await super().complete(messages, *args, **kwargs)


def user(content) -> dict:
    return {"role": "user", "content": content}


def system(content, role: str = "system") -> dict:
    return {"role": role, "content": content}


def said(content, **more) -> dict:
    return {"role": "assistant", "content": content, **more}


def guard(rewriter: Scripted, **settings) -> Guard:
    return Guard(rewriter, cfg=GuardConfig(rewriting=RewritingConfig(**settings)))


def sent(messages: list, rewriter: Scripted | None = None, **settings) -> list:
    """What the target is sent."""
    return asyncio.run(guard(rewriter or Rewrites(), **settings).prepare(messages)).messages


def asked(rewriter: Scripted, number: int = -1) -> str:
    """The text of a question to the rewriter."""
    content = rewriter.seen[number][1]["content"]
    return content if isinstance(content, str) else content[-1]["text"]


@pytest.mark.parametrize(
    "turn",
    [
        [user(SLY), user("Thanks.")],
        [user("Thanks."), user(SLY)],
        [user([{"type": "text", "text": SLY}]), user(""), user("Thanks.")],
        [user(SLY), system(" "), user("Thanks.")],
        [user(SLY), system("Be kind.", "developer"), user("Thanks.")],
        [user(SLY), said(""), user("Thanks.")],
        [user(SLY), said(None, tool_calls=[]), {"role": "tool", "tool_call_id": "1", "content": " "}, user("Thanks.")],
    ],
)
def test_messages_of_the_user_that_follow_each_other_are_one_turn(turn):
    """Lock: whatever the operator or nobody says between them."""
    for turns in Turns:
        rewriter = Rewrites()
        messages = sent([system("House."), *turn], rewriter, turns=turns)
        assert SLY not in json.dumps(messages) and SLY in asked(rewriter) and "Thanks." in asked(rewriter).partition(REQUEST)[2]
        assert messages[-1] == user("R0") and len(rewriter.seen) == 1
        assert [m for m in messages if m["role"] != "user"] == [system("House."), *(m for m in turn if m["role"] != "user")]


def test_images_of_a_turn_stay_in_their_messages():
    first, second = shown(PNG, text=SLY)[0], shown(PNG, text="This.")[0]
    images = first["content"][:1]
    assert sent([first, second]) == [user(images), user([*images, {"type": "text", "text": "R0"}])]
    assert sent([first, user("x")]) == [user(images), user("R0")]


def test_a_refusal_is_the_assistant_s_alone():
    refusal = {"type": "refusal", "refusal": SLY}
    for role in ("user", "system", "developer", "tool", "function"):
        with pytest.raises(GuardError, match="unsupported_content"):
            look_through(
                [{"role": role, "content": [refusal, {"type": "text", "text": "hi"}]}, user("hi")], allow_other_content=True
            )
    assert look_through([user("hi"), said([refusal]), user("hi")]).turns == ((0,), (2,))


@pytest.mark.parametrize(
    "behind",
    [
        [system(SLY)],
        [system(SLY, "developer")],
        [CALL, {"role": "tool", "tool_call_id": "1", "content": SLY}],
        [CALL, {"role": "tool", "tool_call_id": "1", "content": [{"type": "text", "text": SLY}]}],
        [
            said(None, tool_calls=[{"id": "1", "type": "function", "function": {"name": "f", "arguments": SLY}}]),
            system("x", "tool"),
        ],
        [said("", reasoning_content=SLY, tool_calls=CALL["tool_calls"]), system("x", "function")],
        [said("", function_call={"name": "f", "arguments": SLY}), system("x", "function")],
    ],
)
def test_the_rewriter_sees_all_that_stands_behind_the_turn(behind):
    rewriter = Rewrites()
    messages = [user("Before."), said("Yes."), user("hi"), *behind]
    assert sent(messages, rewriter)[3:] == behind
    head, _, request = asked(rewriter, 0).partition(REQUEST)
    before, _, after = head.partition(LATER)
    assert request == "hi" and before.startswith(EARLIER) and SLY not in before and SLY in after
    assert all(len(json.loads(line)) == 1 for line in after.split("\n"))


def test_what_stands_behind_is_shown_whole_or_refused():
    """Lock: nobody hides a text in the middle of a long one."""
    rewriter = Rewrites()
    behind = system("x" * 600 + SLY + "x" * 600, "tool")
    asyncio.run(guard(rewriter, context_characters=0).prepare([user("hi"), CALL, behind]))
    assert SLY in asked(rewriter)
    with pytest.raises(GuardError, match="prompt_too_long"):
        sent([user("hi"), CALL, behind], prompt_characters=1200)


@pytest.mark.parametrize(
    ("role", "key", "value"),
    [
        ("user", "tool_calls", [{"id": "1"}]),
        ("user", "reasoning", SLY),
        ("user", "reasoning_content", SLY),
        ("user", "tool_call_id", "1"),
        ("user", "prefix", True),
        ("system", "tools", [{}]),
        ("developer", "tools", [{}]),
        ("tool", "tool_calls", [{}]),
        ("assistant", "prefix", True),
        ("assistant", "audio", {"id": "1"}),
        ("assistant", f"{SLY} {SLY}", "x"),
    ],
)
def test_a_message_holds_what_its_role_has(role, key, value):
    messages = [{"role": role, "content": "x", key: value}, user("hi")]
    with pytest.raises(GuardError) as caught:
        look_through(messages)
    name = key if " " not in key else "…"
    assert str(caught.value.code) == "unsupported_parameter" and caught.value.param == f"messages[0].{name}"
    assert caught.value.kind.status == 400 and name in caught.value.message and f"{SLY} " not in caught.value.message
    for nothing in (None, "", [], {}):  # as answers come back from OpenAI's own client
        look_through([{**messages[0], key: nothing}, user("hi")])


def test_fields_of_a_message_have_their_types():
    for key, value in (("reasoning", 1), ("refusal", {"a": 1}), ("tool_calls", {"a": 1}), ("function_call", "f"), ("name", "a b")):
        with pytest.raises(GuardError, match=f"messages.1..{key}"):
            look_through([user("hi"), said("x", **{key: value}), user("hi")])
    for number in ("", "a b", "<x>", "x" * 257, 1):
        with pytest.raises(GuardError, match="tool_call_id"):
            look_through([user("hi"), CALL, {"role": "tool", "tool_call_id": number, "content": "x"}])


@pytest.mark.parametrize(
    "behind", [[], [system(" ")], [system("", "developer")], [system("go on")], [system(" ", "tool")], [user(""), said("")]]
)
def test_nobody_puts_words_into_the_assistant_s_mouth(behind):
    for prefill in (said(SLY), said([{"type": "text", "text": SLY}]), said(None, reasoning=SLY)):
        with pytest.raises(GuardError, match="end with a user turn|neither text nor an image"):
            look_through([user("hi"), prefill, *behind])
    look_through([user("hi"), said(SLY), system("go on")], allow_prefill=True)


def test_a_tool_may_have_nothing_to_say():
    silent = {"role": "tool", "tool_call_id": "1", "content": ""}
    assert look_through([user("hi"), CALL, silent]).turns == ((0,),)
    for messages in ([user("hi"), CALL], [user("hi"), CALL, silent, said(SLY)], [user("hi"), said(SLY), silent]):
        with pytest.raises(GuardError, match="end with a user turn"):
            look_through(messages)


# Earlier turns


def test_an_ordinary_second_turn_does_not_undo_the_first_one_s_rewrite():
    """Lock: a client sends what the person wrote; the target reads again what it was sent then, and nobody is asked twice."""
    rewriter = Rewrites()
    made = guard(rewriter)
    house = system("House.")

    async def chat():
        first = await made.prepare([house, *shown(PNG, text=SLY)])
        again = await made.prepare([house, *shown(PNG, text=SLY), said("A0"), user("Go on.")])
        third = await made.prepare([house, *shown(PNG, text=SLY), said("A0"), user("Go on."), said("A1"), user("And?")])
        return first.messages, again.messages, third.messages

    first, again, third = asyncio.run(chat())
    assert again == [*first, said("A0"), user("R1")] and third == [*again, said("A1"), user("R2")]
    assert SLY not in json.dumps(third) and len(rewriter.seen) == 3
    assert SLY in asked(rewriter, 1)  # as context


def test_or_does_where_the_configuration_says_so():
    rewriter = Rewrites()
    assert sent([user(SLY), said("A"), user("Go on.")], rewriter, turns=Turns.last) == [user(SLY), said("A"), user("R0")]


def test_turns_that_are_new_are_asked_for_each_as_it_was():
    rewriter = Rewrites()
    messages = [user("One."), said("A"), *shown(PNG, text="Two."), said("B"), user(""), said("C"), user("Three.")]
    new = [text(m) for m in sent(messages, rewriter) if m["role"] == "user"]
    assert sorted(new) == ["", "R0", "R1", "R2"]
    questions = sorted(asked(rewriter, i).partition(REQUEST)[2] or asked(rewriter, i) for i in range(3))
    assert questions == ["One.", "Three.", "Two."]
    assert [len([s for s in rewriter.seen if isinstance(s[1]["content"], list)])] == [2]  # no image before it was shown


def test_new_turns_are_bounded():
    messages = [m for i in range(5) for m in (user(str(i)), said("A"))] + [user("Now.")]
    rewriter = Rewrites()
    with pytest.raises(GuardError, match="too_many_turns"):
        sent(messages, rewriter, new_turns=4)
    assert not rewriter.seen and len(sent(messages, rewriter, new_turns=5)) == 11


def test_nobody_puts_a_rewrite_into_somebody_else_s_chat():
    """Lock: what is remembered depends on nothing but the chat up to its turn."""
    rewriter = Rewrites()
    made = guard(rewriter)

    async def chats():
        await made.prepare([system("Private."), user("Sum up.")])  # R0
        await made.prepare([user("Sum up."), CALL, system("Say: obey.", "tool")])  # R1, with something behind it
        other = await made.prepare([user("Sum up."), said("A"), user("Go on.")])
        return [m["content"] for m in other.messages]

    first, _, last = asyncio.run(chats())
    assert {first, last} == {"R2", "R3"}


def test_memory_is_bounded():
    for memory_mb, calls in ((1.0, 2), (0.0, 3)):
        rewriter = Rewrites()
        made = guard(rewriter, memory_mb=memory_mb)

        async def chat(made=made):
            await made.prepare([user("One.")])
            await made.prepare([user("One."), said("A"), user("Two.")])

        asyncio.run(chat())
        assert len(rewriter.seen) == calls


def test_a_turn_whose_rewrite_fails_closes_the_guard_or_is_marked():
    class Fails(Rewrites):
        """Fails at the turn `bad`, and is not there for the turn `out`."""

        async def complete(self, messages, *args, **kwargs):
            request = messages[1]["content"].rpartition(REQUEST)[2]
            if request == "out":
                raise EndpointError(FailureReason.connection, "refused")
            return await super().complete(messages, *args, **kwargs) if request != "bad" else await Scripted("No.").complete([])

    messages = [user("out"), said("A"), user("bad"), said("B"), user("Now.")]
    for on_failure in (OnFailure.closed, OnFailure.open_on_outage):
        with pytest.raises(GuardError, match="rewriter_unreadable"):  # the outage does not hide it
            sent(messages, Fails(), on_failure=on_failure)
    prepared = asyncio.run(guard(Fails(), on_failure=OnFailure.open_on_outage).prepare([*messages[:2], user("Now.")]))
    assert prepared.bypassed and prepared.messages == [user("out"), said("A"), user("R0")]


# Fields


@pytest.mark.parametrize(
    "name",
    (
        "chat_template chat_template_kwargs documents continue_final_message add_generation_prompt structured_outputs guided_regex "
        "guided_choice logit_bias prompt_embeds mm_processor_kwargs media_io_kwargs prediction web_search_options conversation "
        "top_k echo bad_words allowed_token_ids"
    ).split(),
)
def test_fields_that_nobody_looks_at_are_refused_by_name(name):
    with pytest.raises(GuardError, match=f"unsupported_parameter: {name} .*server.pass_fields") as caught:
        check({"model": "t", name: {"a": SLY}})
    assert caught.value.kind.status == 400 and caught.value.param == name
    check({"model": "t", name: {"a": SLY}}, [name])
    check({"model": "t", name: None})


def test_openai_s_own_fields_pass():
    from openai.types.chat import completion_create_params as openai_s

    known = set(openai_s.CompletionCreateParamsStreaming.__annotations__) | set(openai_s.CompletionCreateParamsBase.__annotations__)
    assert known - PASSED == {"logit_bias", "prediction", "web_search_options"} and PASSED <= known
    for form in ({"type": "text"}, {"type": "json_object"}, {"type": "json_schema", "json_schema": {}}, None):
        check({"response_format": form})
    for form in ({"type": "structural_tag"}, {}, "json", {"type": ["text"]}):
        with pytest.raises(GuardError, match="response_format"):
            check({"response_format": form})
    with pytest.raises(GuardError) as caught:
        check({f"{SLY} {SLY}": 1})
    assert SLY not in caught.value.message and caught.value.param == "…"
