"""A world in simulated time: the real engine on a real store, and all that may befall it, drawn from one seed.

Receivers change their moods, operators act, producers send, the wall clock jumps, engines die at any await or are
stopped and taken over. At every request I2 is looked at, at every pause and after every stale engine I6 and I3, and at
the end, when all has healed and drained, the rest.
"""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from heapq import heappop, heappush
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

from console.domain.alerts import AlertKind
from console.domain.delivery import DeliveryState
from console.domain.endpoint import Endpoint, EndpointState
from console.domain.errors import FencedError, InvalidInputError
from console.domain.filters import DeliveryFilter
from console.domain.ids import EndpointId, EventId, OperationId
from console.domain.outcome import Outcome, Request, Response
from console.operations import deliveries as on_deliveries
from console.operations import endpoints as on_endpoints
from console.store import open_store
from tests.factories import make_event, make_spec
from tests.faults import simulated_receivers
from tests.faults.invariants import attempts_by_target, check_counts, check_store
from tests.faults.policies import drawn_policy_fields
from tests.faults.simulated_engine import POINTS, SimulatedEngine, simulated_parts
from tests.faults.simulated_time import SimulatedClock, SimulatedLoop
from tests.store.recount import read

WHO = "simulation"
SETTLED_S = 0.1
"""So long after the last thing that happened an engine has seen it: time may jump to the next."""
HEALED_S = 20 * 24 * 3600.0
"""When all receivers are well and nothing more befalls anybody, all is drained after so long at the latest."""

_OPEN_ATTEMPT = """
SELECT count(*) FROM attempts a JOIN deliveries d ON d.id = a.delivery JOIN events e ON e.seq = d.event
JOIN endpoints p ON p.seq = d.endpoint WHERE e.id = ? AND p.url LIKE ? AND a.ended_at IS NULL
"""
_NEXT_DUE = """
SELECT min(next_attempt_at) FROM deliveries d JOIN endpoints p ON p.seq = d.endpoint
WHERE d.state = 'pending' AND d.next_attempt_at > ? AND p.state = 'active' AND p.removed_at IS NULL
"""
_OWED = """
SELECT count(*) FROM deliveries d JOIN endpoints p ON p.seq = d.endpoint
WHERE d.state IN ('pending', 'sending') AND p.removed_at IS NULL
"""
_GOING_ON = "SELECT count(*) FROM operations WHERE finished_at IS NULL"
_ALL = """
SELECT e.id, p.name, d.state, d.attempts, d.step FROM deliveries d JOIN events e ON e.seq = d.event
JOIN endpoints p ON p.seq = d.endpoint ORDER BY d.id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lived:
    """What came of a simulated world."""

    seed: int
    simulated_hours: float
    events: int
    posts: int
    arrived: int
    """Deliveries that a receiver answered with success."""
    deaths: int
    stale: int
    acts: int
    trace: str
    """A digest of all that happened, in order."""


class Simulation:
    def __init__(self, path: Path, seed: int, tell: Callable[[str], None] | None = None) -> None:
        self.path, self.seed = path, seed
        self._tell = tell
        self._random, self._answers = Random(f"{seed} world"), Random(f"{seed} answers")
        self._clock = SimulatedClock()
        self._loop = SimulatedLoop(self._clock)
        self._digest = hashlib.sha256()
        self._store, self._look = open_store(path), open_store(path, read_only=True)
        self._endpoints: dict[EndpointId, Endpoint] = {}
        self._moods: dict[str, str] = {}
        self._paused: dict[EndpointId, int] = {}
        """The newest attempt of each paused endpoint when its pause was stored."""
        self._owed: dict[EventId, int] = {}
        """To how many endpoints each acknowledged event is owed."""
        self._posts: Counter[tuple[str, str]] = Counter()
        self._arrived: set[tuple[str, str]] = set()
        self._answers_s: list[float] = []
        """When the next answers come: a heap."""
        self._active_s = self._next_act_s = 0.0
        self._operations: list[OperationId] = []
        self._violations: list[str] = []
        self._stale = False
        self._engines: list[SimulatedEngine] = []
        self._deaths = self._stales = self._added = 0
        self._closing = False

    def live(self, acts: int) -> Lived:
        """Raises AssertionError when anything that must hold does not."""
        self._loop.jump_to(self._when_to_jump)
        with simulated_parts(self._clock, Random(f"{self.seed} engine")):
            try:
                self._loop.run_until_complete(self._live(acts))
            finally:
                self._end_all()
                self._loop.close()
                self._store.close()
                self._look.close()
        for row in read(self.path, _ALL):
            self._say(str(row))
        return Lived(
            seed=self.seed,
            simulated_hours=round(self._clock.elapsed_s / 3600, 1),
            events=len(self._owed),
            posts=self._posts.total(),
            arrived=len(self._arrived),
            deaths=self._deaths,
            stale=self._stales,
            acts=acts,
            trace=self._digest.hexdigest()[:16],
        )

    def _end_all(self) -> None:
        """Also after a failure nothing is left that waits."""
        tasks = asyncio.all_tasks(self._loop)
        for engine in self._engines:
            engine.dead = True
            engine.running.set()
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.wait([self._loop.create_task(asyncio.sleep(0)), *tasks]))

    async def _live(self, acts: int) -> None:
        for rule in self._store.alert_rules():
            if rule.spec.kind is AlertKind.ENGINE_STALLED:  # when time jumps, every engine has stalled
                self._store.remove_alert_rule(rule.id, self._clock.now_ms())
        for _ in range(3):
            self._add()
        self._engine = self._start()
        keeper = self._loop.create_task(self._keep())
        for _ in range(acts):
            await self._act(keeper)
        await self._heal()
        self._closing = True
        self._engine.death = None
        self._engine.terminate()
        await keeper
        self._check()

    async def _act(self, keeper: "asyncio.Task[None]") -> None:
        gap_s = self._random.expovariate(1 / self._random.choice((0.05, 0.5, 0.5, 60.0, 7200.0)))
        self._next_act_s = self._clock.elapsed_s + gap_s
        await asyncio.wait([keeper], timeout=gap_s)
        if keeper.done():
            keeper.result()
        assert not self._violations, self._violations[0]
        weights = {
            self._accept: 40, self._change_mood: 14, self._pause: 6, self._resume: 9, self._crash: 9, self._retry: 4,
            self._cancel: 2, self._undo: 2, self._edit: 4, self._add: 2, self._remove: 1, self._jump: 3, self._stop: 3,
        }  # fmt: skip
        if self._random.random() < 0.03:
            await self._leave_a_stale_one()
        else:
            self._random.choices(list(weights), list(weights.values()))[0]()
        self._note_activity()

    # --- what befalls it

    def _accept(self) -> None:
        ids = [EventId(f"evt_{len(self._owed) + i}") for i in range(self._random.choice((1, 1, 3, 20)))]
        again = self._random.choice(list(self._owed)) if self._owed and self._random.random() < 0.1 else None
        types = ("invoice.paid", "lead.created")
        events = [make_event(id=id_, type=self._random.choice(types)) for id_ in ids]
        answers = self._store.accept(events, self._clock.now_ms())
        self._owed.update({a.id: a.deliveries for a in answers})
        if again is not None:
            (answer,) = self._store.accept([make_event(id=again)], self._clock.now_ms())
            assert (answer.duplicate, answer.deliveries) == (True, self._owed[again])
        self._say(f"accepted {ids[0]} and {len(ids) - 1} more")

    def _change_mood(self) -> None:
        path = self._random.choice(list(self._moods))
        mood = "gone" if self._random.random() < 0.03 else self._random.choice(simulated_receivers.MOODS)
        self._moods[path] = mood
        self._say(f"{path} is {mood}")

    def _pause(self) -> None:
        endpoint = self._any()
        on_endpoints.pause_endpoint(self._store, endpoint.id, actor=WHO, reason=None, now_ms=self._clock.now_ms())
        self._paused.setdefault(endpoint.id, self._newest_attempt(endpoint))
        self._say(f"paused {endpoint.name}")

    def _resume(self) -> None:
        endpoint = self._any()
        self._check_pause(endpoint)
        on_endpoints.resume_endpoint(self._store, endpoint.id, actor=WHO, reason=None, now_ms=self._clock.now_ms())
        self._paused.pop(endpoint.id, None)
        self._say(f"resumed {endpoint.name}")

    def _retry(self) -> None:
        states = self._random.choice(((DeliveryState.FAILED,), (DeliveryState.PENDING,), (DeliveryState.CANCELLED,)))
        where = DeliveryFilter(states=states, endpoints=(self._any().id,))
        rate = self._random.choice((None, None, 0.5, 10.0))
        operation = on_deliveries.begin_retry(
            self._store, where, actor=WHO, now_ms=self._clock.now_ms(), rate_per_s=rate
        )
        self._operations.append(operation.id)
        self._say(f"retries {states[0]} at {rate} a second, {operation.id}")

    def _cancel(self) -> None:
        begin = self._random.choice((on_deliveries.begin_cancel, on_deliveries.begin_skip))
        where = DeliveryFilter(endpoints=(self._any().id,))
        operation = begin(self._store, where, actor=WHO, now_ms=self._clock.now_ms())
        self._operations.append(operation.id)
        self._say(f"{operation.kind} {operation.id}")

    def _undo(self) -> None:
        if not self._operations:
            return
        id_ = self._random.choice(self._operations)
        try:
            on_deliveries.begin_undo(self._store, id_, actor=WHO, now_ms=self._clock.now_ms())
        except InvalidInputError as error:
            self._say(f"cannot undo {id_}: {error}")
        else:
            self._say(f"undoes {id_}")

    def _edit(self) -> None:
        endpoint = self._any()
        spec = make_spec(
            name=endpoint.name, url=endpoint.url, types=endpoint.types, policy=drawn_policy_fields(self._random)
        )
        self._endpoints[endpoint.id] = on_endpoints.edit_endpoint(
            self._store, endpoint.id, spec, actor=WHO, now_ms=self._clock.now_ms(), changed="policy"
        )
        self._say(f"edited {endpoint.name}")

    def _add(self) -> None:
        if len(self._endpoints) >= 5:
            return
        self._added += 1
        name = f"receiver{self._added}"
        spec = make_spec(
            name=name,
            url=f"http://127.0.0.1:9/{name}",
            types=self._random.choice((("*",), ("*",), ("invoice.*",))),
            policy=drawn_policy_fields(self._random),
        )
        endpoint = on_endpoints.add_endpoint(
            self._store, spec, actor=WHO, now_ms=self._clock.now_ms(), random=Random(f"{self.seed} {name}")
        )
        self._endpoints[endpoint.id], self._moods[f"/{name}"] = endpoint, "well"
        self._say(f"added {name}")

    def _remove(self) -> None:
        if len(self._endpoints) < 2:
            return
        endpoint = self._any()
        self._check_pause(endpoint)
        cancelled = on_endpoints.remove_endpoint(self._store, endpoint.id, actor=WHO, now_ms=self._clock.now_ms())
        self._paused.pop(endpoint.id, None)
        del self._endpoints[endpoint.id]
        self._say(f"removed {endpoint.name}, {cancelled} cancelled")

    def _jump(self) -> None:
        self._clock.shift_ms += self._random.choice((-1, 1)) * self._random.choice((1, 1000, 3600_000))
        self._say(f"the wall clock is {self._clock.shift_ms} ms off")

    def _stop(self) -> None:
        """In order: by a signal, or by an operator."""
        if self._engine.started and not self._engine.task.done():
            by_signal = self._random.random() < 0.5
            self._say("asked to stop")
            self._engine.terminate() if by_signal else self._store.request_stop()

    def _crash(self) -> None:
        if self._engine.task.done() or self._engine.dead:
            return
        if self._random.random() < 0.4:
            self._engine.die()
        else:
            self._engine.death = (self._random.choice(POINTS), self._random.randint(1, 6))

    async def _leave_a_stale_one(self) -> None:
        """An engine is stopped as by SIGSTOP, another takes over, and then the first goes on."""
        old = self._engine
        if not old.started or old.dead or old.task.done():
            return
        self._stale = True
        old.death = None
        old.freeze()
        self._say("stopped, and taken over")
        self._engine = self._start()
        while not self._engine.started:
            assert not self._engine.task.done(), self._engine.task
            await asyncio.sleep(0.01)
        old.fenced = True
        await asyncio.sleep(self._random.choice((0.0, 0.1, 20.0)))
        old.thaw()
        await asyncio.wait([old.task], timeout=60)
        assert old.task.done(), "I3: a stale engine goes on"
        assert isinstance(old.task.exception(), FencedError), old.task
        assert not old.changed_after_fence, f"I3: a stale engine has changed the store: {old.changed_after_fence}"
        self._stale = False
        self._stales += 1

    # --- engines

    def _start(self) -> SimulatedEngine:
        self._say("an engine starts")
        engine = SimulatedEngine(
            self.path,
            loop=self._loop,
            clock=self._clock,
            random=Random(self._random.random()),
            answer=self._answer,
            say=self._say,
            active=self._note_activity,
        )
        self._engines.append(engine)
        return engine

    async def _keep(self) -> None:
        """Whenever the engine has ended, start another after a while."""
        while True:
            engine = self._engine
            await asyncio.wait([engine.task])
            if engine is not self._engine:
                continue
            if engine.dead:
                self._deaths += 1
            elif not engine.task.cancelled() and (error := engine.task.exception()) is not None:
                raise AssertionError(f"the engine ended by itself: {error!r}") from error
            if self._closing:
                return
            await asyncio.sleep(self._random.choice((0.0, 0.2, 30.0)))
            self._engine = self._start()

    async def _answer(self, engine: SimulatedEngine, request: Request) -> Outcome:
        try:
            return await self._answer_well(request, stale=engine.fenced)
        except Exception as error:  # told later: the engine takes what is raised here for a failed request
            self._violations.append(f"{type(error).__name__}: {error}")
            raise

    async def _answer_well(self, request: Request, *, stale: bool) -> Outcome:
        event, path = dict(request.headers).get("webhook-id", ""), urlsplit(request.url).path
        if request.method != "POST":
            return await simulated_receivers.answer("well", request, self._answers, 0, self._sleep)
        self._posts[event, path] += 1
        open_attempts = self._look._connection.value(_OPEN_ATTEMPT, (event, f"%{path}"))  # type: ignore[attr-defined]  # a test may look inside
        # What a stale engine had claimed it may still send; its attempt was ended by the one that took over.
        assert open_attempts == 1 or stale, f"I2: a POST of {event} to {path} without its attempt"
        mood, now_s = self._moods[path], self._clock.elapsed_s
        outcome = await simulated_receivers.answer(mood, request, self._answers, now_s, self._sleep)
        if isinstance(outcome, Response) and 200 <= outcome.status < 300:
            self._arrived.add((event, path))
        self._say(f"{event} to {path}: {outcome.status if isinstance(outcome, Response) else outcome.cause}")
        return outcome

    # --- time

    def _note_activity(self) -> None:
        self._active_s = self._clock.elapsed_s

    async def _sleep(self, seconds: float) -> None:
        """A receiver takes its time."""
        heappush(self._answers_s, self._clock.elapsed_s + seconds)
        await asyncio.sleep(seconds)

    def _when_to_jump(self) -> float | None:
        now_s, now_ms = self._clock.elapsed_s, self._clock.now_ms()
        if self._stale or self._engine.jobs or now_s - self._active_s < SETTLED_S:
            return None
        while self._answers_s and self._answers_s[0] <= now_s:
            heappop(self._answers_s)
        # What is due already waits for a slot: an answer frees one.
        due_ms: int | None = self._look._connection.value(_NEXT_DUE, (now_ms,))  # type: ignore[attr-defined]  # a test may look inside
        due_s = self._next_act_s if due_ms is None else now_s + (due_ms - now_ms) / 1000
        return min(self._next_act_s, due_s, *self._answers_s[:1])

    # --- what must hold

    def _check_pause(self, endpoint: Endpoint) -> None:
        if endpoint.id in self._paused:
            assert self._newest_attempt(endpoint) == self._paused[endpoint.id], f"I6: {endpoint.name} was paused"

    async def _heal(self) -> None:
        """All receivers are well, everybody is resumed, and what failed is retried, since it may stand before others in
        a line: then nothing stays owed."""
        self._say("all heals")
        for endpoint in self._endpoints.values():
            self._check_pause(endpoint)
        self._moods = dict.fromkeys(self._moods, "well")
        self._clock.shift_ms = max(0, self._clock.shift_ms)
        until_s = self._clock.elapsed_s + HEALED_S
        while read(self.path, _OWED)[0][0] or read(self.path, _GOING_ON)[0][0]:
            for endpoint in self._store.endpoints():
                if endpoint.state is not EndpointState.ACTIVE:
                    on_endpoints.resume_endpoint(
                        self._store, endpoint.id, actor=WHO, reason=None, now_ms=self._clock.now_ms()
                    )
                    self._note_activity()
            if not read(self.path, _GOING_ON)[0][0]:
                where, now_ms = DeliveryFilter(states=(DeliveryState.FAILED,)), self._clock.now_ms()
                on_deliveries.begin_retry(self._store, where, actor=WHO, now_ms=now_ms)
                self._note_activity()
            assert not self._violations, self._violations[0]
            assert self._clock.elapsed_s < until_s, "I1: what is owed is not sent"
            self._next_act_s = self._clock.elapsed_s + 3600
            await asyncio.sleep(3600)
        while self._engine.dead or not self._engine.started or self._engine.task.done():  # noqa: ASYNC110 - simulated
            await asyncio.sleep(1)

    def _check(self) -> None:
        check_store(self.path, rates=False)
        check_counts(self.path)
        rows = read(self.path, _ALL)
        owed = Counter(event for event, *_ in rows)
        assert {id_: owed[id_] for id_ in self._owed} == self._owed, "I1: an acknowledged event is not as it was"
        for event, name, state, *_ in rows:
            assert state in ("delivered", "failed", "cancelled"), (event, name, state)
            assert state != "delivered" or (event, f"/{name}") in self._arrived, f"{event} never came to {name}"
        tries = attempts_by_target(self.path)
        for target, count in self._posts.items():
            assert count <= tries.get(target, 0), f"I2: {target}: {count} POSTs"

    def _any(self) -> Endpoint:
        return self._endpoints[self._random.choice(list(self._endpoints))]

    def _newest_attempt(self, endpoint: Endpoint) -> int:
        return int(read(self.path, f"SELECT coalesce(max(id), 0) FROM attempts WHERE endpoint = {endpoint.seq}")[0][0])

    def _say(self, words: str) -> None:
        line = f"{self._clock.elapsed_s:.4f} {words}"
        self._digest.update(line.encode() + b"\n")
        if self._tell is not None:
            self._tell(line)


def simulate(folder: Path, seed: int, *, acts: int = 150, tell: Callable[[str], None] | None = None) -> Lived:
    """Live through one world in a new folder. Raises AssertionError when anything that must hold does not."""
    return Simulation(folder / "store.db", seed, tell).live(acts)
