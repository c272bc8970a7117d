"""The inbox: what comes in is listed as it comes, filtered, opened, replayed; and nothing raw."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

import pytest
from textual.pilot import Pilot

from console.domain.filters import DeliveryFilter
from console.domain.inbound import Arrival, Fate, InboxFilter, RequestId
from console.domain.source import SourceId, SourceKind
from console.store import Store, open_store
from console.ui.app import ConsoleApp
from console.ui.inbox_reading import PAGE
from console.ui.screens.arrival import ArrivalScreen
from console.ui.screens.inbox import InboxScreen
from console.ui.screens.inspector import InspectorScreen
from console.ui.widgets.confirm import ConfirmScreen, FieldsScreen
from console.ui.widgets.facts import FactsScreen
from console.ui.widgets.filter_bar import FilterBar
from tests.factories import add_endpoint, make_event
from tests.ui.conftest import MovableClock, screen_text, until
from tests.ui.inbox_world import BASE, add_source, make_arrival
from tests.ui.inspected import HOSTILE, assert_nothing_raw

Make = Callable[..., ConsoleApp]


@pytest.fixture
def stripe(store: Store, clock: MovableClock) -> SourceId:
    store.set_listening((BASE,), clock.now_ms())
    return add_source(store, "stripe", SourceKind.STRIPE, clock.now_ms() - 60_000)


async def open_inbox(pilot: Pilot[int], app: ConsoleApp) -> None:
    await until(pilot, lambda: app.snapshot is not None)
    await pilot.press("I")
    await until(pilot, lambda: isinstance(app.screen, InboxScreen) and "Reading…" not in screen_text(app))


def came(store: Store, *arrivals: object) -> list[RequestId]:
    return store.record_arrivals(list(arrivals))  # type: ignore[arg-type]  # made by make_arrival


async def test_what_comes_in_meanwhile_appears_on_top(
    store: Store, stripe: SourceId, clock: MovableClock, make_console: Make
) -> None:
    app = make_console()
    async with app.run_test(size=(120, 40)) as pilot:
        await open_inbox(pilot, app)
        assert "Nothing has come in yet." in screen_text(app)
        assert f"{BASE}/in/stripe" in screen_text(app)
        came(store, make_arrival(stripe, clock.now_ms()))
        await until(pilot, lambda: "✓ accepted" in screen_text(app))
        refused = make_arrival(stripe, clock.now_ms(), Fate.REJECTED, status=401, reason="no signature")
        came(store, refused)
        await until(pilot, lambda: "no signature" in screen_text(app))
        lines = screen_text(app).splitlines()
        first = next(n for n, line in enumerate(lines) if "✗ rejected" in line and "401" in line)
        assert "✓ accepted" in lines[first + 1]
        assert lines[first].startswith("►"), "the cursor stays on the newest"
        await until(pilot, lambda: any("stripe" in line and "● open" not in line for line in lines))


async def test_away_from_the_top_rows_stay_and_newer_ones_are_announced(
    store: Store, stripe: SourceId, clock: MovableClock, make_console: Make
) -> None:
    came(store, *(make_arrival(stripe, clock.now_ms() - 60_000 + n, path=f"n{n:03}") for n in range(PAGE + 40)))
    app = make_console()
    async with app.run_test(size=(120, 40)) as pilot:
        await open_inbox(pilot, app)
        assert f"Requests · {PAGE}+" in screen_text(app)
        await pilot.press("j", "j")
        came(store, make_arrival(stripe, clock.now_ms(), path="newest"))
        await until(pilot, lambda: "1 newer above" in screen_text(app))
        assert "/n237" in next(
            line for line in screen_text(app).splitlines() if line.startswith("► ") and "POST" in line
        )
        await pilot.press("g")
        await until(pilot, lambda: "/newest" in screen_text(app) and "newer above" not in screen_text(app))
        await pilot.press("G")
        await until(pilot, lambda: f"Requests · {PAGE + 41} " in screen_text(app))
        await pilot.press("G")
        await until(pilot, lambda: "/n000" in screen_text(app))


async def test_filters_are_typed_cycled_and_taken_from_a_source(
    store: Store, stripe: SourceId, clock: MovableClock, make_console: Make
) -> None:
    github = add_source(store, "github", SourceKind.GITHUB, clock.now_ms())
    now_ms = clock.now_ms()
    came(
        store,
        make_arrival(stripe, now_ms, path="good"),
        make_arrival(stripe, now_ms, Fate.REJECTED, status=401, path="bad"),
        make_arrival(github, now_ms, path="push"),
    )
    app = make_console()

    def shown() -> set[str]:
        return {name for name in ("good", "bad", "push") if f"POST /{name}" in screen_text(app)}

    async with app.run_test(size=(120, 40)) as pilot:
        await open_inbox(pilot, app)
        await until(pilot, lambda: shown() == {"good", "bad", "push"})
        await pilot.press("slash", *"fate:rej", "tab", "enter")
        await until(pilot, lambda: shown() == {"bad"} and not app.screen.query(FilterBar))
        assert "/fate:rejected" in screen_text(app)
        await pilot.press("escape")
        await until(pilot, lambda: shown() == {"good", "bad", "push"})
        await pilot.press("s")
        await until(pilot, lambda: shown() == {"push"})
        await pilot.press("s", "x")
        await until(pilot, lambda: shown() == {"good"})
        await pilot.press("escape")
        await until(pilot, lambda: len(shown()) == 3)
        await pilot.press("tab", "j", "enter")
        await until(pilot, lambda: shown() == {"good", "bad"} and "/source:stripe" in screen_text(app))
        await pilot.press("slash", *" fate:lost", "enter")
        await until(pilot, lambda: "is no fate" in screen_text(app))


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_nothing_of_a_request_reaches_the_screen_as_it_came(
    store: Store, stripe: SourceId, clock: MovableClock, make_console: Make, size: tuple[int, int]
) -> None:
    came(
        store,
        make_arrival(
            stripe, clock.now_ms(), Fate.REJECTED, status=401, method="GET", path=HOSTILE, query=f"a={HOSTILE}",
            headers=((f"x-{HOSTILE}", HOSTILE), ("content-type", HOSTILE)), body=HOSTILE.encode() + b"\xff",
            remote_address=HOSTILE, reason=HOSTILE,
        ),
    )  # fmt: skip
    app = make_console()
    async with app.run_test(size=size) as pilot:
        await open_inbox(pilot, app)
        await until(pilot, lambda: "✗ rejected" in screen_text(app))
        assert_nothing_raw(app)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ArrivalScreen) and "HEADERS" in screen_text(app))
        assert_nothing_raw(app)
        for key in ("tab", "v", "m"):
            await pilot.press(key)
            await pilot.pause()
            assert_nothing_raw(app)


async def test_a_request_says_what_became_of_it_and_leads_to_its_event(
    store: Store, stripe: SourceId, clock: MovableClock, make_console: Make
) -> None:
    add_endpoint(store, name="crm", now_ms=clock.now_ms())
    (accepted,) = store.accept([make_event(payload=b'{"amount": 7}')], clock.now_ms())
    came(
        store,
        make_arrival(stripe, clock.now_ms(), Fate.REJECTED, status=401, reason="the timestamp is 9 minutes old"),
        make_arrival(stripe, clock.now_ms(), event_id=accepted.id),
    )
    app = make_console()
    async with app.run_test(size=(120, 40)) as pilot:
        await open_inbox(pilot, app)
        await until(pilot, lambda: "invoice.paid" in screen_text(app))
        await pilot.press("enter")
        await until(pilot, lambda: f"It became invoice.paid {accepted.id}, owed to 1 endpoint: 1 pending" in whole(app))
        assert "hunter2" not in screen_text(app), "what lets others in is not shown"
        await pilot.press("right_square_bracket")
        await until(pilot, lambda: "Refused with 401: the timestamp is 9 minutes old." in whole(app))
        await pilot.press("left_square_bracket")
        await until(pilot, lambda: "It became invoice.paid" in whole(app))
        await pilot.press("m")
        await until(pilot, lambda: "Ada" not in screen_text(app) and "xxx" in screen_text(app))
        await pilot.press("m", "enter")
        await until(pilot, lambda: isinstance(app.screen, InspectorScreen) and "invoice.paid → crm" in screen_text(app))


def whole(app: ConsoleApp) -> str:
    """The screen with its lines joined, as a sentence may be broken."""
    return " ".join(line.strip() for line in screen_text(app).splitlines())


async def test_replayed_to_an_endpoint_it_is_a_new_event_owed_to_it_alone(
    store: Store, stripe: SourceId, clock: MovableClock, make_console: Make
) -> None:
    add_endpoint(store, name="crm", now_ms=clock.now_ms())
    ledger = add_endpoint(store, name="ledger", now_ms=clock.now_ms())
    (number,) = came(store, make_arrival(stripe, clock.now_ms(), Fate.CAPTURED, status=200, body=b'{"a": 1}'))
    app = make_console()
    async with app.run_test(size=(120, 40)) as pilot:
        await open_inbox(pilot, app)
        await until(pilot, lambda: "◉ captured" in screen_text(app))
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, FieldsScreen))
        await pilot.press(*"led")
        await until(pilot, lambda: "is owed to ledger alone" in screen_text(app))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, InspectorScreen))
    (owed,) = store.deliveries(DeliveryFilter(), limit=5)
    assert owed.endpoint_id == ledger.id
    assert store.event(owed.event_id).payload == b'{"a": 1}'
    assert store.operations(limit=1)[0].target == "req_000001 to ledger"
    assert number == 1


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeAnswer:
    status: int | None = None
    body: bytes = b""
    took_ms: float = 4.0
    problem: str | None = None


@pytest.mark.parametrize(
    ("answer", "said", "result"),
    [
        (FakeAnswer(status=201, body=b"thanks \x1b[31m"), "✓ HTTP 201 in 4ms", "HTTP 201"),
        (FakeAnswer(problem="connection refused"), "✗ connection refused", "connection refused"),
    ],
)
async def test_replayed_to_a_url_it_goes_once_and_is_in_the_audit_log(
    store: Store,
    stripe: SourceId,
    clock: MovableClock,
    make_console: Make,
    answer: FakeAnswer,
    said: str,
    result: str,
) -> None:
    came(store, make_arrival(stripe, clock.now_ms(), method="PUT", path="/x"))
    sent: list[tuple[Arrival, str]] = []
    app = make_console()

    def send_on(arrival: Arrival, url: str) -> FakeAnswer:
        with closing(open_store(store.path, read_only=True)) as seen:
            assert seen.operations(limit=1)[0].finished_at_ms is None, "the log knows of it before it is made"
        sent.append((arrival, url))
        return answer

    app.session.send_on = send_on
    async with app.run_test(size=(120, 40)) as pilot:
        await open_inbox(pilot, app)
        await until(pilot, lambda: "PUT /x" in screen_text(app))
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, FieldsScreen))
        await pilot.press("tab", *"http://localhost:1/h")
        await until(pilot, lambda: "replay req_000001 --url" in screen_text(app))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, FactsScreen) and said in screen_text(app))
        assert_nothing_raw(app)
    ((arrival, url),) = sent
    assert (arrival.row.method, url) == ("PUT", "http://localhost:1/h")
    operation = store.operations(limit=1)[0]
    assert (operation.target, operation.result) == ("req_000001 to http://localhost:1/h", result)
    assert operation.actor == "ada@test"


async def test_a_new_capture_is_asked_for_made_and_shown(
    store: Store, stripe: SourceId, clock: MovableClock, make_console: Make
) -> None:
    app = make_console()
    async with app.run_test(size=(120, 40)) as pilot:
        await open_inbox(pilot, app)
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press("y")
        await until(pilot, lambda: isinstance(app.screen, FactsScreen))
        (made,) = [source for source in store.sources() if source.kind is SourceKind.CAPTURE]
        assert f"{BASE}/in/{made.name}" in screen_text(app)


async def test_looking_only_hides_what_changes_anything(
    store: Store, stripe: SourceId, clock: MovableClock, make_console: Make
) -> None:
    came(store, make_arrival(stripe, clock.now_ms()))
    app = make_console(read_only=True)
    async with app.run_test(size=(120, 40)) as pilot:
        await open_inbox(pilot, app)
        await until(pilot, lambda: "✓ accepted" in screen_text(app))
        await pilot.press("r", "n")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ArrivalScreen))
        await pilot.press("r")
        await pilot.pause()
        assert isinstance(app.screen, ArrivalScreen)
        assert "Replay" not in screen_text(app)
    assert not store.operations(limit=5)


async def test_a_moment_of_the_past_lists_what_had_come_by_then(
    store: Store, stripe: SourceId, clock: MovableClock, make_console: Make
) -> None:
    now_ms = clock.now_ms()
    came(store, make_arrival(stripe, now_ms - 30 * 60_000, path="old"), make_arrival(stripe, now_ms, path="new"))
    app = make_console()
    async with app.run_test(size=(120, 40)) as pilot:
        await open_inbox(pilot, app)
        await until(pilot, lambda: "POST /new" in screen_text(app))
        await pilot.press("T", *"10m", "enter")
        await until(pilot, lambda: "POST /old" in screen_text(app) and "POST /new" not in screen_text(app))
        await pilot.press("L")
        await until(pilot, lambda: "POST /new" in screen_text(app))
    assert len(store.arrivals(InboxFilter(), limit=5)) == 2
