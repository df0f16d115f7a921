"""Which model an endpoint serves, for people who named its address only."""

from __future__ import annotations

import asyncio

import aiohttp

from rl_align.endpoints.config import EndpointConfig
from rl_align.endpoints.secret import Secret
from rl_align.errors import UserError

_TIMEOUT_S = 10


def only_model(base_url: str, api_key_env: str | None, where: str) -> str:
    """The name of the only model that `/models` lists.

    Args:
        base_url: Up to and including `/v1`.
        api_key_env: Environment variable that holds the key; None sends none.
        where: How the person named the endpoint, for the error.

    Raises:
        UserError: The endpoint does not answer, or serves no model or several.
    """
    EndpointConfig(base_url, "any", api_key_env).check(where)
    secret = Secret.from_environment(api_key_env, f"{where}.api_key_env")
    fix = f"start it, or name its model with {where}-model"
    try:
        names = asyncio.run(_names(f"{base_url.rstrip('/')}/models", secret))
    except (aiohttp.ClientError, OSError, asyncio.TimeoutError) as error:
        # aiohttp's exceptions carry headers, and so the key: only their kind is told.
        raise UserError(f"cannot be asked for its models ({type(error).__name__})", where=where, fix=fix) from None
    except (ValueError, LookupError, TypeError, AttributeError):
        raise UserError("does not list its models", where=where, fix=f"name one with {where}-model") from None
    if len(names) != 1:
        what = f"serves {len(names)} models" + (f": {', '.join(names[:5])}" if names else "")
        raise UserError(what, where=where, fix=f"name one with {where}-model")
    return names[0]


async def _names(url: str, secret: Secret) -> list[str]:
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=timeout, headers=secret.headers(), raise_for_status=True) as session:
        async with session.get(url, allow_redirects=False) as reply:
            return [str(model["id"]) for model in (await reply.json(content_type=None))["data"]]
