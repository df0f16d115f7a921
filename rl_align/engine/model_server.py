"""A model that is served beside training: a judge, or the frozen target of a rewriter. vLLM in a Ray actor of its own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rl_align.endpoints.serving import HOST, free_ports, serving
from rl_align.endpoints.serving_config import ServerConfig
from rl_align.errors import EngineFailed, UserError
from rl_align.runfiles.manifest import hash_files

from .env import NOSET


@dataclass(frozen=True)
class Served:
    """What is served.

    Attributes:
        name: Under which name.
        model: Hugging Face folder.
        cfg: How.
        logs: Folder of the server's log.
    """

    name: str
    model: Path
    cfg: ServerConfig
    logs: Path

    @property
    def identity(self) -> str:
        """What answers, for the cache of its answers (`EndpointConfig.identity`).

        A digest over the content of every file of the model (weights, tokenizer, templates) and the settings that change what it
        says: a server that comes back on another port is the same one, and a model that was trained again in the same folder is
        another. Sizes and times would not do: a copied run keeps neither, and weights that were trained again keep their size. It
        costs one reading of the model's files, which every stage spends on its inputs anyway.
        """
        told = [hash_files(self.model), self.cfg.dtype, self.cfg.extra]
        return f"served:{hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()}"


class ModelServer:
    """The actor: it holds as many GPUs as the server's `tensor_parallel` and runs where Ray finds them, or none when it shares."""

    def __init__(self, served: Served):
        self._served, self._open = served, ExitStack()
        self._address = (HOST, 0)
        self._failed: Exception | None = None

    def address(self) -> str:
        """Base URL at which the server will answer."""
        import ray

        host = HOST if self._served.cfg.device == "cpu" else ray.util.get_node_ip_address()
        self._address = (host, free_ports(1)[0])
        return f"http://{host}:{self._address[1]}/v1"

    def start(self) -> None:
        """Starts the server; how it went is what `ready` says."""
        host, port = self._address
        models = {self._served.name: self._served.model}
        try:
            self._open.enter_context(serving(models, self._served.cfg, self._served.logs, host, [port]))
        except Exception as error:
            self._failed = error

    def ready(self) -> None:
        """Returns when the server is ready: calls of an actor run in order.

        Raises:
            ServerFailed: It did not come up.
        """
        if self._failed is not None:
            raise self._failed

    def stop(self) -> None:
        """Ends the server."""
        self._open.close()


@contextmanager
def serve(served: Served) -> Iterator[tuple[str, str]]:
    """(base URL, name of the actor) of a server that is starting and runs as long as the block does. Ray is initialised.

    `wait_for` the actor before the first request: its imports go on beside those of the engine.

    Raises:
        UserError: No model in the folder.
    """
    import ray

    if not (served.model / "config.json").is_file():
        expected = "a Hugging Face folder with a config.json"
        raise UserError(f"no model to serve as {served.name!r}", where=str(served.model), expected=expected)
    cfg, name = served.cfg, f"rl_align_{served.name}_server"
    options: dict[str, Any] = {"num_cpus": 1, "num_gpus": cfg.tensor_parallel if cfg.device == "cuda" else 0}
    if cfg.device == "cuda" and cfg.shares_gpu:
        # Ray hides all GPUs from an actor that asked for none, unless it is told to leave them alone.
        options |= {"num_gpus": 0, "runtime_env": {"env_vars": dict.fromkeys(NOSET, "1")}}
    actor = ray.remote(ModelServer).options(name=name, **options).remote(served)
    try:
        address = ray.get(actor.address.remote())
        actor.start.remote()
        if options["num_gpus"] == 0 and cfg.device == "cuda":
            wait_for(name)  # vLLM measures the free memory as it starts, so nobody else may move it meanwhile
        yield address, name
    finally:
        with suppress(ray.exceptions.RayError):
            ray.get(actor.stop.remote(), timeout=30)
        ray.kill(actor)


def wait_for(actor: str) -> None:
    """Returns when the server of this actor is ready.

    Raises:
        EngineFailed: It did not come up; with the end of its log.
    """
    import ray

    handle = ray.get_actor(actor)
    try:
        ray.get(handle.ready.remote())
    except ray.exceptions.RayTaskError as error:
        raise EngineFailed(str(error.cause), where=f"the server behind {actor}") from error
