"""A headless Chromium, driven over its DevTools protocol: what a page shows, asks for and complains about."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Look:
    """What was seen of a page.

    Attributes:
        values: Results of the expressions, one list a width.
        requests: Addresses that the page asked for.
        complaints: Exceptions and console errors.
    """

    def __init__(self) -> None:
        self.values: list[list[Any]] = []
        self.requests: list[str] = []
        self.complaints: list[str] = []


def look(page: Path, expressions: list[str], widths: tuple[int, ...], scratch: Path) -> Look:
    """Opens a local file at each width and evaluates JavaScript expressions in it."""
    # Chromium's sandbox needs privileges that containers do not give; the page is our own file.
    command = [BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-port=0"]
    command += [f"--user-data-dir={scratch}", "about:blank"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        port = _port(scratch / "DevToolsActivePort", process)
        return asyncio.run(_look(port, page.resolve().as_uri(), expressions, widths))
    finally:
        process.terminate()
        process.wait(20)


def _port(file: Path, process: subprocess.Popen) -> int:
    for _ in range(300):
        if file.exists() and len(file.read_text().splitlines()) == 2:
            return int(file.read_text().splitlines()[0])
        assert process.poll() is None, "the browser ended"
        time.sleep(0.1)
    raise TimeoutError("no debugging port after 30 s")


async def _look(port: int, address: str, expressions: list[str], widths: tuple[int, ...]) -> Look:
    import aiohttp

    seen = Look()
    async with aiohttp.ClientSession() as session:
        async with session.get(f"http://127.0.0.1:{port}/json/list") as reply:
            target = next(t for t in await reply.json() if t["type"] == "page")
        async with session.ws_connect(target["webSocketDebuggerUrl"], max_msg_size=2**26) as socket:
            sent = 0

            async def call(method: str, until: str | None = None, **params: Any) -> Any:
                nonlocal sent
                sent += 1
                await socket.send_json({"id": sent, "method": method, "params": params})
                answer, event = None, until is None
                while answer is None or not event:
                    message = await asyncio.wait_for(socket.receive_json(), 60)
                    if message.get("id") == sent:
                        assert "error" not in message, message
                        answer = message["result"]
                    elif message.get("method") == "Network.requestWillBeSent":
                        seen.requests.append(message["params"]["request"]["url"])
                    elif message.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded"):
                        seen.complaints.append(str(message["params"])[:500])
                    event = event or message.get("method") == until
                return answer

            for domain in ("Page", "Network", "Runtime", "Log"):
                await call(f"{domain}.enable")
            for width in widths:
                await call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
                await call("Page.navigate", until="Page.loadEventFired", url=address)
                found = [await call("Runtime.evaluate", expression=e, returnByValue=True) for e in expressions]
                seen.values.append([value["result"].get("value") for value in found])
    return seen
