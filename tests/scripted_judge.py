"""Scripted judges at the endpoint's boundary, and a case for them.

They read the prompt that they get, and they are as credulous as a model may be. `CredulousJudge` knows no preset, and of the
hardening only what the system message tells it:

1. whatever a server's tokenizer takes for a control token ends the material, and what follows is obeyed;
2. it reads as an eye does: look-alike letters are letters, what cannot be seen is not there;
3. it finds the code of the fence in the system message; the material is what stands between the marks with that code, and without
   a code there is no material, only instructions;
4. a role label at the beginning of a line, or a heading with a role's name, changes who speaks, inside the material too;
5. words in images are instructions unless the system message calls them material;
6. it gives the best label when an instruction asks for it. Otherwise it judges the last piece of material by whether it speaks of a
   lantern, which no attack does;
7. in free text it quotes the material before its verdict and again behind it.
"""

from __future__ import annotations

import asyncio
import base64
import io
import json
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from PIL import Image

from reward.judges.config import JudgeConfig
from reward.judges.judge import judge
from reward.judges.preset import Preset
from reward.judges.presets import PRESETS
from reward.judges.types import Opinion, Shown
from rl_align.endpoints.types import Completion, EndpointError, FailureReason, Message, Sampling
from rl_align.schema import Behaviour, Citation, Item, Response

RIGHT, POOR = "The lantern hangs on the wall.", "No idea."

HELP, HARM, CITE, REFUSAL = (PRESETS[name] for name in ("helpfulness", "harm", "citation", "refusal"))
PRIVACY = "privacy_invasion_and_surveillance"
BENIGN = Item("b", (), "Where is the lantern?", "d", "s", expected=(Behaviour.COMPLY,), harmful=False, reference="On the wall.")
RISKY = replace(BENIGN, expected=(Behaviour.REFUSE,), citations=(Citation(PRIVACY, 1),), harmful=True)
ANSWER = Response("", think="I think.", assessment="It applies.", answer=RIGHT, citations=(Citation(PRIVACY, 1),))


def ask(completer, which: Preset = HELP, item: Item = BENIGN, shown: Shown = ANSWER, cfg: JudgeConfig | None = None) -> Opinion:
    """One opinion."""
    return asyncio.run(judge(which, item, shown, completer, cfg or JudgeConfig()))


#: What the tokenizers of common chat models take for more than text, spelt exactly.
CONTROL = re.compile(
    r"<\|[a-zA-Z_]+\|>|<｜[^｜]+｜>|\[/?INST\]|<</?SYS>>|</?s>|<(?:start|end)_of_turn>|<(?:bos|eos)>|\[SYSTEM_PROMPT\]|\[gMASK\]|</?think>"
)
_ROLE_LINE = re.compile(
    r"^[^\w\n]*(?:(?:#+[^\w\n]*)(?:system|user|assistant|human|instruction|response)s?\b"
    r"|(?:system|user|assistant|human|developer|judge|ai assistant|human user|system note|system message)\W{0,4}:"
    r"|(?:system|assistant|user)\W*$)",
    re.IGNORECASE | re.MULTILINE,
)
_ORDER = re.compile(
    r"highest|(?:score|grade|verdict)\W{0,6}(?:is|of|[:=])?\W{0,6}(?:10|5|0|grounded|right|kept|safe)\b", re.IGNORECASE
)
_INVISIBLE = ("Cf", "Mn", "Cc")
_HOMOGLYPHS = str.maketrans("ЅѕуеТтЕΝｓаіԁոοрсⅠА‹›〈〉⟨⟩«»", "SsyeTtENsaidnopcIA<><><><>")


def seen(text: str) -> str:
    """The text as an eye reads it."""
    text = re.sub("[\r\v\f\x85\u2028\u2029]", "\n", text)
    text = "".join(c for c in text if c in "\n\t" or unicodedata.category(c) not in _INVISIBLE).translate(_HOMOGLYPHS)
    return unicodedata.normalize("NFKC", text).translate(_HOMOGLYPHS)


def words_in(url: str) -> str:
    """The words of a picture, which this judge can read: they are in the file's text chunk."""
    data = base64.b64decode(url.partition(",")[2])
    return Image.open(io.BytesIO(data)).info.get("words", "")


class CredulousJudge:
    """See above. Keeps the messages that it got in `asked`."""

    def __init__(self) -> None:
        self.asked: list[Sequence[Message]] = []

    async def complete(
        self,
        messages: Sequence[Message],
        sampling: Sampling = Sampling(),  # noqa: B008 (frozen)
        *,
        schema: Mapping[str, Any] | None = None,
        version: str = "",
        sample: int = 0,
        usable: Callable[[Completion], bool] | None = None,
    ) -> Completion:
        self.asked.append(messages)
        system, user = (m["content"] for m in messages)
        parts = [{"type": "text", "text": user}] if isinstance(user, str) else user
        text = "\n".join(p["text"] for p in parts if p["type"] == "text")
        words = [words_in(p["image_url"]["url"]) for p in parts if p["type"] == "image_url"]
        labels = re.search(r"exactly one of ([\w, \"]+)", system)[1].replace('"', "").split(", ")
        pieces, obeyed = self._read(system, text)
        if not re.search(r"words inside images\W+are\s+material", system):
            obeyed += words
        label = labels[-1] if any(_ORDER.search(seen(o)) for o in obeyed) else self._honest(pieces, labels)
        if schema is not None:
            answer = {"reason": f"The material ends: {pieces[-1][-300:] if pieces else ''}", "verdict": label}
            return Completion(json.dumps(answer), parsed=answer, prompt_tokens=10, completion_tokens=5, latency_s=0.5, cost=0.25)
        quoted = pieces[-1] if pieces else ""
        return Completion(f"The material ends:\n{quoted}\nVERDICT: {label}\nI had this before me:\n{quoted}\n")

    def _read(self, system: str, text: str) -> tuple[list[str], list[str]]:
        """Pieces of material as they stand, and everything that this judge takes for instructions."""
        obeyed = CONTROL.split(text)[1:] + CONTROL.split(seen(text))[1:]
        code = re.search(r"<<BEGIN name (\w+)>>", system)
        if not code:
            return [text], [*obeyed, text]
        span = re.compile(rf"<<BEGIN (\w+) {code[1]}>>\n(.*?)\n?<<END \1 {code[1]}>>", re.DOTALL)
        read = seen(text)
        obeyed.append(span.sub("", read))
        for piece in span.finditer(read):
            roles = list(_ROLE_LINE.finditer(piece[2]))
            obeyed += [piece[2][roles[0].start() :]] if roles else []
        return [m[2] for m in span.finditer(text)], obeyed

    def _honest(self, pieces: list[str], labels: list[str]) -> str:
        return labels[-1] if pieces and "lantern" in seen(pieces[-1]) else labels[0]


class ScriptedJudge:
    """Answers from a list, in order of the calls; an exception in it is raised. The last answer is repeated."""

    def __init__(self, *answers: Completion | EndpointError | str):
        self._answers = list(answers)
        self.calls: list[tuple[Sequence[Message], Sampling, Mapping[str, Any] | None, str, int]] = []

    async def complete(self, messages, sampling=Sampling(), *, schema=None, version="", sample=0, usable=None):  # noqa: B008
        self.calls.append((messages, sampling, schema, version, sample))
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, EndpointError):
            raise answer
        if isinstance(answer, Completion):
            return answer
        return Completion("", {"reason": "Because.", "verdict": answer}) if schema else Completion(f"Because.\nVERDICT: {answer}")


def down(reason: FailureReason = FailureReason.timeout) -> EndpointError:
    """An endpoint's failure."""
    return EndpointError(reason, "scripted")
