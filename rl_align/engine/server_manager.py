"""verl's manager of vLLM servers with a router that was made early.

The router's process imports all of verl to understand the servers' handles, and verl makes it last. Put in by binding
`trainer_base.LLMServerManager` (`rl_align/engine/grpo.py`).
"""

from __future__ import annotations

from verl.workers.rollout.llm_server import LLMServerManager

from . import early_processes


class EarlyServerManager(LLMServerManager):
    """verl's manager, once `early_processes.start` was called."""

    async def _init_global_load_balancer(self) -> None:
        if self.rollout_config.router_config_path:
            return await super()._init_global_load_balancer()
        servers = dict(zip(self.server_addresses, self.server_handles, strict=True))
        router = early_processes.router
        self.global_load_balancer = router.remote(servers=servers, full_determinism=self.rollout_config.full_determinism)
