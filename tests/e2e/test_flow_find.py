"""How an operator finds the cause, in a real terminal: groups, filters, texts, the past, a delivery from the inside."""

import json
import re
import shlex
import subprocess
import time
from base64 import b64decode

from console.domain.clock import SystemClock
from console.domain.delivery import DeliveryState
from console.domain.endpoint import Endpoint
from console.domain.filters import DeliveryFilter
from tests.e2e.stage import Stage, eventually, program
from tests.receivers import ReceivedRequest, answers
from tests.terminal import Terminal
from tests.ui.past_world import BROKE, MINUTE_MS, MINUTES, RESUMED, make_incident

WIDE, SMALL = (120, 40), (80, 24)
ORDER = b'{"order":{"id":7,"customer":"Wilhelmina","card":"4242 4242","lines":[1,2,3]}}'


def count(stage: Stage, endpoint: Endpoint, state: DeliveryState) -> int:
    where = DeliveryFilter(endpoints=(endpoint.id,), states=(state,))
    return sum(stage.store.count_deliveries(where).values())


def failures(stage: Stage, count_wanted: int) -> None:
    """Wait until so many deliveries have failed for good."""
    where = DeliveryFilter(states=(DeliveryState.FAILED,))
    eventually(lambda: sum(stage.store.count_deliveries(where).values()) == count_wanted, what="all have failed")


def command(
    stage: Stage, *arguments: str, given: bytes | None = None, exit_code: int = 0
) -> subprocess.CompletedProcess[bytes]:
    """A command on this store, as it is typed in another shell."""
    words = [*program(), *arguments, "--store", str(stage.path)]
    ran = subprocess.run(
        words, input=given, capture_output=True, timeout=60, check=False, env=stage.environment, cwd=stage.folder
    )
    assert ran.returncode == exit_code, ran.stdout.decode() + ran.stderr.decode()
    return ran


def rewritten(request: ReceivedRequest) -> bytes:
    """What a receiver has in hand that decoded the body and wrote it anew, as it would paste it."""
    head = "\n".join(f"{name}: {value}" for name, value in request.headers)
    return head.encode() + b"\n\n" + json.dumps(json.loads(request.body), indent=2).encode()


def filtered(terminal: Terminal, text: str) -> None:
    """Type a filter over the one there."""
    terminal.press("/")
    terminal.wait_for(r"Take what is offered")
    terminal.press("ctrl-u", *text)


def test_from_a_group_of_failures_to_all_of_it_delivered(stage: Stage) -> None:
    crm_receiver, erp_receiver = stage.receiver(), stage.receiver()
    crm_receiver.behave(answers(500, b'{"error": "disk full"}'))
    erp_receiver.behave(answers(422, b'{"error": "no such customer"}'))
    crm, erp = stage.endpoint("crm", crm_receiver.url), stage.endpoint("erp", erp_receiver.url)
    stage.accept(4, type_="order.created", payload=ORDER)
    stage.engine()
    failures(stage, 8)
    terminal = stage.console(size=SMALL)
    terminal.wait_for(r"data live")
    terminal.press("F")
    terminal.wait_for(r"Failures by cause · 2 groups · 8 deliveries")
    terminal.wait_for(r"4 +crm +500 http_5xx +disk full")
    terminal.wait_for(r"4 +erp +422 http_4xx +no such customer")
    if not re.search(r"► +4 crm", terminal.text()):
        terminal.press("j")
        terminal.wait_for(r"► +4 crm")
    terminal.press("enter")
    terminal.wait_for(r"Failures · 4 · /group:\d+")
    terminal.press("esc")
    terminal.wait_for(r"2 groups")
    crm_receiver.behave(answers(200))
    terminal.press("R")
    terminal.wait_for(r"Retry 4 deliveries.*4 → crm.*the same: webhook-console deliveries retry --filter")
    terminal.press("y")
    terminal.wait_for(r"1 group · 4 deliveries")
    terminal.wait_until_gone(r"disk full")
    eventually(lambda: count(stage, crm, DeliveryState.DELIVERED) == 4, what="the group is delivered")
    assert count(stage, erp, DeliveryState.FAILED) == 4
    assert len(erp_receiver.requests) == 4


def test_a_filter_is_completed_corrected_saved_and_used_by_a_command(stage: Stage) -> None:
    receiver = stage.receiver()
    receiver.behave(answers(500))
    stage.endpoint("billing", receiver.url)
    stage.endpoint("crm", receiver.url)
    stage.engine()
    stage.accept(2, type_="order.created", payload=ORDER)
    stage.accept(1, type_="lead.lost")
    failures(stage, 6)
    terminal = stage.console("--screen", "failures", size=SMALL)
    terminal.wait_for(r"Failures · 6 ")
    filtered(terminal, "end")
    terminal.wait_for(r"► endpoint:")
    terminal.press("tab")
    terminal.wait_for(r"/endpoint: .*\n|► billing")
    terminal.wait_for(r"► billing.*crm")
    terminal.press("down", "tab", *" cause:http_9xx")
    terminal.wait_for(r"/endpoint:crm cause:http_9xx *\n +\^{8} *\n +✗ 'http_9xx' is no cause")
    terminal.press(*["backspace"] * 3, *"5xx type:order.*")
    terminal.wait_for(r"Failures · 2 ")
    terminal.press("ctrl-s")
    terminal.wait_for(r"Save this filter under which name")
    terminal.press(*"orders", "enter")
    terminal.wait_for(r"@orders")
    saved = json.loads(command(stage, "filters", "list", "--json").stdout)
    assert (saved["name"], saved["filter"]) == ("orders", "endpoint:crm cause:http_5xx type:order.*")
    listed = command(stage, "deliveries", "list", "--filter", "@orders", "--json").stdout.splitlines()
    assert [json.loads(line)["endpoint"] for line in listed] == ["crm", "crm"]

    # And texts: a word of the payload, wherever it stands in it.
    filtered(terminal, "text:wilhelmina")
    terminal.wait_for(r"Failures · 4 ")
    terminal.press("enter")
    terminal.wait_until_gone(r"Take what is offered")
    terminal.wait_for(r"Failures · 4 .*text:wilhelmina")
    filtered(terminal, "text:waldemar")
    terminal.wait_for(r"Failures · 0 .*Nothing matches")
    terminal.press("esc")
    terminal.wait_for(r"Failures · 6 ")


def test_one_delivery_from_the_inside(stage: Stage) -> None:
    receiver = stage.receiver()
    receiver.behave(answers(500, b'{"error": "disk full", "at": 17}'))
    crm = stage.endpoint("crm", receiver.url, schedule_s=(0.0, 60.0))
    stage.engine()
    stage.accept(2, type_="order.created", payload=ORDER)
    terminal = stage.console(size=WIDE)
    eventually(lambda: len(receiver.requests) == 2, what="both were tried")
    terminal.wait_for(r"order\.created +✗ 500.*order\.created +✗ 500")
    receiver.behave(answers(409, b'{"error": "card declined", "at": 17}'))
    terminal.press("tab", "enter")
    terminal.wait_for(r"Home › dlv_.*Attempt 1 of 1.*TIMINGS.*in the queue.*total +█")
    terminal.press("r")
    terminal.wait_for(r"Retry 1 delivery now\?")
    terminal.press("y")
    terminal.wait_for(r"Attempt 2 of 2.*HTTP 409.*card declined")

    terminal.press("d")
    terminal.wait_for(r"Attempts 1 and 2: what differs")
    terminal.wait_for(r"- outcome +HTTP 500.*\+ outcome +HTTP 409")
    terminal.wait_for(r'- error: "disk full".*\+ error: "card declined"')
    terminal.press("esc")
    terminal.wait_for(r"Attempt 2 of 2")

    terminal.press("tab", "tab", "/")
    terminal.wait_for(r"a text in a key or a value")
    terminal.press(*"wilhel")
    terminal.wait_for(r"match 1 of 1 for “wilhel”")
    terminal.press("enter")
    terminal.wait_for(r'► +customer: "Wilhelmina"')
    terminal.press("esc")
    terminal.wait_until_gone(r"match 1 of 1")
    terminal.press("v")
    terminal.wait_for(r"REQUEST, as it was sent.*POST /hook.*webhook-signature: v1,")
    assert ORDER.decode()[:40] in terminal.text()
    terminal.press("m")
    terminal.wait_until_gone(r"Wilhelmina|4242 4242|card declined")
    terminal.press("m", "v")
    terminal.wait_for(r"Wilhelmina.*RESPONSE +HTTP 409.*card declined")

    terminal.press("i")
    terminal.wait_for(r"› Why.*SIGNATURE OF ATTEMPT 2.*v1,")
    terminal.press("esc")
    terminal.wait_until_gone(r"› Why")
    terminal.press("o")
    terminal.wait_for(r"APART +TIME.*here .*409")
    assert len(re.findall(r"order\.created", terminal.text())) >= 3
    terminal.press("esc")
    terminal.wait_for(r"Attempt 2 of 2")
    assert count(stage, crm, DeliveryState.PENDING) >= 1


def test_a_signature_that_is_refused_is_explained(stage: Stage) -> None:
    receiver = stage.receiver()
    stage.endpoint("crm", receiver.url)
    stage.engine()
    stage.accept(1, payload=ORDER)
    eventually(lambda: receiver.requests, what="it is delivered")
    pasted = rewritten(receiver.requests[0])
    said = command(stage, "verify", given=pasted, exit_code=1).stdout.decode()
    assert re.search(r"✗ .*(written anew|re-?serialis)", said), said
    genuine = json.dumps({"headers": dict(receiver.requests[0].headers), "body": receiver.requests[0].body.decode()})
    assert "✓" in command(stage, "verify", given=genuine.encode()).stdout.decode()

    terminal = stage.console(size=WIDE)
    terminal.wait_for(r"invoice\.paid +✓ 200")
    terminal.press("V")
    terminal.wait_for(r"Paste what the receiver got")
    terminal.press("\x1b[200~" + pasted.decode() + "\x1b[201~")
    terminal.wait_for(r"Findings.*✗ ")
    assert re.search(r"written anew|re-?serialis", terminal.text()), terminal.picture()
    terminal.press("esc")
    terminal.wait_for(r"Attempts · following")


def test_back_in_time_through_an_incident_and_the_same_view_elsewhere(stage: Stage) -> None:
    now_ms = SystemClock().now_ms()
    incident = make_incident(stage.store, now_ms // MINUTE_MS * MINUTE_MS - MINUTES * MINUTE_MS)
    terminal = stage.console("--no-engine", "--no-state", size=WIDE, TZ="UTC")
    terminal.wait_for(r"crm +● active")

    def at(minute: int) -> str:
        return time.strftime("%H:%M", time.gmtime(incident.minute(minute) / 1000))

    terminal.press("T")
    terminal.wait_for(r"Show which moment\?")
    terminal.press(*"5m ago", "enter")
    terminal.wait_for(r"◷ PAST .*\(5m.* ago\) · L goes live")
    terminal.press("<")
    terminal.wait_for(rf"◷ PAST .*{at(RESUMED)}:59")
    terminal.press("<")
    terminal.wait_for(rf"◷ PAST .*{at(BROKE)}:59")
    terminal.wait_for(r"crm .*http_5xx.*✗ 500 http_5xx")
    terminal.press("@")
    terminal.wait_for(r"The command that opens this view.*--store")
    copied = re.findall(rb"\x1b\]52;c;([A-Za-z0-9+/=]+)", bytes(terminal.raw))
    words = shlex.split(b64decode(copied[-1]).decode())
    assert words[0] == "webhook-console"
    terminal.press("esc")
    terminal.wait_until_gone(r"that opens this view")
    terminal.press(">")
    terminal.wait_for(rf"◷ PAST .*{at(RESUMED)}:59")
    terminal.press(">")
    terminal.wait_for(r"no later burst of failures")
    terminal.press("L")
    terminal.wait_until_gone(r"◷ PAST")

    again = stage.run(*words[1:], "--no-engine", size=WIDE, TZ="UTC")
    again.wait_for(rf"◷ PAST .*{at(BROKE)}:59")
    again.wait_for(r"crm .*http_5xx.*✗ 500 http_5xx")


def test_a_forecast_charts_and_a_backup_that_is_looked_at_afterwards(stage: Stage) -> None:
    receiver = stage.receiver()
    stage.endpoint("crm", receiver.url)
    stage.engine()
    terminal = stage.console(size=WIDE)
    terminal.wait_for(r"data live")
    stage.accept(5)
    terminal.wait_for(r"invoice\.paid +✓ 200")
    terminal.press("p")
    terminal.wait_for(r"Pause crm")
    terminal.press("enter")
    terminal.wait_for(r"‖ paused")
    stage.accept(7)
    terminal.wait_for(r"↳ .*(drained|7 ).*")
    terminal.press("C")
    terminal.wait_for(r"Charts · all endpoints · 5m.*Delivered .* 5 in all.*Latency +p50 \S+ · p95 \S+ · p99")
    terminal.press("j")
    terminal.wait_for(r"Charts · crm")
    terminal.press("esc")
    terminal.wait_for(r"Attempts · following")

    command(stage, "backup", str(stage.folder / "copy.db"))
    stage.accept(3)
    terminal.wait_for(r"paused .* 10 ")
    copy = stage.run("--read-only", str(stage.folder / "copy.db"), size=WIDE)
    copy.wait_for(r"✚ copy of copy\.db as of")
    copy.wait_for(r"crm +‖ paused .* 7 ")
    copy.press("F")
    copy.wait_for(r"Failures by cause · 0 groups|Nothing has failed")
    assert len(receiver.requests) == 5


def test_a_flood_folds_in_the_tail_and_failures_stay_rows(stage: Stage) -> None:
    receiver = stage.receiver()
    stage.endpoint("good", receiver.url)
    stage.engine()
    terminal = stage.console(size=SMALL)
    terminal.wait_for(r"data live")
    for _ in range(3):
        stage.accept(60)
        terminal.wait_for(r"✓ \d+ delivered · good")
    terminal.wait_until_gone(r"No event yet", timeout_s=10)
    eventually(lambda: len(receiver.requests) == 180, what="all are delivered")
    receiver.behave(answers(500))
    stage.accept(2, type_="order.lost")
    terminal.wait_for(r"✓ \d+ delivered · good.*order\.lost +✗ 500.*order\.lost +✗ 500")
    assert "invoice.paid" not in terminal.text()
    terminal.press("tab", "k", "k")
    terminal.wait_for(r"► \S+ +✓ \d+ delivered")
    terminal.press("enter")
    terminal.wait_for(r"invoice\.paid +✓ 200.*invoice\.paid +✓ 200")
    terminal.press("esc")
    terminal.wait_until_gone(r"invoice\.paid")
