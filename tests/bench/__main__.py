"""`python -m tests.bench NAME [OPTIONS]`: one measurement, printed as one JSON object."""

import importlib
import sys

BENCHES = {
    "engine_rate": "deliveries a second beside the bare transport",
    "engine_latency": "from acceptance to the receiver's hands, at fixed rates of arrival",
    "upkeep": "what deliveries notice of retention and of a backup",
    "bullmq_rate": "the engine beside BullMQ on Redis, doing the same signed POSTs",
    "isolation": "a healthy endpoint beside dead, hanging and paused ones with much pending",
    "scale": "10,000 endpoints and a million pending: start, memory, rate",
    "history": "ten million attempts: rate, lists with any filter, stats and the first frame",
    "bulk_retry": "the latency of new events while failed deliveries are retried by the thousand",
    "accept_rate": "events a second that `send --ndjson` accepts, and how fast `send` starts",
    "intake_rate": "durable events a second over HTTP, beside the same framework without a store",
    "console_first_frame": "how soon the console shows a real row, beside an empty Textual app",
    "console_keys": "how soon a key is answered, idle and while attempts arrive",
    "console_feel": "the console from outside: first frame, keys, bytes, CPU, memory, jumps, a stalled terminal",
    "transport_ceiling": "requests a second of the bare transports",
}


def main() -> int:
    if len(sys.argv) < 2 or sys.argv[1] not in BENCHES:
        width = max(map(len, BENCHES))
        print("usage: python -m tests.bench NAME [--help]", file=sys.stderr)
        for name, what in BENCHES.items():
            print(f"  {name:<{width}}  {what}", file=sys.stderr)
        return 2
    del sys.argv[0]
    importlib.import_module(f"tests.bench.{sys.argv[0]}").main()
    return 0


if __name__ == "__main__":
    sys.exit(main())
