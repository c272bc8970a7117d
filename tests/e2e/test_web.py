"""`webhook-console web` in a real browser, and whom it lets in."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import aiohttp
import pyte
import pytest

from console.store import open_store
from tests.browser import browser_page, chromium
from tests.e2e.stage import MARK, program
from tests.factories import add_endpoint
from tests.terminal import plain_environment

GUARD_S = 60.0


@asynccontextmanager
async def served(tmp_path: Path) -> AsyncIterator[str]:
    """The address that a `web` of this test prints; it is ended by Ctrl-C."""
    with closing(open_store(tmp_path / "store.db")) as store:
        add_endpoint(store, name="crm-in-the-browser")
    environ = plain_environment(tmp_path) | {MARK: "web"}
    words = [*program(), "web", "--port", "0", "--read-only", "--store", str(tmp_path / "store.db")]
    process = await asyncio.create_subprocess_exec(
        *words, env=environ, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), GUARD_S)
        assert line.startswith(b"http://127.0.0.1:"), await process.communicate()
        yield line.decode().strip()
        process.send_signal(signal.SIGINT)
        _, said = await asyncio.wait_for(process.communicate(), GUARD_S)
        assert b"whoever opens this address acts as you" in said
        assert b"Traceback" not in said
        assert process.returncode == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.mark.skipif(chromium() is None, reason="no Chromium on this machine")
async def test_the_console_runs_in_a_browser_and_fetches_nothing_from_elsewhere(tmp_path: Path) -> None:
    executable = chromium()
    assert executable is not None
    async with served(tmp_path) as address, browser_page(executable) as page:
        screen = pyte.Screen(200, 60)
        stream, fed = pyte.ByteStream(screen), 0

        def shown(words: str) -> bool:
            nonlocal fed
            stream.feed(page.received[fed:])
            fed = len(page.received)
            return any(words in line for line in screen.display)

        await page.call("Page.navigate", url=address)
        await page.until(lambda: shown("crm-in-the-browser"))
        assert shown("read-only")
        await page.press("?")
        await page.until(lambda: shown("Everywhere"))
        picture = await page.picture()
        assert len(picture) > 20_000  # a page that shows nothing is 5 kB

        host = address.split("/")[2]
        outside = [
            url for url in page.requested if not url.startswith(("data:", "blob:")) and url.split("/")[2] != host
        ]
        # Asked for, and refused by the page's own policy before anything leaves the machine.
        assert set(outside) == set(page.refused)


async def test_only_who_has_the_secret_and_no_page_from_elsewhere_is_let_in(tmp_path: Path) -> None:
    async with served(tmp_path) as address, aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        base, _, token = address.partition("?token=")
        host = base.split("/")[2]

        async def answer(path: str, **headers: str) -> int:
            async with session.get(f"{base}{path}", headers=headers) as response:
                if response.status == 200:
                    assert "connect-src 'self'" in response.headers["Content-Security-Policy"]
                    assert "HttpOnly" in response.headers["Set-Cookie"]
                return response.status

        assert await answer("") == 403
        assert await answer("?token=wrong") == 403
        assert await answer("static/js/textual.js") == 403
        assert await answer(f"?token={token}") == 200
        assert await answer(f"?token={token}", Host=f"evil.example:{host.rpartition(':')[2]}") == 403
        assert await answer(f"?token={token}", Origin="https://evil.example") == 403
        for given in ("", f"?token={token}x"):
            with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
                await session.ws_connect(f"{base}ws{given}")
        with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
            await session.ws_connect(f"{base}ws?token={token}", origin="https://evil.example")
        async with session.ws_connect(f"{base}ws?token={token}&width=80&height=24") as socket:
            assert (await socket.receive(GUARD_S)).type in (aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT)
