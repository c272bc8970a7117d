"""Every place of the console, on a store in which everything has happened: what the tests of all keys and of all
pictures walk through."""

import tempfile
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from textual.command import CommandPalette
from textual.pilot import Pilot
from textual.screen import ModalScreen
from textual.widgets import Input

from console.domain.alerts import AlertChange, AlertKind, Breach
from console.domain.endpoint import EndpointSpec, EndpointState
from console.domain.ids import EventId
from console.domain.outcome import Cause
from console.domain.policy import Ordering
from console.operations.endpoints import edit_endpoint, pause_endpoint
from console.store import Store, open_store
from console.ui.app import ConsoleApp
from console.ui.endpoint_acts import edit_defaults
from console.ui.live import Taken
from console.ui.screens.alerts import AlertScreen, AlertsScreen
from console.ui.screens.arrival import ArrivalScreen
from console.ui.screens.charts import ChartsScreen
from console.ui.screens.copying import CopyScreen
from console.ui.screens.endpoint_form import EndpointForm
from console.ui.screens.failures import FailuresScreen
from console.ui.screens.groups import GroupsScreen
from console.ui.screens.help import HelpScreen
from console.ui.screens.home import HomeScreen
from console.ui.screens.inbox import InboxScreen
from console.ui.screens.inspector import InspectorScreen
from console.ui.screens.operations import OperationScreen, OperationsScreen
from console.ui.screens.reading import DiffScreen, WhyScreen
from console.ui.screens.related import RelatedScreen
from console.ui.screens.retry import ProgressScreen, RetryScreen
from console.ui.screens.secret import RotateScreen
from console.ui.screens.signature import SignatureScreen
from console.ui.screens.transform import TransformScreen
from console.ui.widgets.attempt_tail import AttemptTail, Folded
from console.ui.widgets.confirm import ConfirmScreen, FieldsScreen, PromptScreen
from console.ui.widgets.filter_bar import FilterBar
from tests.factories import (
    add_endpoint,
    claim_all,
    delivered,
    failed,
    make_completed,
    make_event,
    make_exchange,
    retry,
)
from tests.factories import start_engine as start
from tests.ui.conftest import screen_text, until
from tests.ui.inbox_world import furnish_inbox

MINUTE_MS = 60_000
NOW_MS = 1_700_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where to go: the kind of screen (or of widget) that is there, and the keys that lead to it from home."""

    kind: type[Any]
    keys: tuple[str, ...] = ()
    then: Callable[[Pilot[int], ConsoleApp], Awaitable[None]] | None = None
    empty: bool = False
    """In a store to which nothing has happened."""
    broken: bool = False
    """The store cannot be read."""
    read_only: bool = False
    inbox: bool = False
    """Requests have come in too."""


async def _answer_canary(pilot: Pilot[int], app: ConsoleApp) -> None:
    """What was sent first comes back."""
    now_ms = app.session.clock.now_ms()
    with closing(open_store(app.session.path)) as store:
        epoch = start(store, now_ms=now_ms)
        store.heartbeat(epoch=epoch, in_flight=0, now_ms=now_ms)
        done = []

        def claim() -> bool:
            done.extend(claim_all(store, epoch, now_ms=now_ms))
            return any(claimed.event_type.startswith("payment") for claimed in done)

        await until(pilot, claim, "the one that goes first is due")
        store.complete([make_completed(claimed, delivered(), now_ms=now_ms) for claimed in done], epoch=epoch)
    await until(
        pilot, lambda: app.screen.query_one("#canary").display is False and app.screen.query_one("#all").display
    )


async def _open_fold(pilot: Pilot[int], app: ConsoleApp) -> None:
    """So many are delivered at once that they are counted, and the count is opened."""
    clock: Any = app.session.clock
    now_ms = clock.now_ms() + 1_000
    with closing(open_store(app.session.path)) as store, store.transaction():
        epoch = start(store, now_ms=now_ms)
        store.accept([make_event(id=EventId(f"evt_many_{number:02}")) for number in range(60)], now_ms)
        claims = [claimed for claimed in claim_all(store, epoch, now_ms=now_ms) if claimed.event_type == "invoice.paid"]
        store.complete([make_completed(claimed, delivered(), now_ms=now_ms) for claimed in claims], epoch=epoch)
        store.heartbeat(epoch=epoch, in_flight=0, now_ms=now_ms)
    clock.advance(1)  # what reads the store does so now and then, by this clock
    tail = app.screen.query_one(AttemptTail)
    await until(pilot, lambda: any(isinstance(row, Folded) for row in tail.model.rows), "they are counted")
    fold = next(index for index, row in enumerate(tail.model.rows) if isinstance(row, Folded))
    tail.move_cursor(fold)
    before = len(tail.model.rows)
    await pilot.press("enter")
    await until(pilot, lambda: len(tail.model.rows) > before, "the count is open")
    await pilot.press("j", "j", "j", "j")


async def _open_defaults(pilot: Pilot[int], app: ConsoleApp) -> None:
    app.run_worker(edit_defaults(app))
    await until(pilot, lambda: isinstance(app.screen, EndpointForm), "the form")


async def _tried(pilot: Pilot[int], app: ConsoleApp) -> None:
    await until(pilot, lambda: "Event 1 of" in screen_text(app) and "What would be" in screen_text(app), "it is tried")


async def _break_it(pilot: Pilot[int], app: ConsoleApp) -> None:
    """Somebody types what cannot be read, behind what is right."""
    await _tried(pilot, app)
    await pilot.press("down", "end", *" {{ payload.amount | mony }}")
    await until(pilot, lambda: "It fails on this event" in screen_text(app), "it is wrong")


NOTHING_THERE = ("groups-none", "inbox-none", "inbox-past")
"""Places that have no rows."""

URLS = {
    "payment": "https://billing.example/in",
    "invoice": "https://crm.example/hooks",
    "ledger": "https://ledger.example/append",
    "order": "https://legacy.example/",
}

ONE_BY_ONE = ("F", "b")
INSPECTOR = (*ONE_BY_ONE, "enter")
PAST = ("T", *"13m", "space", *"ago", "enter")

PLACES: dict[str, Place] = {
    "home": Place(kind=HomeScreen),
    "home-tail": Place(kind=HomeScreen, keys=("tab",)),
    "home-narrowed": Place(kind=HomeScreen, keys=("enter",)),
    "home-fold": Place(kind=HomeScreen, keys=("tab", "z"), then=_open_fold),
    "home-read-only": Place(kind=HomeScreen, read_only=True),
    "home-past": Place(kind=HomeScreen, keys=PAST),
    "home-paused": Place(kind=HomeScreen, keys=("s",)),
    "first-run": Place(kind=HomeScreen, empty=True),
    "unreadable": Place(kind=HomeScreen, broken=True),
    "filter": Place(kind=FilterBar, keys=("slash",)),
    "filter-completions": Place(kind=FilterBar, keys=("tab", "slash", *"end")),
    "filter-wrong": Place(kind=FilterBar, keys=("tab", "slash", *"state:faild")),
    "groups": Place(kind=GroupsScreen, keys=("F",)),
    "groups-none": Place(kind=GroupsScreen, keys=("F", "slash", *"zzz", "enter")),
    "groups-past": Place(kind=GroupsScreen, keys=(*PAST, "F")),
    "charts": Place(kind=ChartsScreen, keys=("C",)),
    "charts-endpoint": Place(kind=ChartsScreen, keys=("j", "enter", "C")),
    "failures": Place(kind=FailuresScreen, keys=ONE_BY_ONE),
    "failures-range": Place(kind=FailuresScreen, keys=(*ONE_BY_ONE, "v", "j")),
    "retry-one": Place(kind=ConfirmScreen, keys=(*ONE_BY_ONE, "r")),
    "retry-many": Place(kind=RetryScreen, keys=(*ONE_BY_ONE, "R")),
    "retry-rate": Place(kind=RetryScreen, keys=(*ONE_BY_ONE, "R", "r", *"2/s")),
    "retry-canary": Place(kind=RetryScreen, keys=(*ONE_BY_ONE, "R", "c"), then=_answer_canary),
    "progress": Place(kind=ProgressScreen, keys=(*ONE_BY_ONE, "R", "r", *"2/s", "enter")),
    "cancel": Place(kind=ConfirmScreen, keys=(*ONE_BY_ONE, "d")),
    "endpoint-add": Place(kind=EndpointForm, keys=("n",)),
    "endpoint-add-wrong": Place(kind=EndpointForm, keys=("n", *"ftp:x", "tab")),
    "endpoint-edit": Place(kind=EndpointForm, keys=("e",)),
    "defaults": Place(kind=EndpointForm, then=_open_defaults),
    "rotate-secret": Place(kind=RotateScreen, keys=("S",)),
    "test-event": Place(kind=ConfirmScreen, keys=("t",)),
    "pause-prompt": Place(kind=FieldsScreen, keys=("p",)),
    "resume-prompt": Place(kind=PromptScreen, keys=("G", "p")),
    "skip-head": Place(kind=ConfirmScreen, keys=("j", "j", "X")),
    "undo": Place(kind=ConfirmScreen, keys=("u",)),
    "time-travel": Place(kind=PromptScreen, keys=("T",)),
    "inspector": Place(kind=InspectorScreen, keys=INSPECTOR),
    "inspector-exchange": Place(kind=InspectorScreen, keys=(*INSPECTOR, "tab")),
    "inspector-payload": Place(kind=InspectorScreen, keys=(*INSPECTOR, "tab", "tab")),
    "inspector-search": Place(kind=InspectorScreen, keys=(*INSPECTOR, "tab", "tab", "slash", *"eur", "enter")),
    "inspector-endpoints": Place(kind=InspectorScreen, keys=(*INSPECTOR, "tab", "tab", "tab")),
    "inspector-raw": Place(kind=InspectorScreen, keys=(*INSPECTOR, "v")),
    "inspector-masked": Place(kind=InspectorScreen, keys=(*INSPECTOR, "m")),
    "inspector-diff": Place(kind=DiffScreen, keys=(*INSPECTOR, "d")),
    "inspector-why": Place(kind=WhyScreen, keys=(*INSPECTOR, "i")),
    "inspector-others": Place(kind=RelatedScreen, keys=(*INSPECTOR, "o")),
    "resend": Place(kind=CopyScreen, keys=(*INSPECTOR, "E")),
    "signature": Place(kind=SignatureScreen, keys=(*INSPECTOR, "V")),
    "audit": Place(kind=OperationsScreen, keys=("a",)),
    "audit-act": Place(kind=OperationScreen, keys=("a", "enter")),
    "alerts": Place(kind=AlertsScreen, keys=("A",)),
    "alert": Place(kind=AlertScreen, keys=("A", "enter")),
    "mute-prompt": Place(kind=FieldsScreen, keys=("A", "m")),
    "inbox": Place(kind=InboxScreen, keys=("I",), inbox=True),
    "inbox-sources": Place(kind=InboxScreen, keys=("I", "tab"), inbox=True),
    "inbox-filter": Place(kind=FilterBar, keys=("I", "slash", *"fate:rej"), inbox=True),
    "inbox-wrong": Place(kind=FilterBar, keys=("I", "slash", *"fate:lost "), inbox=True),
    "inbox-read-only": Place(kind=InboxScreen, keys=("I",), inbox=True, read_only=True),
    "inbox-past": Place(kind=InboxScreen, keys=(*PAST, "I"), inbox=True),
    "inbox-none": Place(kind=InboxScreen, keys=("I",)),
    "arrival-captured": Place(kind=ArrivalScreen, keys=("I", "enter"), inbox=True),
    "arrival-rejected": Place(kind=ArrivalScreen, keys=("I", "j", "enter"), inbox=True),
    "arrival-flagged": Place(kind=ArrivalScreen, keys=("I", "j", "j", "enter"), inbox=True),
    "arrival-body": Place(kind=ArrivalScreen, keys=("I", "j", "enter", "tab"), inbox=True),
    "arrival-raw": Place(kind=ArrivalScreen, keys=("I", "j", "enter", "v"), inbox=True),
    "arrival-masked": Place(kind=ArrivalScreen, keys=("I", "j", "enter", "m"), inbox=True),
    "replay": Place(kind=FieldsScreen, keys=("I", "r", *"crm"), inbox=True),
    "new-capture": Place(kind=ConfirmScreen, keys=("I", "n"), inbox=True),
    "transform": Place(kind=TransformScreen, keys=("j", "M"), then=_tried, inbox=True),
    "transform-wrong": Place(kind=TransformScreen, keys=("j", "M"), then=_break_it, inbox=True),
    "transform-none": Place(kind=TransformScreen, keys=("M",), then=_tried),
    "home-dry-run": Place(kind=HomeScreen, keys=("j",), inbox=True),
    "help": Place(kind=HelpScreen, keys=("question_mark",)),
    "palette": Place(kind=CommandPalette, keys=("colon",)),
}


def put_store(path: Path, place: Place) -> None:
    """The store as it is at a place, at `NOW_MS`."""
    path.write_bytes(b"this is no database " * 1000 if place.broken else _prepared(place.empty, place.inbox))


@cache
def _prepared(empty: bool, inbox: bool) -> bytes:
    """A store as every place of the kind finds it: it is filled once."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.db"
        with closing(open_store(path)) as store:
            if not empty:
                furnish(store, NOW_MS)
            if inbox:
                furnish_inbox(store, NOW_MS)
        assert [file.name for file in Path(folder).iterdir()] == [path.name]
        return path.read_bytes()


def furnish(store: Store, now_ms: int) -> None:
    """An hour in which everything happened, the same each time: deliveries, failures of several kinds, a burst, a line
    that waits for its head, an endpoint that tripped and one that was paused."""
    begun_ms = now_ms - 60 * MINUTE_MS
    billing = add_endpoint(store, name="billing", types=("payment.*",), url=URLS["payment"], now_ms=begun_ms)
    add_endpoint(store, name="crm", types=("invoice.*",), url=URLS["invoice"], now_ms=begun_ms)
    add_endpoint(
        store,
        name="ledger",
        types=("ledger.*",),
        url=URLS["ledger"],
        policy={"ordering": Ordering.FIFO},
        now_ms=begun_ms,
    )
    legacy = add_endpoint(store, name="legacy", types=("order.*",), url=URLS["order"], now_ms=begun_ms)
    slack = add_endpoint(store, name="slack", types=("lead.*",), url="https://hooks.slack.example/T1", now_ms=begun_ms)
    epoch = start(store, now_ms=begun_ms)
    for at_ms, events in _happenings(begun_ms):
        store.accept(events, at_ms)
        _attempt(store, epoch, (at_ms - begun_ms) // MINUTE_MS, at_ms)
        store.record_levels(store.changed_levels(), at_ms + 1_000)
    _trip(store, legacy.seq, now_ms)
    store.accept([make_event(type="lead.created", id=EventId("evt_lead_1"))], now_ms - 4 * MINUTE_MS)
    pause_endpoint(store, slack.id, actor="ada@test", reason="moving house", now_ms=now_ms - 3 * MINUTE_MS)
    _edit_url(store, billing.id, now_ms)
    store.record_levels(store.changed_levels(), now_ms - 2 * MINUTE_MS)
    store.heartbeat(epoch=epoch, in_flight=0, now_ms=now_ms)


def _happenings(begun_ms: int) -> list[tuple[int, list[Any]]]:
    """When which events came: every two minutes, then every ten seconds, with thirty at once in between."""
    found: dict[int, list[Any]] = {}

    def came(at_s: int, kind: str, payload: bytes) -> None:
        events = found.setdefault(at_s, [])
        number = f"evt_{kind.replace('.', '_')}_{at_s:04}_{len(events):02}"
        events.append(make_event(type=kind, payload=payload, id=EventId(number)))

    for at_s in [*range(0, 56 * 60, 120), *range(56 * 60, 3600, 10)]:
        came(at_s, "invoice.paid", b'{"id": %d, "amount": 4200, "customer": {"name": "Ada"}}' % at_s)
    for at_s in [*range(0, 56 * 60, 360), 59 * 60 + 30]:
        came(at_s, "payment.failed", b'{"payment": "pay_%d", "currency": "EUR", "lines": [1, 2]}' % at_s)
    for number in range(30):
        came(58 * 60, "invoice.paid", b'{"id": %d, "amount": 100}' % number)
    for at_s in (2400, 2520, 2640):
        came(at_s, "ledger.entry", b'{"entry": %d}' % at_s)
    for at_s in range(3000, 3360, 120):
        came(at_s, "order.shipped", b'{"order": %d}' % at_s)
    return [(begun_ms + at_s * 1000, events) for at_s, events in sorted(found.items())]


def _attempt(store: Store, epoch: int, minute: int, at_ms: int) -> None:
    done = []
    for number, claimed in enumerate(claim_all(store, epoch, now_ms=at_ms)):
        verdict, body, took_ms = _what_comes_back(claimed.event_type, minute, at_ms, number)
        if claimed.event_type.startswith("payment") and claimed.number > 1:
            verdict, body = failed(), b'{"error": {"code": "card_expired", "request": "req_%d"}}' % minute
        headers = (
            ("content-type", "application/json"),
            ("webhook-id", str(claimed.event_id)),
            ("webhook-timestamp", str(at_ms // 1000)),
            ("webhook-signature", "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4="),
        )
        kind = "text/html" if body.startswith(b"<") else "application/json"
        exchange = make_exchange(
            url=URLS[claimed.event_type.partition(".")[0]],
            response_body=body,
            request_headers=headers,
            response_headers=(("content-type", kind),),
        )
        done.append(
            make_completed(
                claimed,
                verdict,
                now_ms=at_ms,
                ended_at_ms=at_ms + int(took_ms),
                total_ms=took_ms,
                first_byte_ms=took_ms * 0.9,
                exchange=exchange,
            )
        )
    store.complete(done, epoch=epoch)


def _what_comes_back(kind: str, minute: int, at_ms: int, number: int) -> tuple[Any, bytes, float]:
    """The verdict, the body of the answer, and how long it took in ms."""
    later_ms = at_ms + 90 * MINUTE_MS
    match kind.partition(".")[0]:
        case "payment":
            body = b'{"error": {"code": "card_declined", "request": "req_%d"}}' % minute
            return retry(at_ms + 10_000 if minute == 59 else later_ms), body, 830.0
        case "ledger":
            return retry(later_ms, Cause.HTTP_5XX, 500), b"locked", 310.0
        case "order":
            return retry(later_ms, Cause.REFUSED, None), b"", 3.0
    if minute < 56 and minute % 10 == 8:
        return failed(), b"<html><title>Unprocessable</title><body>no such customer</body></html>", 55.0
    if minute < 56 and minute % 14 == 12:
        return retry(at_ms + 80 * MINUTE_MS, Cause.TIMEOUT_READ, None), b"", 15_000.0
    return delivered(), b'{"ok": true}', 20.0 + minute + at_ms // 1000 % 70 + number


def _trip(store: Store, seq: int, now_ms: int) -> None:
    at_ms = now_ms - 5 * MINUTE_MS
    endpoint = next(endpoint for endpoint in store.endpoints() if endpoint.seq == seq)
    store.set_endpoint_state(endpoint.id, EndpointState.TRIPPED, "3 failures in a row", at_ms)
    rule = next(rule for rule in store.alert_rules() if rule.spec.kind is AlertKind.TRIPPED)
    change = AlertChange(key=(rule.id, seq), breach=Breach(value=0.0, since_ms=at_ms), since_ms=at_ms)
    store.record_alerts([change], at_ms)


def _edit_url(store: Store, endpoint_id: Any, now_ms: int) -> None:
    """What the audit log can show before and after of."""
    at_ms = now_ms - 2 * MINUTE_MS
    before, url = store.find_endpoint(endpoint_id), "https://billing.example/webhooks"
    spec = EndpointSpec(name=before.name, url=url, types=before.types, secrets=before.secrets, policy=before.policy)
    edit_endpoint(store, endpoint_id, spec, actor="ada@test", now_ms=at_ms, changed="url")


def has_rows(app: ConsoleApp) -> bool:
    """Whether what has the focus shows something. In dialogs perhaps nothing takes it."""
    focused = app.screen.focused
    if isinstance(app.screen, ModalScreen) or isinstance(focused, Input):
        return True
    return focused is not None and getattr(focused, "line_count", 1) > 0


async def go(pilot: Pilot[int], app: ConsoleApp, name: str) -> None:
    """Press the way to a place, waiting at each step until its rows are there."""
    place = PLACES[name]
    if place.broken:
        await until(pilot, lambda: app.trouble)
        app.feed.stop()
        await pilot.pause(0.05)
        app.trouble = app.trouble.replace(f"{app.session.path.resolve().parent}/", "")  # another one each time
        nothing = Taken(snapshot=None, trouble=app.trouble, attempts=(), skipped=0, generation=0)
        app.show_taken(nothing)
        return
    await until(pilot, lambda: app.snapshot is not None and isinstance(app.screen, HomeScreen))
    if place.empty:
        await until(pilot, lambda: app.screen.query("#guide"))
        return
    await until(pilot, lambda: has_rows(app), "rows")
    for key in place.keys:
        await pilot.press(key)
        await until(pilot, lambda: not app.opening and (name in NOTHING_THERE or has_rows(app)), "rows")
    if issubclass(place.kind, FilterBar):
        await until(pilot, lambda: app.screen.query(FilterBar))
    elif place.then is not _open_defaults:
        await until(pilot, lambda: isinstance(app.screen, place.kind), name)
    if place.then is not None:
        await place.then(pilot, app)
    await pilot.pause()
