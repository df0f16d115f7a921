"""Actors whose processes begin to import before verl asks for them.

verl starts its processes one after the other, and each spends most of its start on importing torch, transformers, verl and vLLM.
An actor that is made early imports while another process is busy with something else; verl gets it when it asks, and only then
is the class constructed. Whoever makes it need not have imported the class: Ray is shown a shell that forwards calls by name.
(Tasks that import and leave an idle worker behind do not help: Ray gives actors fresh processes.)
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import ray


def _shell(name: str, methods: Sequence[str], streams: Sequence[str]) -> type:
    """A class with these methods, each of which calls the same one of the object that `begin` constructs.

    `streams` are the ones that yield: Ray has to know that of the shell.
    """

    def construct(self: Any, load: Callable[[], type], prepare: Callable[[], None] | None, after: Any) -> None:
        self.cls = load()
        if prepare:
            prepare()

    async def begin(self: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.inner = self.cls(*args, **kwargs)

    def forward(method: str) -> Callable[..., Any]:
        async def call(self: Any, *args: Any, **kwargs: Any) -> Any:
            result = getattr(self.inner, method)(*args, **kwargs)
            return await result if inspect.isawaitable(result) else result

        return call

    def forward_stream(method: str) -> Callable[..., Any]:
        async def call(self: Any, *args: Any, **kwargs: Any) -> Any:
            async for part in getattr(self.inner, method)(*args, **kwargs):
                yield part

        return call

    calls = {method: forward(method) for method in methods} | {method: forward_stream(method) for method in streams}
    # The name is shown in the names of processes.
    return type(name, (), {"__init__": construct, "begin": begin} | calls)


class EarlyActor:
    """Stands where verl expects Ray's actor class, `options(…).remote(…)`. Its first actor is the one made early.

    Args:
        name: Name of the class.
        methods: Names of the methods that others call.
        load: Imports the class. Runs in the actor's process; it and its module must be light to import.
        streams: Names of the methods that are asynchronous generators; they are not among `methods`.
        prepare: What the early actor does next while it waits.
        after: An early actor that has to be ready before this one begins, so that the two do not compete.
        options: Ray's options of the early actor.
    """

    def __init__(
        self,
        name: str,
        methods: Sequence[str],
        load: Callable[[], type],
        /,
        *,
        streams: Sequence[str] = (),
        prepare: Callable[[], None] | None = None,
        after: EarlyActor | None = None,
        **options: Any,
    ):
        self._load, self._options, self._early_options = load, {}, options
        self._early = ray.remote(_shell(name, methods, streams)).options(**options).remote(load, prepare, after and after.loaded)
        self.loaded = self._early.__ray_ready__.remote()

    def options(self, **options: Any) -> EarlyActor:
        """As Ray's. The early actor is taken when these agree with the ones it was made with."""
        self._options = options
        return self

    def remote(self, *args: Any, **kwargs: Any) -> Any:
        """As Ray's, and raises at once what importing or constructing the class raises."""
        early, self._early = self._early, None
        same = all(self._options.get(key) == value for key, value in self._early_options.items())
        if early is not None and same:
            ray.get(self.loaded)
            ray.get(early.begin.remote(args, kwargs))
            return early
        if early is not None:
            ray.kill(early)
        return ray.remote(self._load()).options(**self._options).remote(*args, **kwargs)
