"""What was tried, how often, and what was lost, as a page for people: written from the results and nothing else."""

import platform
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from console.store.sqlite.library import sqlite3
from tests.faults.trials import TRIALS, Seen

HEAD = """# Faults

Processes killed and stopped, disks that fill, fail or lose what was not synced, clocks that jump, and days of all that
in simulated time. After each of them this must hold (`I1`–`I6` in the code):

1. each acknowledged event is stored, and delivered or explainably pending or failed;
2. each request that a receiver got has its attempt row, written before it was sent;
3. an engine that another one has replaced changes nothing any more;
4. gauges and rates equal a recount of the rows;
5. the file is sound (`integrity_check`, foreign keys), and the log of attempts agrees with itself;
6. a paused endpoint gets no new attempt after its pause is stored.

The short run is part of the tests: `pytest tests/faults`. The long one, whose output such a page is made of:

```
python -m tests.faults all --minutes 60 --report tests/faults/README.md
```

`python -m tests.faults TRIAL --first SEED --seeds 1` tries one seed again (`--help` has the rest). Power loss, failing
disks and simulations repeat exactly; what runs several processes repeats its choices, not its timing.
"""

TAIL = """
## How it is done

- **Power loss.** A child process takes over what its SQLite asks of the operating system, by writing over the
  addresses that the dynamic linker left in the library: no compiler, no privileges. Every write, truncation, sync,
  new and removed name is recorded in order with what was promised in between (an event acknowledged, a request
  sent, an outcome recorded, a pause stored). The record is then followed up to a random moment, half of the time
  right after a promise, and all that was not synced by then is kept, dropped or torn by sectors of 512 bytes, also
  in another order. The store that is left is opened as the next engine does, and every promise is looked for.
  Elsewhere than on 64-bit Linux it is skipped.
- **Failing disk.** Writes are cut short with ENOSPC and syncs fail with EIO; after a failed sync the kernel has
  forgotten what was to be written, as Linux does: no later sync brings it to the disk.
  In half of the runs only the write-ahead log's syncs fail, in the other half those of the store's own file too.
- **Simulation.** The product's own engine (supervisor, schedule, dispatcher, chores, SQLite store) on an event loop
  whose clock goes straight to the next thing to do. Receivers, operators, producers, deaths at any await, stale
  engines and the wall clock are drawn from the seed; the same seed lives the same life, asserted also under another
  hash seed.
- **Everything here has been seen to fail.** Tests of their own hold it: under `synchronous=NORMAL` acknowledged
  events are lost, under `OFF` stores are broken, a failed sync that is kept from SQLite loses events, stores break
  when SQLite's count is trusted after a failed checkpoint (see below), and simulations of a store without attempt
  rows, without a delivery, with a wrong count, without a fence or with pauses that do not hold are red.

## Found and mended

**A failed sync of the store's own file, after a checkpoint that a reader cut short.** SQLite 3.53 counts such a
checkpoint as done before it has synced it. When the sync at the end of a later checkpoint fails (EIO), and the next one
works since the kernel has forgotten, the pages of the first are on no disk although the write-ahead log begins again: a
loss of power then breaks the store. So the engine makes every checkpoint itself, and after one that failed it sets that
count back: all that the log holds is written once more before the log may begin again. It says so in its log (`log
cannot be put back into the store`), goes on, since each commit is on disk in the log, and tries again every 5 seconds.
A new engine begins so, too, and does not start when it fails. `python -m tests.faults.recorded_work … --failures 0.01
--everywhere` is the disk that does this, with `--trusting` the store that it breaks.

## Known and not mended

**A commit whose sync failed, and everything that has the store open dies before the next commit.** What it left in the
write-ahead log is whole in the kernel's memory and on no disk; SQLite takes it for committed. A new engine writes it
into the store first of all. But an event accepted by another process before that, without an engine, stands on it: a
loss of power before the engine is started loses that event. And for as long as a reader keeps the new engine from
emptying the log, what it promises stands on it too. After an EIO in the kernel's log: distrust the disk, check the
store (`webhook-console doctor`).
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One seed of one trial. `broken`: what did not hold, None when everything did."""

    trial: str
    seed: int
    seen: Seen
    broken: str | None


def write_report(path: Path, results: list[Result]) -> None:
    path.write_text(render(results))


def render(results: list[Result]) -> str:
    """The page."""
    by_trial: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        by_trial[result.trial].append(result)
    lines = [HEAD, "## What was tried", "", "| trial | what befalls whom | runs | in all | broken or lost |"]
    lines.append("|---|---|--:|---|--:|")
    for name, of_trial in sorted(by_trial.items(), key=lambda item: list(TRIALS).index(item[0])):
        broken = sum(result.broken is not None for result in of_trial)
        lines.append(f"| `{name}` | {TRIALS[name].title} | {len(of_trial)} | {_sums(of_trial)} | {broken} |")
    lines += ["", f"Linux {platform.machine()}, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}."]
    failures = [
        f"- `{r.trial}`, seed {r.seed}: {(r.broken or '').strip().splitlines()[-1]}" for r in results if r.broken
    ]
    if failures:
        lines += ["", "### Broken", "", *failures]
    return "\n".join(lines) + "\n" + TAIL


def _sums(results: list[Result]) -> str:
    """Whatever the trial counts, added up."""
    sums: dict[str, float] = defaultdict(float)
    for result in results:
        for name, value in result.seen.items():
            if isinstance(value, int | float) and not isinstance(value, bool) and name not in ("seed", "wal_bytes"):
                sums[name] += value
    return ", ".join(f"{round(value):,} {name.replace('_', ' ')}" for name, value in sums.items()) or "–"
