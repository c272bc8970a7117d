"""An engine that is killed at a named point: `python -m tests.faults.dying_engine STORE POINT N`.

The product has no such points: here its store and its transport are wrapped, and the N-th time that the point is
reached the process kills itself, as abruptly as SIGKILL does.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from console.config import EngineSettings
from console.domain.outcome import Outcome, Request
from console.engine import run
from console.engine.transport.seam import Transport
from console.store import Store, open_store

POINTS = (
    "after take_over",
    "after recover",
    "before claim",
    "after claim",
    "before send",
    "after send",
    "before complete",
    "after complete",
    "after commit",
    "after heartbeat",
)


class _Death:
    def __init__(self, point: str, nth: int) -> None:
        self._point, self._left = point, nth

    def comes(self, point: str) -> None:
        if point == self._point:
            self._left -= 1
            if not self._left:
                os.kill(os.getpid(), signal.SIGKILL)


class DyingStore:
    """Dies before or after a method, inside its transaction, or right after a transaction that recorded attempts."""

    def __init__(self, store: Store, death: _Death) -> None:
        self._store, self._death = store, death
        self._completes = False

    def __getattr__(self, name: str) -> Any:
        given = getattr(self._store, name)
        return self._dying(name, given) if callable(given) else given

    def _dying(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: object, **named: object) -> Any:
            if name == "complete":
                self._completes = True
            self._death.comes(f"before {name}")
            answer = method(*arguments, **named)
            if name != "claim" or answer:  # a claim of nothing is no claim
                self._death.comes(f"after {name}")
            return answer

        return call

    @contextmanager
    def transaction(self, *, wait: bool = True) -> Iterator[None]:
        with self._store.transaction(wait=wait):
            yield
        if self._completes:
            self._death.comes("after commit")


class _DyingTransport:
    def __init__(self, transport: Transport, death: _Death) -> None:
        self._transport, self._death = transport, death

    async def send(self, request: Request) -> Outcome:
        self._death.comes("before send")
        outcome = await self._transport.send(request)
        self._death.comes("after send")
        return outcome

    async def aclose(self) -> None:
        await self._transport.aclose()


def main() -> None:
    path, point, nth = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    assert point in POINTS
    death = _Death(point, nth)
    make_transport = run._make_transport

    def open_dying(store: Path, *, read_only: bool = False, any_thread: bool = False) -> Store:
        opened = open_store(store, read_only=read_only, any_thread=any_thread)
        return opened if read_only else cast(Store, DyingStore(opened, death))

    setattr(run, "open_store", open_dying)  # noqa: B010 - mypy knows better than to let names be replaced
    setattr(run, "_make_transport", lambda *given: _DyingTransport(make_transport(*given), death))  # noqa: B010
    run.run_engine(EngineSettings(store=path, allow_addresses=("127.0.0.0/8",), stop_on_eof=True), log_format="json")


if __name__ == "__main__":
    main()
