"""verl's manager of vLLM servers with a router that was made early.

The router's process imports all of verl to understand the servers' handles, and verl makes it last. Put in by binding
`trainer_base.LLMServerManager` (`rl_align/engine/grpo.py`).
"""

from __future__ import annotations

from typing import Any

from verl.workers.rollout.llm_server import LLMServerManager
from verl.workers.rollout.router import GlobalRequestLoadBalancer

from .early import EarlyActor


class EarlyServerManager(LLMServerManager):
    """verl's manager; `start_early` comes first."""

    router: Any = None

    @classmethod
    def start_early(cls) -> None:
        """Makes the router's process."""
        cls.router = EarlyActor(GlobalRequestLoadBalancer)

    async def _init_global_load_balancer(self) -> None:
        servers = dict(zip(self.server_addresses, self.server_handles, strict=True))
        self.global_load_balancer = self.router.remote(servers=servers, full_determinism=self.rollout_config.full_determinism)
