"""How the endpoints fare while this engine runs: breakers in memory, and what they say to the store."""

from collections.abc import Callable, Iterable, Sequence

from console.domain.breaker import (
    Breaker,
    HealthChange,
    ProbeFailed,
    ProbeSucceeded,
    Sign,
    Tripped,
    probe_wait_s,
    sign_of,
)
from console.domain.clock import Clock
from console.domain.delivery import Delivered, Failed, Retry
from console.domain.endpoint import Endpoint, EndpointState
from console.domain.work import Completed


class Health:
    """A breaker for each endpoint that is active. What counts is noted once for each ended attempt; the changes that
    come of it belong into the transaction that records those attempts, and are kept until it has been made.

    Args:
        endpoint: an endpoint by its number, as the engine takes it now; None when it is gone.
    """

    def __init__(self, endpoint: Callable[[int], Endpoint | None], clock: Clock) -> None:
        self._endpoint, self._clock = endpoint, clock
        self._breakers: dict[int, Breaker] = {}
        self._failed: set[int] = set()
        self._changes: list[HealthChange] = []

    def look(self, endpoint: Endpoint) -> None:
        """An endpoint is new or has changed: one that was stopped, or whose breaker is set otherwise, begins anew."""
        before = self._breakers.get(endpoint.seq)
        policy = endpoint.policy.breaker
        if endpoint.state is not EndpointState.ACTIVE or not policy.enabled:
            self._breakers.pop(endpoint.seq, None)
        elif before is None or before.policy != policy:
            self._breakers[endpoint.seq] = Breaker(policy)

    def forget(self, seq: int) -> None:
        """An endpoint was removed."""
        self._breakers.pop(seq, None)

    def note(self, completed: Iterable[Completed]) -> None:
        """Attempts have ended."""
        now_s = self._clock.monotonic_s()
        successes: dict[int, int] = {}
        for c in completed:
            claimed = c.claimed
            seq = claimed.endpoint_seq
            if claimed.probe:
                self._probed(c)
            elif claimed.url is not None or (isinstance(c.verdict, Delivered) and c.verdict.dry):
                pass  # it went elsewhere, or nowhere, and says nothing of the endpoint
            elif isinstance(c.verdict, Delivered):
                successes[seq] = successes.get(seq, 0) + 1
            else:
                self._note_successes(seq, successes.pop(seq, 0), now_s)  # first: their order counts
                self._failed.add(seq)
                self._note_failure(seq, c.verdict, now_s)
        for seq, count in successes.items():
            self._note_successes(seq, count, now_s)

    def changes(self) -> tuple[Sequence[HealthChange], dict[int, int]]:
        """What has to be stored: changes, and for each endpoint that failed after how many milliseconds of nothing but
        failure it is disabled. Call `stored` when it has been."""
        after_ms: dict[int, int] = {}
        for seq in self._failed:
            endpoint = self._endpoint(seq)
            if endpoint is not None and endpoint.policy.disable_after_s:
                after_ms[seq] = round(endpoint.policy.disable_after_s * 1000)
        return self._changes, after_ms

    def stored(self) -> None:
        """It is on disk."""
        self._changes, self._failed = [], set()

    def _note_successes(self, seq: int, count: int, now_s: float) -> None:
        breaker = self._breakers.get(seq)
        if breaker is not None and count:
            breaker.succeeded(now_s, count)

    def _note_failure(self, seq: int, verdict: Retry | Failed, now_s: float) -> None:
        breaker = self._breakers.get(seq)
        if breaker is None:
            return
        match sign_of(verdict.cause, verdict.status):
            case Sign.WELL:
                breaker.succeeded(now_s)
            case Sign.ILL:
                reason = breaker.failed(now_s, verdict.detail)
                if reason is not None:
                    del self._breakers[seq]  # what ends after this was sent before it, and says nothing new
                    wait_s = probe_wait_s(breaker.policy, 1)
                    self._changes.append(Tripped(endpoint_seq=seq, reason=reason, probe_at_ms=self._after_ms(wait_s)))
            case Sign.NOTHING:
                pass

    def _probed(self, c: Completed) -> None:
        seq, verdict = c.claimed.endpoint_seq, c.verdict
        endpoint = self._endpoint(seq)
        if endpoint is None:
            return
        cause = None if isinstance(verdict, Delivered) else verdict.cause
        # What went elsewhere did not find out: the next probe does.
        if c.claimed.url is None and sign_of(cause, verdict.status) is Sign.WELL:
            dry = isinstance(verdict, Delivered) and verdict.dry
            said = "nothing is sent to it (dry run)" if dry else f"a probe was answered: HTTP {verdict.status}"
            self._changes.append(ProbeSucceeded(endpoint_seq=seq, reason=said))
            return
        self._failed.add(seq)
        wait_s = probe_wait_s(endpoint.policy.breaker, endpoint.trips + 1)
        self._changes.append(ProbeFailed(endpoint_seq=seq, probe_at_ms=self._after_ms(wait_s)))

    def _after_ms(self, wait_s: float) -> int:
        return self._clock.now_ms() + round(wait_s * 1000)
