"""A headless Chromium, driven over its DevTools protocol: what a page shows, asks for and complains about."""

from __future__ import annotations

import asyncio
import base64
import shutil
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

# Chromium's sandbox needs privileges that containers do not give; the pages are our own. It is to ask nobody for anything.
_FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")
_FLAGS += ("--disable-component-update", "--disable-sync", "--remote-debugging-port=0")

#: Keys that are no characters.
_CODES = {"Escape": 27, "Enter": 13}


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


class Tab:
    """A page in a browser.

    Args:
        socket: Its DevTools connection.

    Attributes:
        requests: Addresses that it asked for.
        complaints: Exceptions and console errors.
    """

    def __init__(self, socket: Any):
        self._socket, self._sent = socket, 0
        self.requests: list[str] = []
        self.complaints: list[str] = []

    async def call(self, method: str, until: str | None = None, **params: Any) -> Any:
        """One command; its result, when `until` has happened."""
        self._sent += 1
        await self._socket.send_json({"id": self._sent, "method": method, "params": params})
        answer, event = None, until is None
        while answer is None or not event:
            message = await asyncio.wait_for(self._socket.receive_json(), 60)
            if message.get("id") == self._sent:
                assert "error" not in message, message
                answer = message["result"]
            elif message.get("method") == "Network.requestWillBeSent":
                self.requests.append(message["params"]["request"]["url"])
            elif message.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded"):
                self.complaints.append(str(message["params"])[:500])
            event = event or message.get("method") == until
        return answer

    async def open(self, address: str, width: int = 1280, height: int = 900) -> None:
        """Goes to an address, anew."""
        await self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        await self.call("Page.navigate", until="Page.loadEventFired", url=address)

    async def value(self, expression: str) -> Any:
        """The value of a JavaScript expression."""
        return (await self.call("Runtime.evaluate", expression=expression, returnByValue=True))["result"].get("value")

    async def wait(self, expression: str, timeout_s: float = 20.0) -> Any:
        """The value of an expression as soon as it is true."""
        deadline = time.monotonic() + timeout_s
        while not (value := await self.value(expression)):
            assert time.monotonic() < deadline, f"not true in {timeout_s} s: {expression}"
            await asyncio.sleep(0.02)
        return value

    async def press(self, *keys: str) -> None:
        """Types keys, one after another: characters, or names such as Escape."""
        for key in keys:
            more = {"text": key} if len(key) == 1 else {"windowsVirtualKeyCode": _CODES[key]}
            await self.call("Input.dispatchKeyEvent", type="keyDown", key=key, **more)
            await self.call("Input.dispatchKeyEvent", type="keyUp", key=key, **more)

    async def picture(self, path: Path) -> None:
        """Keeps what is to be seen as a PNG."""
        data = (await self.call("Page.captureScreenshot", format="png"))["data"]
        path.write_bytes(base64.b64decode(data))


@asynccontextmanager
async def browsing(scratch: Path) -> AsyncIterator[Tab]:
    """A browser of its own with one page, ended at the end."""
    import aiohttp

    command = [str(BROWSER), *_FLAGS, f"--user-data-dir={scratch}", "about:blank"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        port = await asyncio.to_thread(_port, scratch / "DevToolsActivePort", process)
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{port}/json/list") as reply:
                target = next(t for t in await reply.json() if t["type"] == "page")
            async with session.ws_connect(target["webSocketDebuggerUrl"], max_msg_size=2**27) as socket:
                tab = Tab(socket)
                for domain in ("Page", "Network", "Runtime", "Log"):
                    await tab.call(f"{domain}.enable")
                yield tab
    finally:
        process.terminate()
        process.wait(20)


def look(page: Path, expressions: list[str], widths: tuple[int, ...], scratch: Path) -> Look:
    """Opens a local file at each width and evaluates JavaScript expressions in it."""

    async def seen() -> Look:
        found = Look()
        async with browsing(scratch) as tab:
            for width in widths:
                await tab.open(page.resolve().as_uri(), width)
                found.values.append([await tab.value(expression) for expression in expressions])
            found.requests, found.complaints = tab.requests, tab.complaints
        return found

    return asyncio.run(seen())


def _port(file: Path, process: subprocess.Popen) -> int:
    for _ in range(300):
        if file.exists() and len(file.read_text().splitlines()) == 2:
            return int(file.read_text().splitlines()[0])
        assert process.poll() is None, "the browser ended"
        time.sleep(0.1)
    raise TimeoutError("no debugging port after 30 s")
