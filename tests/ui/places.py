"""Every place of the console, on a store in which everything has happened: what the tests of all keys and of all
pictures walk through."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from textual.pilot import Pilot

from console.domain.alerts import AlertKind, AlertSpec
from console.domain.ids import EventId
from console.domain.outcome import Cause
from console.operations.endpoints import pause_endpoint
from console.store import Store
from console.ui.app import ConsoleApp
from console.ui.screens.alerts import AlertScreen, AlertsScreen
from console.ui.screens.charts import ChartsScreen
from console.ui.screens.endpoint_form import EndpointForm
from console.ui.screens.failures import FailuresScreen
from console.ui.screens.groups import GroupsScreen
from console.ui.screens.help import HelpScreen
from console.ui.screens.home import HomeScreen
from console.ui.screens.inspector import InspectorScreen
from console.ui.screens.operations import OperationScreen, OperationsScreen
from console.ui.screens.reading import WhyScreen
from console.ui.screens.related import RelatedScreen
from console.ui.screens.secret import RotateScreen
from console.ui.screens.signature import SignatureScreen
from console.ui.widgets.confirm import ConfirmScreen, FieldsScreen
from console.ui.widgets.filter_bar import FilterBar
from tests.factories import add_endpoint, claim_all, delivered, failed, make_completed, make_event, make_exchange, retry
from tests.factories import start_engine as start
from tests.ui.conftest import until

MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where to go: the kind of screen (or of widget) that is there, and the keys that lead to it from home."""

    kind: type[Any]
    keys: tuple[str, ...] = ()
    then: Callable[[Pilot[int], ConsoleApp], Awaitable[None]] | None = None


PLACES: dict[str, Place] = {
    "home": Place(kind=HomeScreen),
    "home-tail": Place(kind=HomeScreen, keys=("tab",)),
    "home-narrowed": Place(kind=HomeScreen, keys=("enter",)),
    "home-filter": Place(kind=FilterBar, keys=("slash",)),
    "groups": Place(kind=GroupsScreen, keys=("F",)),
    "charts": Place(kind=ChartsScreen, keys=("C",)),
    "failures": Place(kind=FailuresScreen, keys=("F", "b")),
    "failures-range": Place(kind=FailuresScreen, keys=("F", "b", "v")),
    "retry-preview": Place(kind=ConfirmScreen, keys=("F", "b", "r")),
    "endpoint-add": Place(kind=EndpointForm, keys=("n",)),
    "endpoint-edit": Place(kind=EndpointForm, keys=("e",)),
    "rotate-secret": Place(kind=RotateScreen, keys=("S",)),
    "pause-prompt": Place(kind=FieldsScreen, keys=("p",)),
    "inspector": Place(kind=InspectorScreen, keys=("F", "b", "enter")),
    "inspector-exchange": Place(kind=InspectorScreen, keys=("F", "b", "enter", "tab")),
    "inspector-payload": Place(kind=InspectorScreen, keys=("F", "b", "enter", "tab", "tab")),
    "inspector-endpoints": Place(kind=InspectorScreen, keys=("F", "b", "enter", "tab", "tab", "tab")),
    "inspector-raw": Place(kind=InspectorScreen, keys=("F", "b", "enter", "v")),
    "inspector-why": Place(kind=WhyScreen, keys=("F", "b", "enter", "i")),
    "inspector-others": Place(kind=RelatedScreen, keys=("F", "b", "enter", "o")),
    "signature": Place(kind=SignatureScreen, keys=("F", "b", "enter", "V")),
    "audit": Place(kind=OperationsScreen, keys=("a",)),
    "audit-act": Place(kind=OperationScreen, keys=("a", "enter")),
    "alerts": Place(kind=AlertsScreen, keys=("A",)),
    "alert": Place(kind=AlertScreen, keys=("A", "enter")),
    "mute-prompt": Place(kind=FieldsScreen, keys=("A", "m")),
    "help": Place(kind=HelpScreen, keys=("question_mark",)),
}


def furnish(store: Store, now_ms: int) -> None:
    """An hour in which everything happened, the same each time: deliveries, failures of several kinds, a pause."""
    begun_ms = now_ms - 60 * MINUTE_MS
    add_endpoint(store, name="crm", types=("invoice.*",), url="https://crm.example/hooks", now_ms=begun_ms)
    add_endpoint(store, name="billing", types=("payment.*",), url="https://billing.example/in", now_ms=begun_ms)
    slack = add_endpoint(store, name="slack", types=("lead.*",), url="https://hooks.slack.example/T1", now_ms=begun_ms)
    epoch = start(store, now_ms=begun_ms)
    for minute in range(0, 58, 2):
        at_ms = begun_ms + minute * MINUTE_MS
        kinds = [("invoice.paid", b'{"id": %d, "amount": 4200, "customer": {"name": "Ada"}}' % minute)]
        kinds += [("payment.failed", b'{"payment": "pay_%d", "currency": "EUR"}' % minute)] if minute % 6 == 0 else []
        events = [
            make_event(type=kind, payload=payload, id=EventId(f"evt_{kind.replace('.', '_')}_{minute:02}"))
            for kind, payload in kinds
        ]
        store.accept(events, at_ms)
        _attempt(store, epoch, minute, at_ms)
    store.accept([make_event(type="lead.created", id=EventId("evt_lead_1"))], now_ms - 4 * MINUTE_MS)
    pause_endpoint(store, slack.id, actor="ada@box", reason="moving house", now_ms=now_ms - 3 * MINUTE_MS)
    store.add_alert_rule(AlertSpec(kind=AlertKind.TRIPPED))
    store.heartbeat(epoch=epoch, in_flight=0, now_ms=now_ms)


def _attempt(store: Store, epoch: int, minute: int, at_ms: int) -> None:
    done = []
    for claimed in claim_all(store, epoch, now_ms=at_ms):
        if claimed.event_type.startswith("payment"):
            verdict: Any = retry(at_ms + 90 * MINUTE_MS)
            body, took_ms = b'{"error": {"code": "card_declined", "request": "req_%d"}}' % minute, 830.0
        elif minute % 10 == 8:
            verdict, took_ms = failed(), 55.0
            body = b"<html><title>Unprocessable</title><body>no such customer</body></html>"
        elif minute % 14 == 12:
            verdict, body, took_ms = retry(at_ms + 80 * MINUTE_MS, Cause.TIMEOUT_READ, None), b"", 15_000.0
        else:
            verdict, body, took_ms = delivered(), b'{"ok": true}', 20.0 + minute
        done.append(
            make_completed(
                claimed,
                verdict,
                now_ms=at_ms,
                ended_at_ms=at_ms + int(took_ms),
                total_ms=took_ms,
                first_byte_ms=took_ms * 0.9,
                exchange=make_exchange(response_body=body),
            )
        )
    store.complete(done, epoch=epoch)


def has_rows(app: ConsoleApp) -> bool:
    """Whether what has the focus shows something. In the help nothing takes it."""
    focused = app.screen.focused
    return isinstance(app.screen, HelpScreen) or (focused is not None and getattr(focused, "line_count", 1) > 0)


async def go(pilot: Pilot[int], app: ConsoleApp, name: str) -> None:
    """Press the way to a place, waiting at each step until its rows are there."""
    place = PLACES[name]
    await until(pilot, lambda: app.snapshot is not None and isinstance(app.screen, HomeScreen))
    await until(pilot, lambda: has_rows(app), "rows")
    for key in place.keys:
        await pilot.press(key)
        await until(pilot, lambda: has_rows(app), "rows")
    if issubclass(place.kind, FilterBar):
        await until(pilot, lambda: app.screen.query(FilterBar))
    else:
        await until(pilot, lambda: isinstance(app.screen, place.kind), name)
    if place.then is not None:
        await place.then(pilot, app)
    await pilot.pause()
