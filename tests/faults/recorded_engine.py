"""An engine whose changes to the store's files are recorded, and each request just before it is sent:
`python -m tests.faults.recorded_engine STORE CHANGES`."""

import sys
from pathlib import Path
from urllib.parse import urlsplit

from console.config import EngineSettings
from console.domain.outcome import Outcome, Request
from console.engine import run
from console.engine.transport.seam import Transport
from console.store.sqlite import engine
from tests.faults.recorded_work import CHECKPOINT_PAGES
from tests.faults.recording import Log, record


class _RecordedTransport:
    def __init__(self, transport: Transport, log: Log) -> None:
        self._transport, self._log = transport, log

    async def send(self, request: Request) -> Outcome:
        self._log.mark("posted", dict(request.headers)["webhook-id"], urlsplit(request.url).path)
        return await self._transport.send(request)

    async def aclose(self) -> None:
        await self._transport.aclose()


def main() -> None:
    path, log = Path(sys.argv[1]), Log(Path(sys.argv[2]))
    make_transport = run._make_transport
    setattr(run, "_make_transport", lambda *given: _RecordedTransport(make_transport(*given), log))  # noqa: B010
    setattr(engine, "_CHECKPOINT_PAGES", CHECKPOINT_PAGES)  # noqa: B010 - mypy knows better than to let names be replaced
    record(path, log)
    run.run_engine(EngineSettings(store=path, allow_addresses=("127.0.0.0/8",), stop_on_eof=True), log_format="json")


if __name__ == "__main__":
    main()
