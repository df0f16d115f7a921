"""Which processes of a GRPO run are made early on a machine of its own, and in what order.

The trainer's own process imports verl for a dozen seconds before it can ask for anything, on one core. Meanwhile the vLLM server,
then the agent loop worker, then the router of requests import on another. This module imports none of that itself.
"""

from __future__ import annotations

from functools import partial

from . import env
from .early import EarlyActor
from .rollout_server import inspect_model

#: verl's `max_concurrency` of a server with fewer sequences than this.
MAX_CONCURRENCY = 1000
#: Public methods of each class, and those that stream; `tests/test_cpu_contract.py` compares them with the classes.
SERVER_METHODS = (
    "abort_all_requests", "abort_request", "clear_kv_cache", "collective_rpc", "generate", "generate_group",
    "get_master_address", "get_rollout_config", "get_server_address", "launch_server", "open_submission_gate",
    "release_kv_cache", "resume_engine_generation", "resume_generation", "resume_kv_cache", "run_headless", "run_server",
    "set_global_steps", "set_pd_peer", "sleep", "start_profile", "stop_profile", "wait_for_requests_to_drain", "wake_up",
)  # fmt: skip
SERVER_STREAMS = ("stream_group",)
WORKER_METHODS = ("generate_sequences",)
ROUTER_METHODS = (
    "acquire_server", "add_servers", "clear_sticky_cache", "get_all_servers", "get_inflight_count", "get_status",
    "get_total_inflight", "release_server", "remove_servers", "require_acquire_fields", "require_release_fields",
)  # fmt: skip

#: The actors of this process's run, where they were made early.
server: EarlyActor | None = None
worker: EarlyActor | None = None
router: EarlyActor | None = None


def start(model: str) -> None:
    """Makes the one server, worker and router that a single machine has, with the options that verl gives them.

    Args:
        model: Hugging Face folder of the policy.
    """
    global server, worker, router
    variables = dict.fromkeys(env.NOSET, "1") | env.of_rollout_server()
    options = {"name": "vllm_server_0_0", "runtime_env": {"env_vars": variables}, "max_concurrency": MAX_CONCURRENCY}
    prepare = partial(inspect_model, model)
    server = EarlyActor("GroupHttpServer", SERVER_METHODS, load_server, streams=SERVER_STREAMS, prepare=prepare, **options)
    worker = EarlyActor("GroupAgentLoopWorker", WORKER_METHODS, load_worker, after=server)
    router = EarlyActor("GlobalRequestLoadBalancer", ROUTER_METHODS, load_router, after=worker)


def load_server() -> type:
    """The vLLM server's class."""
    from .rollout_server import load_replica

    return load_replica().server


def load_worker() -> type:
    """The agent loop worker's class."""
    from .rollout_worker import GroupAgentLoopWorker

    return GroupAgentLoopWorker


def load_router() -> type:
    """The router's class."""
    from verl.workers.rollout.router import GlobalRequestLoadBalancer

    return GlobalRequestLoadBalancer
