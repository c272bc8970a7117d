"""An engine as `serve` runs it, in trouble or recorded: `python -m tests.faults.troubled_engine STORE [--control FILE]
[--changes FILE]`. With `--changes` each request is written down there too, just before it is sent."""

import argparse
from typing import Any
from urllib.parse import urlsplit

from console.config import EngineSettings
from console.domain.errors import ConsoleError
from console.domain.outcome import Outcome, Request
from console.engine import run
from console.engine.logs import make_log
from console.engine.transport.seam import Transport
from tests.faults import troubles
from tests.faults.recording import Log


class _RecordedTransport:
    def __init__(self, transport: Transport, log: Log) -> None:
        self._transport, self._log = transport, log

    async def send(self, request: Request) -> Outcome:
        self._log.mark("posted", dict(request.headers)["webhook-id"], urlsplit(request.url).path)
        return await self._transport.send(request)

    async def aclose(self) -> None:
        await self._transport.aclose()


def main() -> int:
    parser = argparse.ArgumentParser()
    troubles.add_options(parser)
    given = parser.parse_args()
    clock, log = troubles.begin(given)
    make_transport = run._make_transport
    replaced: dict[str, Any] = {"SystemClock": lambda: clock}
    if log is not None:
        replaced["_make_transport"] = lambda *parts: _RecordedTransport(make_transport(*parts), log)
    for name, part in replaced.items():
        setattr(run, name, part)
    settings = EngineSettings(store=given.store, allow_addresses=("127.0.0.0/8",), stop_on_eof=True)
    try:
        return run.run_engine(settings, log_format="json")
    except ConsoleError as error:
        make_log("json").error("ended", error=str(error))
        return 1


if __name__ == "__main__":
    raise SystemExit(main())
