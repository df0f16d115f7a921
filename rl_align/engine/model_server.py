"""A model that is served beside training: a judge, or the frozen target of a rewriter. vLLM in a Ray actor of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from rl_align.endpoints.serving_config import ServerConfig
from rl_align.errors import UserError


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


class ModelServer:
    """The actor: on a GPU it holds as many as the server's `tensor_parallel`, and runs where Ray finds them."""

    def __init__(self) -> None:
        self._open = ExitStack()

    def start(self, served: Served) -> str:
        """Starts the server; returns its base URL when it is ready.

        Raises:
            UserError: No model in the folder.
            ServerFailed: It did not come up.
        """
        import ray

        from rl_align.endpoints.serving import HOST, serving

        host = HOST if served.cfg.device == "cpu" else ray.util.get_node_ip_address()
        models = {served.name: served.model}
        return self._open.enter_context(serving(models, served.cfg, served.logs, host))[served.name].base_url

    def stop(self) -> None:
        """Ends the server."""
        self._open.close()


@contextmanager
def serve(served: Served) -> Iterator[str]:
    """Base URL of a server for as long as the block runs. Ray is initialised.

    Raises:
        UserError: As `ModelServer.start`; a server that did not come up is one, with the end of its log.
    """
    import ray

    gpus = served.cfg.tensor_parallel if served.cfg.device == "cuda" else 0
    actor = ray.remote(ModelServer).options(num_cpus=1, num_gpus=gpus, name=f"rl_align_{served.name}_server").remote()
    try:
        try:
            address = ray.get(actor.start.remote(served))
        except ray.exceptions.RayTaskError as error:
            cause = error.cause if isinstance(error.cause, Exception) else error
            raise UserError(str(cause), where=f"the server of {served.name}") from error
        yield address
    finally:
        try:
            ray.get(actor.stop.remote(), timeout=30)
        finally:
            ray.kill(actor)
