"""A store with a delivery worth looking at, and the smallest app that can show it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textual.app import App
from textual.pilot import Pilot

from console.domain.clock import ManualClock
from console.domain.delivery import Verdict
from console.domain.endpoint import Endpoint
from console.domain.filters import DeliveryFilter
from console.domain.ids import DeliveryId, EventId
from console.domain.outcome import Cause
from console.domain.work import Claimed, ClaimOrder
from console.store import Store, open_store
from console.ui.session import Session
from tests.factories import (
    NOW_MS,
    add_endpoint,
    delivered,
    failed,
    make_completed,
    make_event,
    make_exchange,
    retry,
    start_engine,
)

HOSTILE = "\x1b]52;c;ZXZpbA==\x07\x9b31m\u202eevil[bold]$x[/]"
"""Would write the clipboard, colour and turn around the screen, and be read as markup."""

PAYLOAD = (
    b'{"type":"invoice.paid","data":{"amount":42.10,"currency":"EUR","note":"\\u001b]52;c;ZXZpbA==\\u0007",'
    b'"lines":[{"sku":"A-1","n":2},{"sku":"B-7","n":1}]}}'
)


class Host(App[None]):
    """An app with a session, as screens expect it."""

    NOTIFICATION_TIMEOUT = 600.0  # what was said stays to be looked at, however slow the machine is

    def __init__(self, path: Path, clock: ManualClock, *, read_only: bool = False) -> None:
        super().__init__()
        self.session = Session(path, read_only=read_only, clock=clock, actor="ada@box")
        self.written: list[str] = []

    def on_mount(self) -> None:
        assert self._driver is not None
        self._driver.write = self.written.append  # type: ignore[method-assign, assignment]  # catch what would reach the terminal

    def on_unmount(self) -> None:
        self.session.close()

    @property
    def copied(self) -> list[str]:
        """What was sent towards the terminal's clipboard."""
        return [text for text in self.written if "]52;" in text]

    @property
    def said(self) -> list[str]:
        """What notifications say, oldest first."""
        return [notification.message for notification in self._notifications]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Event `evt_scene` at three endpoints: `crm` failed twice and waits, `mail` has it, `leads` does not want it."""

    store: Store
    clock: ManualClock
    epoch: int
    crm: Endpoint
    mail: Endpoint
    leads: Endpoint
    at_crm: DeliveryId
    at_mail: DeliveryId

    @property
    def path(self) -> Path:
        return self.store.path

    def host(self, *, read_only: bool = False) -> Host:
        return Host(self.path, self.clock, read_only=read_only)

    def claim(self, endpoint: Endpoint) -> Claimed:
        """The next due delivery of an endpoint, being sent."""
        order = ClaimOrder(endpoint_seq=endpoint.seq, limit=1)
        return self.store.claim([order], epoch=self.epoch, now_ms=self.clock.now_ms())[0]

    def attempt(self, endpoint: Endpoint, verdict: Verdict, **given: Any) -> Claimed:
        """The next due delivery of an endpoint, sent with this outcome."""
        claimed = self.claim(endpoint)
        self.complete(claimed, verdict, **given)
        return claimed

    def complete(self, claimed: Claimed, verdict: Verdict, **given: Any) -> None:
        """What is being sent ends with this outcome."""
        completed = make_completed(claimed, verdict, now_ms=self.clock.now_ms(), **given)
        assert self.store.complete([completed], epoch=self.epoch) == 1

    def beat(self) -> None:
        self.store.heartbeat(epoch=self.epoch, in_flight=0, now_ms=self.clock.now_ms())


def make_scene(folder: Path) -> Scene:
    """A new store in `folder`. Close `scene.store` afterwards."""
    store = open_store(folder / "store.db")
    clock = ManualClock(NOW_MS)
    crm = add_endpoint(store, name="crm", url="http://127.0.0.1:9/hook?token=hunter2")
    mail = add_endpoint(store, name="mail[bold]")
    leads = add_endpoint(store, name="leads", types=("lead.*",))
    store.accept([make_event(id=EventId("evt_scene"), payload=PAYLOAD, source="api")], clock.now_ms())
    epoch = start_engine(store, now_ms=clock.now_ms())
    owed = {d.endpoint_id: d.id for d in store.deliveries(DeliveryFilter(), limit=10)}
    scene = Scene(
        store=store, clock=clock, epoch=epoch, crm=crm, mail=mail, leads=leads,
        at_crm=owed[crm.id], at_mail=owed[mail.id],
    )  # fmt: skip
    scene.attempt(mail, delivered(201))
    hostile = make_exchange(
        url=crm.url,
        request_headers=(
            ("content-type", "application/json"),
            ("webhook-id", "evt_scene"),
            ("webhook-signature", "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4="),
            ("X-Api-Key", "[redacted]"),
        ),
        response_headers=(("content-type", "application/json"), ("x-evil", HOSTILE), ("server", "nginx/1.25")),
        response_body=b'{"error":"upstream","trace":["a.py:1","b.py:22"],"code":7}',
    )
    scene.attempt(crm, retry(clock.now_ms() + 5_000), total_ms=850.0, first_byte_ms=830.0, exchange=hostile)
    clock.advance(6)
    plain = make_exchange(url=crm.url, response_body=HOSTILE.encode() + b"\xff plain text", response_truncated=True)
    scene.attempt(crm, retry(clock.now_ms() + 300_000), exchange=plain, total_ms=9_500.0, first_byte_ms=120.0)
    clock.advance(2)
    scene.beat()
    return scene


def exhausted(scene: Scene) -> None:
    """The delivery at `crm` fails for good."""
    scene.clock.advance(301)
    scene.attempt(scene.crm, failed(Cause.HTTP_4XX, 422))


def seen_on(app: App[Any]) -> str:
    """The screen as a terminal would show it, line by line."""
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())


def assert_nothing_raw(app: App[Any]) -> None:
    """No character that a terminal obeys, or that turns text around, is on the screen."""
    raw = {c for c in seen_on(app) if c != "\n" and (ord(c) < 32 or 0x7F <= ord(c) < 0xA0 or c in "\u202e\u2066")}
    assert not raw


async def until(pilot: Pilot[Any], holds: Callable[[], object]) -> None:
    """Let the app run until something holds."""
    for _ in range(400):
        if holds():
            return
        await pilot.pause(0.01)
    raise AssertionError(f"did not happen; on the screen:\n{seen_on(pilot.app)}")
