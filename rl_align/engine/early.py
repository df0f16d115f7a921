"""Actors whose processes begin to import before verl asks for them.

verl starts its processes one after the other, and each spends most of its start on importing torch, transformers, verl and vLLM.
An actor that is made early imports while another process is busy with something else; verl gets it when it asks, and only then
does its constructor run. (Tasks that import and leave an idle worker behind do not help: Ray gives actors fresh processes.)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ray


def _waiting(cls: type) -> type:
    """A class that is constructed in two parts: its process, then itself."""

    class Waiting(cls):  # type: ignore[misc, valid-type]
        def __init__(self, prepare: Callable[[], None] | None) -> None:
            if prepare:  # by now Ray has imported what the class needs
                prepare()

        def begin(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            super().__init__(*args, **kwargs)

    Waiting.__name__ = Waiting.__qualname__ = cls.__name__  # shown in the names of processes
    return Waiting


class EarlyActor:
    """Stands where verl expects Ray's actor class, `options(…).remote(…)`. Its first actor is the one made early.

    Args:
        cls: The actor's class, undecorated.
        prepare: What the early actor does while it waits.
        options: Ray's options of the early actor.
    """

    def __init__(self, cls: type, prepare: Callable[[], None] | None = None, **options: Any):
        self._cls, self._options, self._early_options = cls, {}, options
        self._early = ray.remote(_waiting(cls)).options(**options).remote(prepare)

    def options(self, **options: Any) -> EarlyActor:
        """As Ray's. The early actor is taken when name and environment are the ones it was made with."""
        self._options = options
        return self

    def remote(self, *args: Any, **kwargs: Any) -> Any:
        """As Ray's, and raises at once what the constructor of the early actor raises."""
        early, self._early = self._early, None
        same = all(self._options.get(key) == value for key, value in self._early_options.items())
        if early is None:
            return ray.remote(self._cls).options(**self._options).remote(*args, **kwargs)
        if not same:
            ray.kill(early)
            return ray.remote(self._cls).options(**self._options).remote(*args, **kwargs)
        ray.get(early.begin.remote(args, kwargs))
        return early
