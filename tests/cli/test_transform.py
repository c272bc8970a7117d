"""Filters, transforms and dry runs at the command line: set, shown, taken away, tried out."""

import json
from pathlib import Path

import pytest

from console.cli.main import USAGE
from console.domain.delivery import DRY_RUN_WORDS, Delivered
from console.domain.filters import DeliveryFilter
from console.domain.template_helpers import FILTERS, FUNCTIONS, TESTS
from console.domain.transform import Transform
from console.store import Store
from tests.cli.support import CommandLine, EngineHand, make_endpoint, make_events

URL = "https://example.com/hooks"
BODY = '{"text": {{ payload.name | tojson }}}'


def test_every_part_is_set_shown_changed_and_taken_away(console: CommandLine, store: Store, tmp_path: Path) -> None:
    (tmp_path / "body.txt").write_text("{\n" + BODY[1:])
    added = console(
        *("endpoints", "add", URL, "--name", "crm", "--when", "payload.amount > 100", "--dry-run", "--json"),
        *("--body-template", f"@{tmp_path / 'body.txt'}", "--header-template", "X-Type={{ event.type }}"),
        *(
            "--header-template",
            "X-Api-Key=s3cret{{ payload.id }}",
            "--path-template",
            "/c/{{ payload.id }}",
            "--method-template",
            "PUT",
        ),
    )
    assert added.code == 0, added.err
    assert added.record["filter"] == "payload.amount > 100"
    assert added.record["dry_run"] is True
    assert added.record["transform"]["headers"] == {"X-Type": "{{ event.type }}", "X-Api-Key": "[redacted]"}
    endpoint = store.find_endpoint("crm")
    assert endpoint.transform == Transform(
        body="{\n" + BODY[1:],
        headers=(("X-Type", "{{ event.type }}"), ("X-Api-Key", "s3cret{{ payload.id }}")),
        path="/c/{{ payload.id }}",
        method="PUT",
    )
    shown = console("endpoints", "show", "crm").out
    for line in ("dry run", "payload.amount > 100", '"text": {{ payload.name | tojson }}}', "X-Type: {{ event.type }}"):
        assert line in shown
    assert "s3cret" not in shown
    changed = console(
        "endpoints", "edit", "crm", "--header-template", "x-type=", "--content-type", "text/plain", "--live"
    )
    assert changed.out == "crm: changed content-type, header-template x-type, live\n"
    endpoint = store.find_endpoint("crm")
    assert endpoint.transform is not None
    assert endpoint.transform.headers == (("X-Api-Key", "s3cret{{ payload.id }}"),)
    assert (endpoint.transform.content_type, endpoint.dry_run) == ("text/plain", False)
    assert console("endpoints", "edit", "crm", "--when", "none", "--transform", "none").code == 0
    endpoint = store.find_endpoint("crm")
    assert (endpoint.filter, endpoint.transform) == (None, None)


def test_a_transform_comes_whole_out_of_a_file(console: CommandLine, store: Store, tmp_path: Path) -> None:
    file = tmp_path / "slack.toml"
    text = f"body = '''{BODY}'''\npath = \"/x\"\n[headers]\nX-A = \"{{{{ event.id }}}}\"\n"
    expected = Transform(body=BODY, path="/x", headers=(("X-A", "{{ event.id }}"),))
    for name, written in (
        ("flat", text),
        ("table", "[transform]\n" + text.replace("[headers]", "[transform.headers]")),
    ):
        file.write_text(written)
        make_endpoint(store, name)
        assert console("endpoints", "edit", name, "--transform", str(file)).code == 0
        assert store.find_endpoint(name).transform == expected
    for wrong, words in (
        ("body = 1", "Expected `str"),
        ("bod = 'x'", "unknown field `bod`"),
        ("body = ", "Invalid value"),
        ("body = '''\n{{ x }}'''", "transform body, line 1, column 4: x is not known"),
    ):
        file.write_text(wrong)
        refused = console("endpoints", "add", URL, "--transform", str(file))
        assert (refused.code, refused.out) == (USAGE, "")
        assert words in refused.err
        assert refused.err.count("\n") == 1
    assert "No such file" in console("endpoints", "add", URL, "--transform", str(tmp_path / "none.toml")).err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--when", "payload."], "filter, line 1, column 9"),
        (["--body-template", "a\n{{ x"], "transform body, line 2, column 1"),
        (["--header-template", "Webhook-Id=1"], "is set by the engine"),
        (["--header-template", "X-A"], "NAME=TEMPLATE"),
        (["--header-template", "X-Api-Key=s3cret"], "--header instead"),
        (["--content-type", "json"], "application/json"),
        (["--path-template", "{{ 1"], "transform path, "),
        (["--body-template", "@/nowhere"], "template file"),
    ],
)
def test_what_is_wrong_is_said_before_there_is_a_store(console: CommandLine, arguments: list[str], words: str) -> None:
    refused = console("endpoints", "add", URL, *arguments)
    assert refused.code == USAGE
    assert words in refused.err
    assert not console.store_path.exists()


def test_what_would_be_sent_is_shown_and_nothing_is_sent(console: CommandLine, store: Store) -> None:
    console(
        *("endpoints", "add", URL, "--name", "crm", "--when", "payload.amount > 100", "--body-template", BODY),
        *("--header", "Authorization=Bearer abcdef", "--path-template", "/c?a=1"),
    )
    (event,) = make_events(store, 1, payload=b'{"amount": 5, "name": "\\u001b[31mJ"}')
    tried = console("transform", "test", "--event", event, "--endpoint", "crm")
    assert tried.code == 0
    assert tried.out.splitlines()[0] == "not wanted by its filter: payload.amount > 100"
    assert "POST https://example.com/c?a=1" in tried.out
    assert "\x1b[31mJ" not in tried.out
    record = console("transform", "test", "--event", event, "--endpoint", "crm", "--json").record
    assert (record["wanted"], record["method"], record["url"]) == (False, "POST", "https://example.com/c?a=1")
    assert json.loads(record["body"]) == {"text": "\x1b[31mJ"}
    assert record["headers"] == [["content-type", "application/json"], ["Authorization", "[redacted]"]]
    failed = console("transform", "test", "--data", '{"amount": 500}', "--type", "a.b", "--endpoint", "crm", "--json")
    assert failed.code == 1
    assert failed.record["wanted"] is True
    assert failed.record["error"]["line"] == 1
    assert failed.record["error"]["column"] == 13
    human = console("transform", "test", "--data", '{"amount": 500}', "--endpoint", "crm")
    assert "failed: transform body, line 1, column 13: payload.name is missing" in human.out
    assert [d.attempts for d in store.deliveries(DeliveryFilter(), limit=9)] == []


def test_a_file_and_a_filter_are_tried_without_a_store(console: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "t.toml").write_text("body = 'hello {{ event.type }}'\ncontent_type = 'text/plain'\nmethod = 'PATCH'\n")
    arguments = [
        "--data",
        "[1]",
        "--type",
        "a.b",
        "--transform",
        str(tmp_path / "t.toml"),
        "--when",
        "payload | length > 1",
    ]
    record = console("transform", "test", *arguments, "--json").record
    assert (record["wanted"], record["method"], record["body"]) == (False, "PATCH", "hello a.b")
    assert not console.store_path.exists()
    for wrong in (["--data", "1"], ["--event", "evt_1", "--data", "1", "--when", "1"], ["--when", "1"],
                  ["--event", "evt_1", "--type", "a", "--when", "1"]):  # fmt: skip
        assert console("transform", "test", *wrong).code == USAGE


def test_helpers_are_listed_each_with_its_form(console: CommandLine) -> None:
    records = console("transform", "helpers", "--json").records
    assert [r["name"] for r in records] == [*FILTERS, *TESTS, *FUNCTIONS]
    lines = console("transform", "helpers").out.splitlines()
    assert len(lines) == len(records) + 1


def test_a_sample_of_any_type_and_payload_goes_past_types_and_filter(console: CommandLine, store: Store) -> None:
    assert console("endpoints", "add", URL, "--name", "crm", "--types", "x", "--when", "false").code == 0
    sent = console("endpoints", "test", "crm", "--type", "invoice.paid", "--data", '{"amount": 7}', "--json")
    event = store.event(sent.record["event_id"])
    assert (event.type, event.payload, event.source) == ("invoice.paid", b'{"amount": 7}', "test")
    (delivery,) = store.deliveries(DeliveryFilter(), limit=9)
    assert delivery.endpoint_name == "crm"
    default = store.event(console("endpoints", "test", "crm", "--json").record["event_id"])
    assert default.type == "webhook.test"
    assert console("endpoints", "test", "crm", "--data", "{").code == USAGE


def test_a_dry_run_is_not_shown_as_a_delivery(console: CommandLine, store: Store) -> None:
    crm = make_endpoint(store, "crm")
    (event,) = make_events(store, 1)
    hand = EngineHand(store)
    hand.complete(hand.claim(crm), Delivered(status=None))
    assert "dry run" in console("attempts", "list").out
    (record,) = console("attempts", "list", "--json").records
    assert (record["succeeded"], record["status"], record["detail"]) == (True, None, DRY_RUN_WORDS)
    shown = console("attempts", "show", record["id"]).out
    assert f"{DRY_RUN_WORDS}; this would have been:" in shown
    assert "HTTP None" not in shown
    assert "nothing was sent" in console("deliveries", "why", event, "crm").out


def test_a_filter_that_did_not_hold_is_why_it_is_not_owed(console: CommandLine, store: Store) -> None:
    assert console("endpoints", "add", URL, "--name", "crm", "--when", "payload.amount > 100").code == 0
    (event,) = make_events(store, 1, payload=b'{"amount": 5}')
    said = console("deliveries", "why", event, "crm").out
    assert said == "Not owed: crm wants * only when payload.amount > 100, which does not hold for this payload.\n"
    assert "only when payload.amount > 100" in console("events", "show", event).out
