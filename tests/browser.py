"""A real Chromium without a window, spoken to over its DevTools protocol."""

import asyncio
import base64
import json
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

GUARD_S = 60.0


def chromium() -> str | None:
    """The browser of this machine; None when there is none."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((found for name in names if (found := shutil.which(name))), None)


class Page:
    """One tab."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket, self._number = socket, 0
        self.requested: list[str] = []
        """Every address that the page has asked for."""
        self.refused: list[str] = []
        """Those that its own policy kept it from."""
        self._urls: dict[str, str] = {}
        self.received = b""
        """What came to the page over WebSockets, as binary frames."""

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Do what a DevTools method says, and wait for its answer."""
        self._number += 1
        await self._socket.send_json({"id": self._number, "method": method, "params": parameters})
        while True:
            message = json.loads((await self._socket.receive(GUARD_S)).data)
            self._note(message.get("method"), message.get("params", {}))
            if message.get("id") == self._number:
                assert "error" not in message, message
                return dict(message["result"])

    def _note(self, event: str | None, told: dict[str, Any]) -> None:
        if event == "Network.requestWillBeSent":
            self.requested.append(told["request"]["url"])
            self._urls[told["requestId"]] = told["request"]["url"]
        elif event == "Network.loadingFailed" and told.get("blockedReason") == "csp":
            self.refused.append(self._urls[told["requestId"]])
        elif event == "Network.webSocketCreated":
            self.requested.append(told["url"])
        elif event == "Network.webSocketFrameReceived" and told["response"]["opcode"] == 2:
            self.received += base64.b64decode(told["response"]["payloadData"])

    async def ask(self, script: str) -> Any:
        """The value of a JavaScript expression."""
        answer = await self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        return answer["result"].get("value")

    async def until(self, look: Callable[[], object]) -> None:
        """Listen to the page until it holds."""
        async with asyncio.timeout(GUARD_S):
            while not look():
                await self.ask("0")
                await asyncio.sleep(0.05)

    async def press(self, key: str) -> None:
        """Type one character."""
        await self.ask("document.querySelector('textarea').focus()")
        await self.call("Input.dispatchKeyEvent", type="keyDown", key=key, text=key)
        await self.call("Input.dispatchKeyEvent", type="keyUp", key=key)

    async def picture(self) -> bytes:
        """The page as PNG."""
        return base64.b64decode((await self.call("Page.captureScreenshot", format="png"))["data"])


@asynccontextmanager
async def browser_page(executable: str) -> AsyncIterator[Page]:
    """A browser with one empty tab; it and its profile are gone at the end."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = await asyncio.create_subprocess_exec(
            executable,
            "--headless=new",
            "--no-sandbox",  # as root there is none
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--window-size=1280,800",
            "--remote-debugging-port=0",
            f"--user-data-dir={profile}",
            "about:blank",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stderr is not None
        try:
            async with aiohttp.ClientSession() as session:
                port = await _port(process.stderr)
                async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
                    tabs = await answer.json()
                address = next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page")
                async with session.ws_connect(address, max_msg_size=0) as socket:
                    page = Page(socket)
                    for domain in ("Page", "Network", "Runtime"):
                        await page.call(f"{domain}.enable")
                    yield page
                    await page.call("Browser.close")
            await asyncio.wait_for(process.wait(), GUARD_S)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


async def _port(errors: asyncio.StreamReader) -> int:
    """Where it listens, which it says on stderr."""
    async with asyncio.timeout(GUARD_S):
        async for line in errors:
            if line.startswith(b"DevTools listening on ws://"):
                return int(line.split(b":")[2].split(b"/")[0])
    raise AssertionError("the browser ended before it listened")
