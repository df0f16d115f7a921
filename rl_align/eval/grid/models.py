"""The models of a matrix while they are up: folders behind servers of their own, endpoints as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from inspect_ai.model import Model, get_model

import rl_align.eval.provider  # noqa: F401 - registers it; the entry point is there only where the package is installed
from rl_align.endpoints.secret import Secret
from rl_align.endpoints.serving import Server, serving
from rl_align.endpoints.serving_config import ServerConfig
from rl_align.errors import UserError
from rl_align.eval.config import EvalConfig
from rl_align.eval.grid.cells import slug
from rl_align.eval.grid.config import GridConfig, ModelConfig
from rl_align.eval.grid.places import folder_of
from rl_align.eval.run import identity

#: Starts servers: `(name → folder, settings, folder of logs) -> context of {name: Server}`.
Starter = Callable[[Mapping[str, Path], ServerConfig, Path], Any]


def depends_on(model: ModelConfig, cfg: GridConfig) -> dict[str, Any]:
    """What a model's answers depend on. An address is where it is asked, and not what it says."""
    folder = folder_of(model, cfg)
    if folder is None:
        return {"model": model.model, "revision": model.revision, "sampling": model.sampling}
    server = model.server or cfg.server
    served = {"dtype": server.dtype, "max_model_len": server.max_model_len, "extra": list(server.extra)}
    return {"files": identity(folder, {}, EvalConfig())["model"], "server": served, "revision": model.revision}


def check_keys(cfg: GridConfig) -> None:
    """Raises UserError when the environment lacks a key that a model needs."""
    for name, model in cfg.everyone.items():
        Secret.from_environment(model.api_key_env, f"{'models' if name in cfg.models else 'partners'}.{name}.api_key_env")


@contextmanager
def served(names: list[str], cfg: GridConfig, start: Starter | None) -> Iterator[dict[str, Server]]:
    """Name → server of these folders, side by side; folders with the same settings start together.

    Raises:
        ServerFailed: One did not come up.
        UserError: No model there.
    """
    groups: dict[str, tuple[ServerConfig, dict[str, Path]]] = {}
    for name in names:
        settings, folder = cfg.everyone[name].server or cfg.server, folder_of(cfg.everyone[name], cfg)
        assert folder is not None
        groups.setdefault(repr(asdict(settings)), (settings, {}))[1][slug(name)] = folder
    with ExitStack() as stack:
        found: dict[str, Server] = {}
        for settings, folders in groups.values():
            found |= stack.enter_context((start or serving)(folders, settings, Path(cfg.out) / "servers"))
        yield {name: found[slug(name)] for name in names}


def model_of(name: str, cfg: GridConfig, servers: Mapping[str, Server]) -> Model:
    """The model for Inspect. Its key is nowhere but in its requests.

    Raises:
        UserError: The key is not in the environment.
    """
    settings = cfg.everyone[name]
    server = servers.get(name)
    address = server.base_url if server is not None else str(settings.base_url).rstrip("/")
    model = get_model(
        f"rl_align/{server.name if server is not None else settings.model}",
        base_url=address,
        memoize=False,
        timeout_s=cfg.request_timeout_s,
        attempts=cfg.attempts,
        backoff_s=cfg.backoff_s,
        retry_busy=True,
        sampling=settings.sampling,
    )
    headers = Secret.from_environment(settings.api_key_env, f"models.{name}.api_key_env").headers()
    if headers:
        if address.startswith("http://") and not address.startswith(("http://127.0.0.1", "http://localhost", "http://[::1]")):
            raise UserError("would carry the key unencrypted", where=f"models.{name}.base_url", expected="https")
        model.api.api_key = headers["Authorization"].removeprefix("Bearer ")
    return model
