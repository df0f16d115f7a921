"""What a client must not do: show its key, follow a redirect, fetch an image, read without end."""

from __future__ import annotations

import asyncio
import json
import logging
import pickle
import traceback

import pytest
from scripted import CHAT, KEY, PNG, config, failure, raw, run

from rl_align.endpoints.client import Endpoint
from rl_align.endpoints.config import EndpointConfig
from rl_align.endpoints.fake import Fake
from rl_align.endpoints.types import EndpointError, FailureReason
from rl_align.errors import UserError


def test_redirects_are_not_followed():
    with raw(200, {}, b"{}") as (elsewhere, asked), raw(307, {"Location": f"{elsewhere}/chat/completions"}, b"") as (url, _):
        error = failure(url)
    assert error.reason is FailureReason.bad_request and "base_url" in str(error) and not asked


@pytest.mark.parametrize("headers", [{}, {"Content-Length": ""}])
def test_a_reply_is_bounded(headers):
    """With its length announced and without."""
    with raw(200, headers, b"x" * 5000) as (url, seen):
        error = failure(url, max_reply_kb=4)
    assert error.reason is FailureReason.too_large and len(seen) == 1


def test_images_are_sent_as_data_and_nothing_is_fetched():
    with Fake() as fake, raw(200, {}, PNG) as (elsewhere, asked):

        def shown(url):
            return [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": "?"}]}]

        run(fake.base_url, lambda e: e.complete(shown(PNG)))
        addresses = (f"{elsewhere}/private.png?token=abc", "file:///etc/hostname", "//host/x")
        for url in (*addresses, "data:text/html;base64,AAAA", "data:image/png;base64,A", "", None, b"?"):
            error = failure(fake.base_url, shown(url))
            assert error.reason is FailureReason.bad_request and "token" not in str(error)
        sneaky = {"type": "text", "text": "?", "video_url": {"url": elsewhere}}
        assert failure(fake.base_url, [{"role": "user", "content": [sneaky]}]).reason is FailureReason.bad_request
    assert not asked and fake.counts["requests"] == 1
    assert fake.seen[0][1]["messages"][0]["content"][0]["image_url"]["url"].startswith("data:image/png;base64,")


def test_the_key_is_sent_and_shows_nowhere(monkeypatch, caplog):
    monkeypatch.setenv("JUDGE_KEY", KEY)
    caplog.set_level(logging.DEBUG)
    with Fake() as fake:
        run(fake.base_url, lambda e: e.complete(CHAT), api_key_env="JUDGE_KEY")
    assert fake.seen[0][0]["Authorization"] == f"Bearer {KEY}"
    told = []
    padding = "x" * (300 - len(": no such key: sk-test"))  # a cut in the middle of the key must not show half of it
    for status, text in ((401, "no such key"), (400, padding), (200, "no such key")):
        with raw(status, {}, json.dumps({"error": {"message": f"{text}: {KEY}"}}).encode()) as (url, _):
            endpoint = Endpoint(config(url, api_key_env="JUDGE_KEY", attempts=1))
            try:
                asyncio.run(endpoint.complete(CHAT))
            except EndpointError:
                told += [traceback.format_exc(), repr(endpoint), repr(vars(endpoint)), pickle.dumps(endpoint).decode("latin1")]
    text = "".join(told) + caplog.text
    assert "[redacted]" in text
    assert KEY not in text and "sk-test" not in text and "0123456789" not in text


def test_a_key_that_is_missing_or_in_the_wrong_place_is_told_without_showing_it(monkeypatch):
    monkeypatch.delenv("JUDGE_KEY", raising=False)
    with pytest.raises(UserError, match="judge.api_key_env.*JUDGE_KEY is not set"):
        Endpoint(config("http://127.0.0.1:9/v1", api_key_env="JUDGE_KEY"), "judge")
    for setting in ({"api_key_env": KEY}, {"base_url": f"http://user:{KEY}@host/v1"}, {"base_url": f"http://host/v1?key={KEY}"}):
        with pytest.raises(UserError) as caught:
            EndpointConfig(**{"base_url": "http://host/v1", "model": "fake", **setting}).check()
        assert KEY not in str(caught.value) and f"endpoint.{next(iter(setting))}" in str(caught.value)
