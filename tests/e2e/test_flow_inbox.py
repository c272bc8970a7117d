"""A throw-away URL in a real terminal: made, sent to, looked at, and what came is sent on: to an endpoint, to a URL."""

from urllib.request import Request, urlopen

from console.domain.delivery import DeliveryState
from console.domain.filters import DeliveryFilter
from console.domain.operation import OperationKind
from console.domain.source import SourceKind
from tests.e2e.stage import Stage, eventually, press_until
from tests.terminal import GUARD_S

BODY = b'{"order": 7, "customer": "Wilhelmina"}'


def test_a_request_is_captured_shown_and_replayed(stage: Stage) -> None:
    receiver, elsewhere = stage.receiver(), stage.receiver()
    stage.endpoint("crm", receiver.url)
    stage.engine("--listen", "127.0.0.1:0")
    base = eventually(stage.store.listening, what="the engine listens")[0]
    terminal = stage.console("--screen", "inbox", size=(100, 30))
    terminal.wait_for(r"Nothing comes in here yet.*capture new")
    press_until(terminal, "n", r"Make a throw-away URL\?.*the same: webhook-console capture new")
    terminal.press("y")
    terminal.wait_for(r"A URL that records what is sent to it.*/in/.*clipboard")
    (capture,) = stage.store.sources()
    assert capture.kind is SourceKind.CAPTURE

    fields = {"content-type": "application/json", "x-shop": "north", "authorization": "Bearer hunter2"}
    sent = Request(f"{base}/in/{capture.name}/orders?page=2", data=BODY, headers=fields, method="PUT")
    with urlopen(sent, timeout=GUARD_S) as answer:
        assert answer.status == 200
    terminal.press("esc")
    terminal.wait_for(r"◉ captured +PUT /orders\?page=2.*200")
    press_until(terminal, "enter", r"Recorded, and answered with 200.*Wilhelmina.*HEADERS.*north")

    press_until(terminal, "r", r"Send req_000001 again\?.*A new event is owed to crm alone")
    terminal.press("enter")
    terminal.wait_for(r"Home › .*dlv_.*Delivered on attempt 1|Home › .*dlv_.*accepted it: HTTP 200")
    assert [request.body for request in receiver.requests] == [BODY]
    press_until(terminal, "esc", r"Recorded, and answered")

    press_until(terminal, "r", r"Send req_000001 again\?")
    terminal.press("tab", *f"{elsewhere.url}")
    terminal.wait_for(r"once, with its header fields")
    terminal.press("enter")
    terminal.wait_for(r"What req_000001 was answered.*✓ HTTP 200")
    (request,) = elsewhere.requests
    assert (request.body, request.header("x-shop")) == (BODY, "north")
    press_until(terminal, "esc", r"Recorded, and answered")
    assert "hunter2" not in terminal.raw.decode(errors="replace")

    done = {operation.kind for operation in stage.store.operations(limit=9)}
    assert {OperationKind.SOURCE_ADD, OperationKind.EVENT_RESEND} <= done
    assert sum(stage.store.count_deliveries(DeliveryFilter(states=(DeliveryState.DELIVERED,))).values()) == 1
