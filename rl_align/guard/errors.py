"""Why a request has no answer, in the form of OpenAI's API."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, NamedTuple


class Code(str, Enum):
    """OpenAI's `code`. A closed set; status and type of each are in `KINDS`."""

    invalid_json = "invalid_json"
    invalid_request = "invalid_request"
    unsupported_content = "unsupported_content"
    unsupported_parameter = "unsupported_parameter"
    too_many_turns = "too_many_turns"
    too_many_images = "too_many_images"
    image_too_large = "image_too_large"
    image_parse_error = "image_parse_error"
    invalid_image_format = "invalid_image_format"
    invalid_image_url = "invalid_image_url"
    invalid_api_key = "invalid_api_key"
    misdirected_request = "misdirected_request"
    not_found = "not_found"
    method_not_allowed = "method_not_allowed"
    prompt_too_long = "prompt_too_long"
    request_timeout = "request_timeout"
    request_too_large = "request_too_large"
    unsupported_media_type = "unsupported_media_type"
    overloaded = "overloaded"
    rewriter_timeout = "rewriter_timeout"
    rewriter_unreachable = "rewriter_unreachable"
    rewriter_failed = "rewriter_failed"
    rewriter_refused = "rewriter_refused"
    rewriter_truncated = "rewriter_truncated"
    rewriter_unreadable = "rewriter_unreadable"
    upstream_timeout = "upstream_timeout"
    upstream_unreachable = "upstream_unreachable"
    upstream_failed = "upstream_failed"
    upstream_key_refused = "upstream_key_refused"
    internal_error = "internal_error"

    def __str__(self) -> str:
        return self.value


class Kind(NamedTuple):
    """HTTP status, OpenAI's `type`, and whether the same request may do better at another time."""

    status: int
    type: str = "invalid_request_error"
    again: bool = False


KINDS: Mapping[Code, Kind] = {
    Code.invalid_json: Kind(400),
    Code.invalid_request: Kind(400),
    Code.unsupported_content: Kind(400),
    Code.unsupported_parameter: Kind(400),
    Code.too_many_turns: Kind(400),
    Code.too_many_images: Kind(400),
    Code.image_too_large: Kind(400),
    Code.image_parse_error: Kind(400),
    Code.invalid_image_format: Kind(400),
    Code.invalid_image_url: Kind(400),
    Code.invalid_api_key: Kind(401, "authentication_error"),
    Code.misdirected_request: Kind(421),
    Code.not_found: Kind(404),
    Code.method_not_allowed: Kind(405),
    Code.prompt_too_long: Kind(400),
    Code.request_timeout: Kind(408, again=True),
    Code.request_too_large: Kind(413),
    Code.unsupported_media_type: Kind(415),
    Code.overloaded: Kind(503, "server_error", True),
    Code.rewriter_timeout: Kind(504, "server_error", True),
    Code.rewriter_unreachable: Kind(502, "server_error", True),
    Code.rewriter_failed: Kind(502, "server_error", True),
    Code.rewriter_refused: Kind(502, "server_error"),
    Code.rewriter_truncated: Kind(502, "server_error"),
    Code.rewriter_unreadable: Kind(502, "server_error"),
    Code.upstream_timeout: Kind(504, "server_error", True),
    Code.upstream_unreachable: Kind(502, "server_error", True),
    Code.upstream_failed: Kind(502, "server_error", True),
    Code.upstream_key_refused: Kind(502, "server_error"),
    Code.internal_error: Kind(500, "server_error", True),
}


#: The rewriter is out of order. An error of its server is not among them: a prompt or an image may well bring one about.
OUTAGES = (Code.rewriter_timeout, Code.rewriter_unreachable)


class GuardError(Exception):
    """A request without an answer.

    Args:
        code: Why.
        message: What was wrong, what was expected, what to do. The client reads it, so it holds no key and no address of ours.
        param: Field of the request that is wrong, such as `messages[2].content[0]`.
        detail: More, for the operator's log; the client does not see it.
    """

    def __init__(self, code: Code, message: str, *, param: str | None = None, detail: str = ""):
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.param = param
        self.detail = detail

    @property
    def kind(self) -> Kind:
        """Status, type, and whether another try makes sense."""
        return KINDS[self.code]

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"

    def body(self) -> dict[str, Any]:
        """`{"error": {"message", "type", "param", "code"}}`."""
        error = {"message": self.message, "type": self.kind.type, "param": self.param, "code": str(self.code)}
        return {"error": error}
