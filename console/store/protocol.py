"""What the rest of the product may ask of a store. Every backend passes one conformance suite (tests/store).

A store object belongs to the thread that opened it, unless it was opened for several that take turns. Every method is
one transaction, unless it runs inside `transaction()`, which makes several one. Lists are keyset pages and never hold a
cursor open. Times are parameters.
All methods raise StoreError when the store cannot be read or written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # who speaks of a store need not load all that stores speak of
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from console.domain.alerts import Alert, AlertChange, AlertKey, AlertReading, AlertRule, AlertRuleId, AlertSpec
    from console.domain.backup import Backup
    from console.domain.breaker import HealthChange
    from console.domain.change import Change
    from console.domain.delivery import Attempt, Delivery, DeliveryState, Exchange
    from console.domain.diagnosis import LogPin, StoreFacts
    from console.domain.endpoint import Endpoint, EndpointSpec, EndpointState
    from console.domain.event import Accepted, Event, EventRow, NewEvent
    from console.domain.event_schema import EventSchema, SchemaMode
    from console.domain.failure_group import FailureGroup, Heat
    from console.domain.filters import AttemptFilter, AttemptPage, DeliveryFilter, EventFilter
    from console.domain.handshake import Permission
    from console.domain.ids import AttemptId, DeliveryId, EndpointId, EventId, FailureGroupId, OperationId
    from console.domain.inbound import Arrival, ArrivalRow, InboxFilter, NewArrival, RequestId
    from console.domain.level import LastFailure, Level
    from console.domain.operation import BulkPlan, Operation, OperationKind, Outcomes
    from console.domain.outcome import Cause
    from console.domain.pacing import Pace
    from console.domain.passing import Glimpse
    from console.domain.policy import DeliveryPolicy
    from console.domain.rates import Bucket
    from console.domain.retention import Cutoffs, Dropped, Phase, Retention, Space
    from console.domain.retention import Found as FoundOld
    from console.domain.searching import Counted, Found, Indexed, SearchStatus
    from console.domain.secret_parts import OwnedChange
    from console.domain.source import Source, SourceId, SourceSpec
    from console.domain.status import EngineStatus, Gauge
    from console.domain.token import Token, TokenId
    from console.domain.watcher import Watcher
    from console.domain.why import Standing
    from console.domain.work import Claimed, ClaimOrder, Completed, Nudges, Recovered


class Intake(Protocol):
    """Where every source ends."""

    def accept(self, events: Sequence[NewEvent], now_ms: int) -> list[Accepted]:
        """Keep events and owe them to every endpoint that wants their type. Durable when it returns.

        An id accepted before is answered as a duplicate and changes nothing.
        """
        ...

    def accept_for(self, event: NewEvent, endpoint: EndpointId, now_ms: int, *, url: str | None = None) -> Accepted:
        """Keep one event and owe it to one endpoint, whatever its types and in no line: a test, or a copy.

        Args:
            url: where this one delivery goes instead of the endpoint's URL.
        """
        ...


class Endpoints(Protocol):
    def add_endpoint(self, endpoint_id: EndpointId, spec: EndpointSpec, now_ms: int) -> Endpoint:
        """Raises InvalidInputError when the name is taken."""
        ...

    def edit_endpoint(self, endpoint_id: EndpointId, spec: EndpointSpec, now_ms: int) -> Endpoint: ...

    def set_endpoint_state(
        self,
        endpoint_id: EndpointId,
        state: EndpointState,
        reason: str | None,
        now_ms: int,
        *,
        resume_at_ms: int | None = None,
        resume_pace: Pace | None = None,
    ) -> Endpoint:
        """Args: resume_at_ms, resume_pace: when a paused one is to be resumed by itself, and at what pace."""
        ...

    def resuming(self, now_ms: int) -> list[Endpoint]:
        """Paused endpoints that are to be resumed by now, the one that waits longest first. Microseconds."""
        ...

    def set_pace(self, endpoint_id: EndpointId, pace: Pace | None) -> Endpoint:
        """How its backlog is drained from now on; None: as fast as its policy lets."""
        ...

    def remove_endpoint(self, endpoint_id: EndpointId, now_ms: int) -> int:
        """Take it off every list and cancel what it is owed; its history stays, its secrets do not. Returns how many
        were cancelled."""
        ...

    def endpoints(self) -> list[Endpoint]:
        """All but the removed, by name."""
        ...

    def find_endpoint(self, reference: str) -> Endpoint:
        """By id, name, or the beginning of either when only one has it.

        Raises:
            UnknownReferenceError: none or several.
        """
        ...

    def policy_defaults(self) -> DeliveryPolicy:
        """The policy of an endpoint that says nothing itself."""
        ...

    def set_policy_defaults(self, policy: DeliveryPolicy, now_ms: int) -> None:
        """Change it; endpoints that say a part themselves keep theirs. Raises InvalidInputError."""
        ...

    def rewrite_secrets(self, change: OwnedChange, now_ms: int) -> None:
        """Replace each secret that is kept by what `change` makes of it; those that have ended are dropped. What was
        there before is overwritten in the store's file, and stays in its log until that is emptied."""
        ...

    def empty_log(self) -> bool:
        """Write the log of changes back into the store and cut it to nothing; False when another process uses it."""
        ...

    def gauges(self) -> dict[EndpointId, Gauge]:
        """Counts of each endpoint, removed ones left out."""
        ...


class Reading(Protocol):
    def events(self, where: EventFilter, *, limit: int, before_seq: int | None = None) -> list[EventRow]:
        """Newest first."""
        ...

    def event(self, event_id: EventId) -> Event:
        """Raises UnknownReferenceError."""
        ...

    def deliveries(self, where: DeliveryFilter, *, limit: int, before: DeliveryId | None = None) -> list[Delivery]:
        """Newest first."""
        ...

    def delivery(self, delivery_id: DeliveryId) -> Delivery:
        """Raises UnknownReferenceError."""
        ...

    def count_deliveries(self, where: DeliveryFilter) -> dict[EndpointId, int]:
        """How many match, by endpoint: the preview of a bulk action."""
        ...

    def attempts(self, where: AttemptFilter, page: AttemptPage) -> list[Attempt]:
        """By ascending id."""
        ...

    def find_events(
        self, where: EventFilter, *, limit: int, before_seq: int | None = None, budget_ms: float
    ) -> Found[EventRow]:
        """Newest first, as many as are found in about `budget_ms`; `Found.reached` is an event's number (seq)."""
        ...

    def find_deliveries(
        self, where: DeliveryFilter, *, limit: int, before: DeliveryId | None = None, budget_ms: float
    ) -> Found[Delivery]:
        """Newest first, as many as are found in about `budget_ms`."""
        ...

    def find_attempts(self, where: AttemptFilter, page: AttemptPage, *, budget_ms: float) -> Found[Attempt]:
        """By ascending id, as many of the page as are found in about `budget_ms`."""
        ...

    def glimpses(
        self, *, after: AttemptId, also: Sequence[AttemptId] = (), endpoint: EndpointId | None = None, limit: int
    ) -> list[Glimpse]:
        """The newest `limit` attempts above `after`, and those of `also` that are there, whatever their number; by
        ascending id. A few microseconds each."""
        ...

    def count_found(self, where: DeliveryFilter, *, budget_ms: float) -> Counted:
        """How many deliveries match, by endpoint, as far as it can be counted in about `budget_ms`."""
        ...

    def search_status(self, now_ms: int) -> SearchStatus | None:
        """How far words are indexed; None: there is no index, and texts are looked for row by row."""
        ...

    def attempt(self, attempt_id: AttemptId) -> Attempt:
        """Raises UnknownReferenceError."""
        ...

    def exchange(self, attempt_id: AttemptId) -> Exchange | None:
        """What went over the wire; None when it is not known (in flight, or the engine died)."""
        ...

    def buckets(self, *, since_s: int, until_s: int, width_s: int, endpoint: EndpointId | None = None) -> list[Bucket]:
        """Non-empty buckets that start in [since, until), by time; of all endpoints together when none is named."""
        ...

    def totals_by_endpoint(self, *, since_s: int, until_s: int, width_s: int) -> dict[EndpointId, Bucket]:
        """Each endpoint's sum over [since, until)."""
        ...

    def causes(self, *, since_s: int, until_s: int) -> dict[EndpointId, dict[Cause, int]]:
        """Failed attempts by endpoint and cause; `since` is rounded down to its minute."""
        ...

    def operations(self, *, limit: int, before: OperationId | None = None) -> list[Operation]:
        """Newest first."""
        ...

    def back_up(self, target: Path, *, replace: bool, progress: Callable[[int, int], None]) -> Backup:
        """Copy one moment of the store into a file of mode 0600, checked and on disk, while others write.

        Args:
            replace: a file that is there; else that is an error.
            progress: told how many pages are copied, and of how many.

        Raises:
            InvalidInputError: the target cannot be one.
            StoreError: nothing is left of the copy.
        """
        ...

    def operation(self, operation_id: OperationId) -> Operation:
        """Raises UnknownReferenceError."""
        ...

    def open_operations(self) -> list[Operation]:
        """Bulk operations that are not at their end, oldest first."""
        ...

    def count_undoable(self, operation_id: OperationId) -> int:
        """How many deliveries are still as this retry, cancel or skip left them."""
        ...

    def outcomes(self, operation_id: OperationId) -> Outcomes:
        """What came of the deliveries that a retry made due, and no later operation moved. Looks at each of them."""
        ...

    def oldest_movable(self, kind: OperationKind, where: DeliveryFilter) -> DeliveryId | None:
        """The oldest delivery that a bulk operation of this kind would move now; None: there is none, or it is behind
        very many that do not match."""
        ...

    def first_in_line(self, endpoint_id: EndpointId) -> DeliveryId | None:
        """The oldest open delivery that an endpoint gets in order: a head. None: none stands in a line."""
        ...

    def behind(self, head: DeliveryId, *, limit: int) -> list[Delivery]:
        """The open deliveries that follow this one in its line, oldest first."""
        ...

    def bulk_plan(self, operation_id: OperationId) -> BulkPlan | None:
        """Which deliveries a bulk operation is for; None: it is none."""
        ...

    def copies(self, event_id: EventId, *, limit: int) -> list[EventId]:
        """The events that are copies of this one, newest first."""
        ...

    def watchers(self, now_ms: int) -> list[Watcher]:
        """Who has a console open on this store now, by how long."""
        ...

    def standing(self, delivery_id: DeliveryId) -> Standing:
        """Who stands before a delivery, what moved it last, and what its receiver asked for."""
        ...

    def removed_endpoint(self, reference: str) -> tuple[Endpoint, int]:
        """An endpoint that was removed, by its whole id or name, and when that was (epoch ms).

        Raises:
            UnknownReferenceError
        """
        ...

    def engine_status(self) -> EngineStatus | None:
        """None when no engine has ever run on this store."""
        ...

    def data_version(self) -> int:
        """A number that changes when another connection has committed; ~3 µs."""
        ...


class Steering(Protocol):
    """What operators change; `console.operations` is the only caller."""

    def begin_bulk(
        self,
        kind: OperationKind,
        where: DeliveryFilter,
        *,
        undoes: OperationId | None = None,
        rate_per_s: float | None,
        actor: str,
        target: str,
        reason: str | None,
        now_ms: int,
    ) -> Operation:
        """Begin a retry, cancel, skip or undo of deliveries; `advance_operation` carries it on.

        It is for those that are there now and match when it comes to them: a retry leaves out what was tried since, and
        what is being sent then is left alone. They are counted before the write lock is taken; with none it has ended.
        """
        ...

    def advance_operation(self, operation_id: OperationId, *, limit: int, now_ms: int) -> Operation:
        """Carry a bulk operation on by one piece, at most `limit` deliveries and as many as its rate allows now.

        One transaction: whoever calls it, and however often one dies between two calls, each delivery is moved once,
        oldest first. One that has ended is answered as it is. Raises UnknownReferenceError.
        """
        ...

    def cancel_operation(self, operation_id: OperationId, *, actor: str, now_ms: int) -> Operation:
        """End an open bulk operation where it is; any other is answered as it is. Raises UnknownReferenceError."""
        ...

    def begin_operation(
        self,
        kind: OperationKind,
        *,
        actor: str,
        target: str,
        reason: str | None,
        now_ms: int,
        change: Change | None = None,
    ) -> OperationId: ...

    def progress_operation(
        self, operation_id: OperationId, *, done: int, result: str | None, finished_at_ms: int | None
    ) -> None: ...

    def watch(self, watcher: Watcher) -> None:
        """Say that somebody looks on; once more before it is forgotten."""
        ...

    def unwatch(self, watcher_id: str) -> None:
        """Say that somebody has left."""
        ...

    def request_stop(self) -> None:
        """Ask the running engine to drain and end."""
        ...


class EngineStore(Protocol):
    """What the engine alone may do; every write is refused with FencedError once a newer engine has taken over."""

    def settle_log(self) -> None:
        """Write all that the log of changes holds into the store, whatever whoever died has made of it: before
        anything is promised. Outside of transactions. Raises StoreError when the disk fails: then promise nothing."""
        ...

    def keep_log_short(self) -> None:
        """Write the log of changes back into the store once it has grown long; else microseconds. Nobody else does.

        Outside of transactions; others may write beside it. Raises StoreError when the disk fails or is full: what is
        committed stays in the log, which is not begun again before all of it has been written anew.
        """
        ...

    def take_over(self, *, pid: int, host: str, version: str, now_ms: int) -> int:
        """Become the store's engine, and the one who keeps its write-ahead log short. Returns the new epoch."""
        ...

    def recover(self, *, epoch: int, now_ms: int) -> Recovered:
        """Give what a dead engine left in flight its `unknown_outcome`, and make it due again."""
        ...

    def heartbeat(self, *, epoch: int, in_flight: int, now_ms: int) -> None: ...

    def release(self, *, epoch: int, now_ms: int) -> None:
        """The engine ended in order."""
        ...

    def claim(self, orders: Sequence[ClaimOrder], *, epoch: int, now_ms: int) -> list[Claimed]:
        """Move due deliveries to `sending` and write their attempt rows."""
        ...

    def complete(self, completed: Sequence[Completed], *, epoch: int) -> int:
        """Record attempts, move their deliveries and count them, all at once. Returns how many counted: a delivery
        that is no longer this attempt's is left alone."""
        ...

    def change_health(self, changes: Sequence[HealthChange], *, epoch: int, now_ms: int) -> None:
        """Trip endpoints, or note what came of probes. What an operator did before wins: only one that is active is
        tripped, only one that is tripped recovers. A change of state is told in the audit log and as an event."""
        ...

    def disable_failing(self, after_ms: Mapping[int, int], *, epoch: int, now_ms: int) -> list[int]:
        """Disable those of these endpoints (by number) that have done nothing but fail for so long. Returns them."""
        ...

    def end_pace(self, endpoint_seqs: Iterable[int], *, epoch: int) -> None:
        """The backlogs that were drained at a pace are gone."""
        ...

    def set_permission(self, endpoint_seq: int, version: int, permission: Permission, *, epoch: int) -> bool:
        """What the receiver answered when it was asked whether this version of the endpoint may be sent to.

        A permission is kept for the URL; while there is none the reason of an active endpoint's state says so, which is
        no new version. Returns False, and changes nothing, when the endpoint has changed since or was removed.
        """
        ...

    def next_due(self, endpoint_seqs: Iterable[int]) -> dict[int, int]:
        """When each endpoint's next delivery is due, epoch ms; those that owe none are absent."""
        ...

    def nudged(self, after: int) -> Nudges:
        """What others changed since nudge `after`: how they tell the engine, without a socket."""
        ...

    def newest_nudge(self) -> int:
        """Where to begin with `nudged`."""
        ...

    def endpoint_at(self, seq: int) -> Endpoint | None:
        """The endpoint with this number; None when it was removed."""
        ...

    def tidy(self, *, epoch: int, now_ms: int) -> None:
        """Drop what is kept for a while only: buckets of seconds, read nudges. A bounded piece of work."""
        ...


class Indexing(Protocol):
    """The file of words beside the store, which may be deleted at any time. The engine's indexer is the only caller."""

    def begin_search(self) -> None:
        """Let this store have such a file, and note from now on what is deleted."""
        ...

    def end_search(self) -> None:
        """Remove the file, and note nothing any more."""
        ...

    @property
    def search_file(self) -> Path | None:
        """Where the file of words is; None: there is none."""
        ...

    def index_words(self) -> Indexed:
        """Write the next piece of words into the file, in some milliseconds; changes nothing in the store, which may be
        open for reading only. A file that is not of this store as it is now is made anew."""
        ...

    def settle_stale(self, up_to: int) -> None:
        """Forget notes of what was deleted."""
        ...


class Retaining(Protocol):
    """How old things go; `console.operations.retention` is the only caller."""

    def retention(self) -> Retention:
        """What an operator has set, else what is built in."""
        ...

    def set_retention(self, retention: Retention, now_ms: int) -> None:
        """Raises InvalidInputError."""
        ...

    def space(self) -> Space:
        """What the store takes on disk; microseconds."""
        ...

    def find_old(self, phase: Phase, cutoffs: Cutoffs, *, after: int, limit: int) -> FoundOld:
        """Look at the `limit` rows that follow number `after`, oldest first, for what may go. Reads only."""
        ...

    def drop_old(self, phase: Phase, ids: tuple[int, ...], cutoffs: Cutoffs) -> Dropped:
        """Delete what was found, with all that belongs to it, where the cutoffs still allow it.

        The newest delivery, attempt and event always stay, so that no number is given twice. Gauges count what is
        there; rates are history and stay.
        """
        ...

    def drop_counts(self, now_ms: int) -> bool:
        """Delete buckets and causes of longer ago than they are kept, some at once. True: there is more."""
        ...

    def give_back(self, pages: int) -> int:
        """Return free pages of the file to the file system. Returns how many were."""
        ...

    def count_old(self, cutoffs: Cutoffs) -> dict[DeliveryState, int]:
        """How many deliveries may go now. Looks at every delivery."""
        ...

    def count_old_requests(self, cutoffs: Cutoffs) -> int:
        """How many requests that came in may go now. Looks at each."""
        ...


class Examining(Protocol):
    """What can be wrong with a store. Looked at, never mended."""

    def facts(self, now_ms: int) -> StoreFacts:
        """What the store says of itself; milliseconds, however large it is."""
        ...

    def damage(self, *, full: bool) -> list[str]:
        """What is wrong in the file, a line each, some; empty: nothing. Reads all of it.

        Args:
            full: look at indexes, references and counters too, not only at pages and rows.
        """
        ...

    @property
    def library(self) -> tuple[str, str, bool]:
        """The name and version of what keeps the store, and whether it can be trusted to write."""
        ...

    def log_pins(self) -> list[LogPin]:
        """Which other processes keep the write-ahead log from shrinking; takes a second when there may be one."""
        ...


class Alerting(Protocol):
    """Rules of what must not be, and what of it is so."""

    def alert_rules(self) -> list[AlertRule]:
        """By id."""
        ...

    def alert_rule(self, rule_id: AlertRuleId) -> AlertRule:
        """Raises UnknownReferenceError."""
        ...

    def add_alert_rule(self, spec: AlertSpec) -> AlertRule:
        """Raises InvalidInputError; UnknownReferenceError when its endpoint is not there."""
        ...

    def edit_alert_rule(self, rule_id: AlertRuleId, spec: AlertSpec) -> AlertRule: ...

    def remove_alert_rule(self, rule_id: AlertRuleId, now_ms: int) -> AlertRule:
        """What fires because of it is over."""
        ...

    def mute_alert_rule(self, rule_id: AlertRuleId, until_ms: int | None) -> AlertRule:
        """Let nothing new fire until then; None: from now on again."""
        ...

    def alerts(self, now_ms: int | None = None) -> list[Alert]:
        """What fires now, the oldest first, without what is muted at `now_ms`; None: with it. Microseconds."""
        ...

    def measure_alerts(self, now_ms: int) -> AlertReading:
        """The rules, what they say must not be and is, and what fires. Reads only."""
        ...

    def record_alerts(self, changes: list[AlertChange], now_ms: int) -> list[Alert]:
        """Let alerts fire or be over: state, operational event and audit row at once. Returns those that changed."""
        ...

    def refresh_alerts(self, values: dict[AlertKey, float]) -> None:
        """What firing alerts measure now."""
        ...


class Levels(Protocol):
    """How endpoints stood at moments of the past."""

    def changed_levels(self) -> list[tuple[int, EndpointState, int, int, int]]:
        """Endpoints that stand otherwise than was last written down: number, state and since when (epoch ms), pending,
        failed. Reads only; ten thousand endpoints take some 20 ms."""
        ...

    def record_levels(self, levels: Sequence[tuple[int, EndpointState, int, int, int]], now_ms: int) -> None:
        """Write down that they stand so from `now_ms` on."""
        ...

    def drop_levels(self, part: int, parts: int, now_ms: int) -> None:
        """Delete what is older than it is kept, of endpoints number `part` of `parts`; the last before that stays."""
        ...

    def levels_at(self, at_ms: int) -> dict[EndpointId, Level]:
        """How each endpoint stood; those of which nothing is known are absent. Counts are up to a minute old then, and
        older only where no engine ran."""
        ...

    def level_series(self, endpoint: EndpointId, *, since_ms: int, until_ms: int) -> list[Level]:
        """What was written down in [since, until), and the last before it, by time."""
        ...

    def endpoints_at(self, at_ms: int) -> list[Endpoint]:
        """Those that were there then, with the settings of today; by name."""
        ...

    def sending_at(self, at_ms: int) -> dict[EndpointId, int]:
        """How many requests were under way, by endpoint."""
        ...

    def last_failures_at(self, at_ms: int, *, limit: int) -> dict[EndpointId, LastFailure]:
        """What endpoints had failed of last; at most `limit` of them are looked at."""
        ...

    def deliveries_at(self, ids: Sequence[DeliveryId], at_ms: int) -> dict[DeliveryId, tuple[AttemptId, Delivery]]:
        """Deliveries as their last attempt that had ended by then left them, and which that was; those that had none by
        then are absent."""
        ...

    def due_within(self, endpoint: EndpointId, until_ms: int, cap: int) -> int:
        """How many deliveries are due before or at `until_ms`, held ones too; counted up to `cap`."""
        ...

    def newest_ms(self) -> int | None:
        """When anything last happened here, epoch ms; None: nothing ever has."""
        ...


class Grouped(Protocol):
    """Failures by what they have in common, and what charts show."""

    def failure_groups(self, where: DeliveryFilter) -> list[FailureGroup]:
        """Deliveries that are failed or retried now, by endpoint, cause, status and error; the largest group first.

        What the filter says of endpoints, causes, statuses and groups costs nothing; anything else is looked at for
        each of them. A million take some 40 ms without.
        """
        ...

    def failure_groups_between(self, where: DeliveryFilter, *, since_s: int, until_s: int) -> list[FailureGroup]:
        """As they were seen in [since, until), by minutes: `deliveries` counts attempts that failed in that time, and
        `last_at_ms` ends the minute of the last. Heard of the filter: endpoints, causes, statuses and groups."""
        ...

    def group_series(
        self, groups: Sequence[FailureGroupId], *, since_s: int, until_s: int
    ) -> dict[FailureGroupId, dict[int, int]]:
        """Attempts that failed of each group, by the second in which their minute starts; `since` is rounded down."""
        ...

    def heat(self, *, since_s: int, until_s: int, width_s: int, part_s: int) -> Heat:
        """How attempts ended, by endpoint and parts of `part_s`, a multiple of the buckets' `width_s`."""
        ...

    def cause_series(
        self, *, since_s: int, until_s: int, endpoint: EndpointId | None = None
    ) -> dict[int, dict[Cause, int]]:
        """Failed attempts by the second in which their minute starts, and cause; `since` is rounded down."""
        ...


class Inbound(Protocol):
    """Where webhooks come in, and all that came."""

    def add_source(self, source_id: SourceId, spec: SourceSpec, now_ms: int) -> Source:
        """Raises InvalidInputError when the name is taken."""
        ...

    def edit_source(self, source_id: SourceId, spec: SourceSpec, now_ms: int) -> Source: ...

    def enable_source(self, source_id: SourceId, enabled: bool) -> Source:
        """One that is not enabled answers as if it were not there."""
        ...

    def remove_source(self, source_id: SourceId, now_ms: int) -> None:
        """Take it off every list; what came in stays, its secrets do not."""
        ...

    def remove_ended_captures(self, ended_before_ms: int, now_ms: int) -> int:
        """Remove the captures that took nothing any more from then on; microseconds when there are none. Returns how
        many were."""
        ...

    def sources(self) -> list[Source]:
        """All but the removed, by name."""
        ...

    def find_source(self, reference: str) -> Source:
        """By id, name, or the beginning of either when only one has it.

        Raises:
            UnknownReferenceError: none or several.
        """
        ...

    def record_arrivals(self, arrivals: Sequence[NewArrival]) -> list[RequestId]:
        """Keep requests that came in, with what became of them."""
        ...

    def arrivals(self, where: InboxFilter, *, limit: int, before: RequestId | None = None) -> list[ArrivalRow]:
        """Newest first."""
        ...

    def arrivals_after(self, after: RequestId, where: InboxFilter, *, limit: int) -> list[ArrivalRow]:
        """By ascending id: what a tail reads."""
        ...

    def arrival(self, request_id: RequestId) -> Arrival:
        """Raises UnknownReferenceError."""
        ...

    def count_arrivals(self, *, since_ms: int) -> dict[SourceId, dict[str, int]]:
        """How many came in since then, by source and fate; counted up to some ten thousand."""
        ...

    def intake_version(self) -> int:
        """A number that changes when a source, a token or a schema has changed; microseconds."""
        ...

    def instance(self) -> str:
        """The name of this store in `webhook-via`, made with it and never changed."""
        ...

    def listening(self) -> tuple[str, ...]:
        """The base URLs under which the engine of this store takes events in, or last did."""
        ...

    def set_listening(self, urls: Sequence[str], now_ms: int) -> None: ...


class Tokens(Protocol):
    """Who may call the HTTP API."""

    def add_token(self, token: Token) -> Token:
        """Raises InvalidInputError when the name is taken."""
        ...

    def tokens(self) -> list[Token]:
        """All but the revoked, by name."""
        ...

    def find_token(self, reference: str) -> Token:
        """By id, name, or the beginning of either when only one has it. Raises UnknownReferenceError."""
        ...

    def revoke_token(self, token_id: TokenId, now_ms: int) -> None: ...

    def note_token_uses(self, used: Mapping[TokenId, int]) -> None:
        """When each was last used, epoch ms."""
        ...


class Schemas(Protocol):
    """What payloads must look like."""

    def add_schema(self, pattern: str, mode: SchemaMode, text: bytes, now_ms: int) -> EventSchema:
        """The next version for this pattern; the ones before it are retired."""
        ...

    def schemas(self, *, retired: bool = False) -> list[EventSchema]:
        """Those that count, by pattern; with the retired ones, newest version first."""
        ...

    def retire_schema(self, pattern: str, now_ms: int) -> EventSchema:
        """Nothing is checked against it any more. Raises UnknownReferenceError."""
        ...


class Applying(Protocol):
    """What configuration files say; `console.operations.configuration` is the only caller."""

    def applied(self, label: str) -> frozenset[str]:
        """The things that files of this label say or once said: `endpoint crm`, `schema invoice.*`."""
        ...

    def set_applied(self, label: str, things: frozenset[str], now_ms: int) -> None: ...


class Store(
    Intake,
    Inbound,
    Tokens,
    Schemas,
    Endpoints,
    Reading,
    Steering,
    EngineStore,
    Retaining,
    Indexing,
    Alerting,
    Examining,
    Levels,
    Grouped,
    Applying,
    Protocol,
):
    """The whole of it."""

    @property
    def path(self) -> Path: ...

    @property
    def read_only(self) -> bool: ...

    def transaction(self, *, wait: bool = True) -> AbstractContextManager[None]:
        """One transaction around several calls; nests.

        Args:
            wait: for another process that is writing, some seconds; else StoreBusyError is raised at once.
        """
        ...

    def interrupt(self) -> None:
        """From any thread: what is read now, and all that is asked from now on, raises ReadInterruptedError."""
        ...

    def go_on(self) -> None:
        """Answer again after `interrupt`."""
        ...

    def close(self) -> None: ...
