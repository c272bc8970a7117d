"""A receiver that writes each POST down before it answers: `python -m tests.faults.receiver LOG SEED`.

Prints its port and serves until its input closes. A line of the log is `webhook-id path status monotonic-seconds`.
`/ok` answers 200, `/slow` after 20 ms, `/flaky` 500 three times in ten, `/down` always 500.
"""

import asyncio
import os
import re
import sys
import time
from random import Random

_HEAD = re.compile(rb"POST (\S+) HTTP/1\.1\r\n", re.IGNORECASE)
_ID = re.compile(rb"(?im)^webhook-id: *(\S+)")
_LENGTH = re.compile(rb"(?im)^content-length: *(\d+)")
_REASON = {200: b"OK", 500: b"Failed"}


class _Receiver:
    def __init__(self, log: str, seed: int) -> None:
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._random = Random(seed)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length, event, first = _LENGTH.search(head), _ID.search(head), _HEAD.match(head)
                assert length is not None
                assert event is not None
                assert first is not None
                await reader.readexactly(int(length[1]))
                status = self._status(first[1])
                line = b"%s %s %d %.6f\n" % (event[1], first[1], status, time.monotonic())
                os.write(self._log, line)
                if first[1] == b"/slow":
                    await asyncio.sleep(0.02)
                writer.write(b"HTTP/1.1 %d %s\r\ncontent-length: 2\r\n\r\nok" % (status, _REASON[status]))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.transport.abort()

    def _status(self, path: bytes) -> int:
        failing = path == b"/down" or (path == b"/flaky" and self._random.random() < 0.3)
        return 500 if failing else 200


async def _main(log: str, seed: int) -> None:
    server = await asyncio.start_server(_Receiver(log, seed).serve, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    ended = asyncio.Event()
    fd = sys.stdin.fileno()
    asyncio.get_running_loop().add_reader(fd, lambda: None if os.read(fd, 4096) else ended.set())
    await ended.wait()
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], int(sys.argv[2])))
