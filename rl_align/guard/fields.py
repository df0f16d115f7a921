"""Which fields of a request are passed on: those of OpenAI's chat completions that no text reaches the target by unseen.

Servers know many more. vLLM's `chat_template`, `documents`, `continue_final_message`, `structured_outputs`, `prompt_embeds` and the
like put text into the prompt or the answer that no rewrite replaces. So what is not on the list is refused; `server.pass_fields`
adds to it.

Three of OpenAI's own are left out: `logit_bias` can take the words of a refusal from the target, in numbers that say nothing to
whoever reads them; `prediction` is text that nobody looks at; `web_search_options` lets others' texts in. `tools`, `functions` and
`response_format` are the application's own text, as system turns are, and most applications need them: they are passed on as they
came. What they say is not rewritten, and a schema may hold words that the answer has to repeat.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from .errors import Code, GuardError

PASSED = frozenset(
    (
        "model messages stream stream_options n seed stop temperature top_p max_tokens max_completion_tokens frequency_penalty "
        "presence_penalty logprobs top_logprobs tools tool_choice parallel_tool_calls functions function_call response_format "
        "reasoning_effort verbosity modalities audio metadata moderation store user safety_identifier service_tier "
        "prompt_cache_key prompt_cache_options prompt_cache_retention"
    ).split()
)
FORMATS = ("text", "json_object", "json_schema")
NAME = re.compile(r"[A-Za-z0-9_]{1,64}")


def check(request: Mapping[str, Any], also: Collection[str] = ()) -> None:
    """Raises GuardError for the first field that is not passed on. One that is null says nothing, and is let through.

    Args:
        request: The request.
        also: Names beside `PASSED`.
    """
    for name, value in request.items():
        if name not in PASSED and name not in also and value is not None:
            # Not shown when it is more than a name: it is the client's text.
            shown = name if NAME.fullmatch(name) else "…"
            what = f"{shown} is not passed on: nobody would look at it; an operator can let it through (server.pass_fields)"
            raise GuardError(Code.unsupported_parameter, what, param=shown)
    form = request.get("response_format")
    if form is not None and "response_format" not in also and (not isinstance(form, Mapping) or form.get("type") not in FORMATS):
        what = f"response_format is none that is passed on; expected a type of {', '.join(FORMATS)}"
        raise GuardError(Code.unsupported_parameter, what, param="response_format")
