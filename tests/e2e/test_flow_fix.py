"""How an operator mends it, in a real terminal: retry, resend, pause, endpoints, secrets, undo; and who did it."""

import json
import re

from standardwebhooks.webhooks import Webhook

from console.domain.delivery import DeliveryState
from console.domain.endpoint import Endpoint, EndpointState
from console.domain.filters import DeliveryFilter
from console.domain.ids import EventId
from console.domain.operation import OperationKind
from tests.e2e.stage import Receiver, Stage, eventually
from tests.factories import SECRET
from tests.receivers import ReceivedRequest, answers
from tests.terminal import Terminal

WIDE, MIDDLE, SMALL = (120, 40), (100, 30), (80, 24)
ORDER = b'{"order":{"id":7,"customer":"Wilhelmina"}}'


def count(stage: Stage, endpoint: Endpoint, state: DeliveryState) -> int:
    where = DeliveryFilter(endpoints=(endpoint.id,), states=(state,))
    return sum(stage.store.count_deliveries(where).values())


def failing(stage: Stage, number: int) -> tuple[Receiver, Endpoint, Terminal]:
    """So many failed deliveries at crm, whose receiver is mended by now, and a console on the list of them."""
    receiver = stage.receiver()
    receiver.behave(answers(500, b"disk full"))
    crm = stage.endpoint("crm", receiver.url)
    stage.engine()
    stage.accept(number, type_="order.created", payload=ORDER)
    eventually(lambda: count(stage, crm, DeliveryState.FAILED) == number, what="all have failed")
    receiver.behave(answers(200, b"stored"))
    terminal = stage.console("--screen", "failures", size=MIDDLE)
    terminal.wait_for(rf"Failures · {number} ")
    return receiver, crm, terminal


def verified(request: ReceivedRequest, secret: str) -> object:
    """What the receiver takes for genuine. Raises WebhookVerificationError."""
    return Webhook(secret).verify(request.body, dict(request.headers))


def test_one_first_then_the_rest_at_a_rate_and_stopped(stage: Stage) -> None:
    receiver, crm, terminal = failing(stage, 15)
    terminal.press("R")
    terminal.wait_for(r"Retry 15 deliveries: all that match.*15 → crm · .*does not consume.*One first \(c\)")
    terminal.press("c")
    terminal.wait_for(r"✓ delivered · HTTP 200 in .*stored.*14 are left")
    assert count(stage, crm, DeliveryState.DELIVERED) == 1
    terminal.press("r")
    terminal.wait_for(r"Enter begins")
    terminal.press(*"2/s", "enter")
    terminal.wait_for(r"op_\d+ · retry .* at 2/s.*▰.*x stops it here")
    eventually(lambda: len(receiver.requests) >= 15 + 1 + 2, what="two more are sent")
    terminal.press("x")
    terminal.wait_for(r"stopped after \d+ of 14 deliveries: delivered \d+, failed again 0")
    terminal.press("esc")
    terminal.wait_until_gone(r"stopped after")
    done = stage.store.operations(limit=1)[0]
    assert (done.kind, done.rate_per_s, done.total) == (OperationKind.DELIVERY_RETRY, 2.0, 14)
    assert 2 <= done.done < 14
    assert count(stage, crm, DeliveryState.FAILED) == 14 - done.done


def test_marks_and_a_range_are_retried_and_others_are_not(stage: Stage) -> None:
    receiver, crm, terminal = failing(stage, 6)
    terminal.press("space")
    terminal.wait_for(r"1 marked")
    terminal.press("j", "j", "v", "j", "v")
    terminal.wait_for(r"3 marked")
    terminal.press("r")
    terminal.wait_for(r"Retry 3 deliveries, those marked\?.*3 → crm.*deliveries retry dlv_")
    terminal.press("y")
    terminal.wait_for(r"Failures · 3 ")
    eventually(lambda: count(stage, crm, DeliveryState.DELIVERED) == 3, what="the marked ones are delivered")
    assert count(stage, crm, DeliveryState.FAILED) == 3
    assert len(receiver.requests) == 6 + 3


def test_an_edited_copy_goes_to_another_url_signed_and_linked(stage: Stage) -> None:
    receiver, crm, terminal = failing(stage, 1)
    elsewhere = stage.receiver()
    terminal.press("enter")
    terminal.wait_for(r"Failed for good.*E Resend|Failed for good.*w Save")
    terminal.press("E")
    terminal.wait_for(r"Send order\.created again as a new event.*At URL.*Wilhelmina")
    terminal.press("ctrl-e", "left")
    terminal.press(*',"again":tru')
    terminal.wait_for(r"✗ payload is not JSON")
    terminal.press("e")
    terminal.wait_for(r"payload edited, \d+ B")
    terminal.press("shift-tab", *elsewhere.url)
    terminal.wait_for(r"events resend evt_.*--url http")
    terminal.press("ctrl-s")
    eventually(lambda: elsewhere.requests, what="the copy has come")
    (request,) = elsewhere.requests
    assert verified(request, SECRET)
    body = json.loads(request.body)
    assert True in (body.get("again"), body["order"].get("again")), request.body
    copy = stage.store.event(EventId(str(request.header("webhook-id"))))
    assert copy.copy_of == receiver.event_ids[0] != copy.id
    assert count(stage, crm, DeliveryState.FAILED) == 1
    terminal.wait_for(r"evt_|new event")


def test_a_pause_ends_by_itself_and_another_with_a_ramp(stage: Stage) -> None:
    receiver = stage.receiver()
    stage.endpoint("crm", receiver.url)
    stage.engine()
    terminal = stage.console(size=WIDE)
    terminal.wait_for(r"crm +● active")
    terminal.press("p")
    terminal.wait_for(r"Pause crm")
    terminal.press(*"new disks", "tab", *"2s")
    terminal.wait_for(r"Resumed in 2s.*endpoints pause crm")
    terminal.press("enter")
    terminal.wait_for(r"crm +‖ paused")
    paused = stage.store.find_endpoint("crm")
    assert (paused.state_reason, paused.resume_at_ms is not None) == ("new disks", True)
    held = stage.accept(3)
    terminal.wait_for(r"crm +● active")
    # At the same time, in any order: the endpoint asks for none.
    eventually(lambda: len(receiver.requests) >= 3, what="what was held is delivered")
    assert sorted(map(str, receiver.event_ids)) == sorted(held)
    by_itself = stage.store.operations(limit=1)[0]
    assert by_itself.kind is OperationKind.ENDPOINT_RESUME

    terminal.press("p")
    terminal.wait_for(r"Pause crm")
    terminal.press("enter")
    terminal.wait_for(r"crm +‖ paused")
    stage.accept(2)
    terminal.wait_for(r"paused .* 2 ")
    terminal.press("p")
    terminal.wait_for(r"Resume crm: how fast\?.*2 wait")
    terminal.press(*"50/s over 5m", "enter")
    terminal.wait_for(r"reason, kept in the audit log")
    terminal.press("enter")
    terminal.wait_for(r"crm +● active")
    eventually(lambda: len(receiver.requests) == 5, what="they arrive")
    assert stage.store.find_endpoint("crm").state is EndpointState.ACTIVE


def test_an_endpoint_is_added_tested_edited_and_its_secret_rotated(stage: Stage) -> None:
    receiver = stage.receiver()
    stage.engine()
    terminal = stage.console(size=WIDE)
    terminal.wait_for(r"Nothing is set up.*n +adds the first one here")
    terminal.press("n")
    terminal.wait_for(r"New endpoint.*► url")
    terminal.press(*"shop.example")
    terminal.wait_for(r"✗ URL 'shop\.example': an absolute http")
    terminal.press("ctrl-s")
    terminal.wait_for(r"it is not saved: what is wrong is said under its field")
    terminal.press("ctrl-u", *receiver.url, "tab", *"shop")
    terminal.wait_for(r"\^s saves: all is right")
    terminal.press("ctrl-s")
    terminal.wait_for(r"shop: its signing secret.*(whsec_\S+)")
    first = re.findall(r"whsec_\S+", terminal.text())[0]
    terminal.press("y")
    terminal.wait_for(r"clipboard|copied")
    terminal.press("esc")
    terminal.wait_until_gone(r"whsec_")
    terminal.wait_for(r"shop +● active")

    terminal.press("t")
    terminal.wait_for(r"Send a test event to shop\?.*endpoints test shop")
    terminal.press("y")
    terminal.wait_for(r"webhook\.test +✓ 200")
    assert verified(receiver.requests[0], first)

    terminal.press("S")
    terminal.wait_for(r"Rotate the secret of shop.*24h")
    terminal.press("ctrl-u", "0")
    terminal.wait_for(r"rotate-secret shop --overlap 0")
    terminal.press("enter")
    terminal.wait_for(r"the new signing secret.*whsec_")
    second = re.findall(r"whsec_\S+", terminal.text())[0]
    assert second != first
    terminal.press("y")
    terminal.wait_for(r"clipboard|copied")
    terminal.press("esc")
    terminal.wait_until_gone(r"whsec_")
    stage.accept(1)
    eventually(lambda: len(receiver.requests) == 2, what="an event comes")
    assert verified(receiver.requests[1], second)

    terminal.press("e")
    terminal.wait_for(r"shop › Edit")
    terminal.press("tab", "ctrl-u", *"store")
    terminal.wait_for(r"endpoints edit shop --name store")
    terminal.press("ctrl-s")
    terminal.wait_for(r"store +● active")
    terminal.press("u")
    terminal.wait_for(r"Undo op_\d+\?.*endpoint_edit.*operations undo op_")
    terminal.press("y")
    terminal.wait_for(r"shop +● active")
    assert stage.store.find_endpoint("shop").name == "shop"


def test_two_consoles_see_each_other_and_the_audit_log_says_who(stage: Stage) -> None:
    receiver = stage.receiver()
    stage.endpoint("crm", receiver.url)
    stage.engine()
    terminal = stage.console(size=WIDE, USER="ada")
    terminal.wait_for(r"crm +● active")
    other = stage.console(size=SMALL, USER="grace", LOGNAME="grace", SSH_CLIENT="192.0.2.7 50000 22")
    other.wait_for(r"2 watching")
    terminal.wait_for(r"2 watching")
    other.press("p")
    other.wait_for(r"Pause crm")
    other.press(*"disk full", "enter")
    other.wait_for(r"‖ paused")
    terminal.wait_for(r"crm +‖ paused")
    terminal.press("a")
    terminal.wait_for(r"What was done +1.*pause +crm +disk full")
    terminal.wait_for(r"also watching +grace@")
    terminal.press("u")
    terminal.wait_for(r"Undo op_\d+\?")
    terminal.press("y")
    terminal.wait_for(r"What was done +2.*ada@.*undo +op_.*grace@.*pause +crm")
    eventually(lambda: stage.store.find_endpoint("crm").state is EndpointState.ACTIVE, what="it is active again")
    other.press("q")
    assert other.wait_for_end() == 0
    terminal.wait_until_gone(r"2 watching")
