"""Which vLLM server a request goes to: the one with the fewest requests.

verl's own router does that too, but its process imports all of verl first, which makes it the last to be ready. Siblings come in
one request here, so there is no session to stick to. Named in `router.yaml` (verl's `rollout.router_config_path`). This module
must stay light.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

#: verl reads the class from a file.
CONFIG = Path(__file__).with_name("router.yaml")


class LeastRequests:
    """verl's router protocol (`verl.workers.rollout.router`).

    Args:
        servers: Address → actor handle.
        config: What stands in the file.
    """

    def __init__(self, servers: Mapping[str, Any], config: Mapping[str, Any] | None = None):
        self._servers = dict(servers)
        self._requests = dict.fromkeys(servers, 0)

    def acquire_server(self, request_id: str, **extra: Any) -> tuple[str, Any]:
        """Address and handle. Raises RuntimeError when there is no server."""
        if not self._servers:
            raise RuntimeError("no server to send a request to")
        chosen = min(self._requests, key=self._requests.__getitem__)
        self._requests[chosen] += 1
        return chosen, self._servers[chosen]

    def release_server(self, server_id: str, request_id: str | None = None) -> None:
        """The request is answered."""
        if self._requests.get(server_id, 0) > 0:
            self._requests[server_id] -= 1

    def require_acquire_fields(self) -> list[str]:
        """Nothing of a request is needed to route it."""
        return []

    def require_release_fields(self) -> list[str]:
        """The address is enough."""
        return []

    def add_servers(self, servers: Mapping[str, Any]) -> None:
        """More servers."""
        self._servers |= servers
        self._requests |= {name: 0 for name in servers if name not in self._requests}

    def remove_servers(self, server_ids: Sequence[str]) -> None:
        """Fewer servers."""
        for name in server_ids:
            self._servers.pop(name, None)
            self._requests.pop(name, None)

    def get_all_servers(self) -> list[str]:
        """Their addresses."""
        return list(self._servers)

    def get_total_inflight(self) -> int:
        """Requests that are not answered yet."""
        return sum(self._requests.values())

    def get_inflight_count(self, server_id: str) -> int:
        """Those of one server."""
        return self._requests.get(server_id, 0)

    def get_status(self) -> dict[str, Any]:
        """For debugging."""
        return {
            "servers": dict(self._requests),
            "total_inflight": self.get_total_inflight(),
            "active_servers": len(self._servers),
        }

    def clear_sticky_cache(self) -> dict[str, Any]:
        """There is none."""
        return {"cleared_entries": 0, "server_loads": dict(self._requests)}
