"""The proxy in front of vLLM: OpenAI's official client, a picture, streaming and not, and what the real server refuses."""

from __future__ import annotations

import openai
import pytest
from guarding import data_url, picture, proxy, shown

from rl_align.endpoints.serving import serving
from rl_align.endpoints.serving_config import ServerConfig
from rl_align.models.config import ModelConfig
from rl_align.models.tiny import build

pytestmark = [pytest.mark.slow, pytest.mark.engine]
PNG = data_url(picture(size=(56, 56)))
CORPUS = ["What is this, safely?", "A red square is shown here."] * 4
GREEDY = {"temperature": 0, "extra_body": {"min_tokens": 4}}


def test_the_official_client_reaches_a_model_served_by_vllm(tmp_path):
    model = build(ModelConfig(size="1m", vocab_size=512), tmp_path / "model", CORPUS)
    with serving({"tiny": model}, ServerConfig(threads=1), tmp_path / "logs") as servers:
        server = servers["tiny"]
        with proxy(f"upstream.base_url={server.base_url}", "server.pass_fields=[min_tokens]") as made:
            api = openai.OpenAI(base_url=made.url, api_key="none", max_retries=0, timeout=60)
            assert [m.id for m in api.models.list()] == ["tiny"]
            asked = {"model": "tiny", "messages": shown(PNG), "max_tokens": 8, **GREEDY}
            whole = api.chat.completions.create(**asked, extra_headers={"X-Guard-Analysis": "1"})
            assert whole.usage.completion_tokens and whole.guard["rewrite"] == "What is this, safely?"
            stream = api.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True})
            *chunks, last = list(stream)
            words = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
            assert words == whole.choices[0].message.content and last.usage == whole.usage
            # The target read the rewrite, not the prompt: a longer prompt makes no difference to its tokens.
            longer = api.chat.completions.create(**{**asked, "messages": shown(PNG, text="What is this? " * 20)})
            assert longer.usage.prompt_tokens == whole.usage.prompt_tokens
            with pytest.raises(openai.NotFoundError) as caught:
                api.chat.completions.create(**{**asked, "model": "another"})
            assert "knows no such model" in caught.value.message
            with pytest.raises(openai.BadRequestError):
                api.chat.completions.create(**{**asked, "max_tokens": 100_000})
        # An untrained model as the rewriter: no transcript comes of it.
        real = [f"rewriter.base_url={server.base_url}", f"upstream.base_url={server.base_url}", "rewriting.max_tokens=8"]
        real.append("server.pass_fields=[min_tokens]")
        with proxy(*real, "rewriting.on_failure=open", model="tiny") as made:
            api = openai.OpenAI(base_url=made.url, api_key="none", max_retries=0, timeout=60)
            told = api.chat.completions.create(**asked, extra_headers={"X-Guard-Analysis": "1"})
            assert told.guard["status"] == "bypassed" and told.guard["failure"] in ("rewriter_truncated", "rewriter_unreadable")
