"""`endpoints`: added, shown without secrets, edited in part, paused, removed."""

from pathlib import Path

import pytest

from console.cli.records import ENDPOINT_FIELDS, ENDPOINT_ROW_FIELDS, iso
from console.domain.filters import DeliveryFilter
from console.domain.handshake import Permitted, Refused
from console.domain.retry import STANDARD_SCHEDULE_S
from console.domain.signing import Secret
from console.store import Store
from tests.cli.support import BROKEN, SECRET, CommandLine, EngineHand, make_endpoint, make_events
from tests.factories import start_engine

URL = "https://example.com/hooks"


def test_add_makes_a_secret_and_shows_it_once(console: CommandLine, store: Store) -> None:
    added = console("endpoints", "add", URL, "--json")
    assert added.code == 0
    assert set(added.record) == {*ENDPOINT_FIELDS, "new_secret"}
    secret = added.record["new_secret"]
    (endpoint,) = store.endpoints()
    assert endpoint.secrets == (Secret(text=secret),)
    assert (endpoint.name, endpoint.types, endpoint.policy.schedule_s) == ("example.com", ("*",), STANDARD_SCHEDULE_S)
    for command in (["show", "example.com"], ["show", "example.com", "--json"], ["list"], ["list", "--json"]):
        shown = console("endpoints", *command)
        assert secret not in shown.out + shown.err
        assert secret[10:] not in shown.out
    assert f"…{secret[-4:]}" in console("endpoints", "show", "example.com").out
    human = console("endpoints", "add", URL)
    (first, second) = store.endpoints()
    assert second.name == "example.com-2"
    assert human.out.count(second.secrets[0].text) == 1
    assert first.secrets != second.secrets


def test_add_takes_every_option(console: CommandLine, store: Store, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET + "\n")
    added = console(
        *("endpoints", "add", URL, "--name", "crm", "--types", "invoice.*,lead.new", "--types", "lead.new"),
        *("--secret", f"@{tmp_path / 'secret'}", "--schedule", "0,5s,5m", "--timeout", "1500ms"),
        *("--max-in-flight", "3", "--header", "X-A=1", "--header", "Authorization=Bearer abcdef", "--json"),
    )
    assert added.record["new_secret"] is None
    assert ["Authorization", "[redacted]"] in added.record["policy"]["headers"]
    (endpoint,) = store.endpoints()
    assert endpoint.types == ("invoice.*", "lead.new")
    assert endpoint.secrets == (Secret(text=SECRET),)
    assert endpoint.policy.schedule_s == (0.0, 5.0, 300.0)
    assert (endpoint.policy.timeout_s, endpoint.policy.max_in_flight) == (1.5, 3)
    assert endpoint.policy.headers == (("X-A", "1"), ("Authorization", "Bearer abcdef"))
    assert "abcdef" not in console("endpoints", "show", "crm").out


@pytest.mark.parametrize(
    "arguments",
    [
        ["ftp://example.com"], [URL, "--name", "a b"], [URL, "--types", "a..b"], [URL, "--secret", "whsec_short"],
        [URL, "--schedule", "5x"], [URL, "--timeout", "soon"], [URL, "--max-in-flight", "0"], [URL, "--header", "X"],
        [URL, "--header", "Host=a"], [URL, "--secret", "@/nonexistent"], [],
    ],
)  # fmt: skip
def test_add_refuses_wrong_values(console: CommandLine, arguments: list[str]) -> None:
    refused = console("endpoints", "add", *arguments)
    assert refused.code == 2
    assert refused.err.count("\n") == 1
    assert not console.store_path.exists()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (URL, None),
        ("http://example.com", "plain http"),
        ("http://127.0.0.1:9", "loopback"),
        ("http://localhost:9", "--allow-address"),
        ("https://10.1.2.3/", "--allow-address"),
        ("https://[::1]/", "loopback"),
    ],
)
def test_add_warns(console: CommandLine, url: str, words: str | None) -> None:
    added = console("endpoints", "add", url, "--secret", SECRET)
    assert added.code == 0
    assert (words is None) == (added.err == "")
    assert words is None or words in added.err


def test_edit_changes_only_what_is_given(console: CommandLine, store: Store) -> None:
    before = make_endpoint(store, policy={"timeout_s": 3.0, "headers": (("X-A", "1"), ("X-B", "2"))})
    edited = console("endpoints", "edit", "billing", "--header", "x-a=", "--header", "X-C=3", "--json")
    assert edited.record["changed"] == ["header x-a", "header X-C"]
    after = store.find_endpoint("billing")
    assert after.policy.headers == (("X-B", "2"), ("X-C", "3"))
    assert (after.url, after.types, after.secrets, after.policy.timeout_s) == (
        before.url,
        before.types,
        before.secrets,
        3.0,
    )
    assert console("endpoints", "edit", "billing").code == 2
    assert "billing" in store.operations(limit=1)[0].target


def store_time(store: Store) -> str | None:
    return iso(min(d.next_attempt_at_ms or 0 for d in store.deliveries(DeliveryFilter(), limit=100)))


def test_pause_and_resume(console: CommandLine, store: Store) -> None:
    make_endpoint(store)
    make_events(store, 3)
    paused = console("endpoints", "pause", "bill", "--reason", "their deploy")
    assert paused.out == "billing: paused, 3 deliveries held, the oldest due just now\n"
    assert store.find_endpoint("billing").state_reason == "their deploy"
    assert console("endpoints", "pause", "billing", "--json").record["changed"] is False
    assert "held" in console("deliveries", "list").out
    resumed = console("endpoints", "resume", "billing", "--json").record
    assert (resumed["state"], resumed["changed"], resumed["pending"], resumed["pace"]) == ("active", True, 3, None)
    assert resumed["oldest_due_at"] == store_time(store)
    assert console("endpoints", "pause", "nobody").code == 1


def test_remove_asks(console: CommandLine, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    make_endpoint(store)
    make_events(store, 3)
    refused = console("endpoints", "remove", "billing")
    assert refused.code == 2
    assert "still owed 3 deliveries" in refused.err
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    asked: list[str] = []

    def no(question: str, **_options: object) -> bool:
        asked.append(question)
        return False

    monkeypatch.setattr("click.confirm", no)
    declined = console("endpoints", "remove", "billing")
    assert (declined.code, declined.err) == (1, "webhook-console: nothing was changed\n")
    assert "3 deliveries" in asked[0]
    removed = console("endpoints", "remove", "billing", "--yes", "--json").record
    assert (removed["removed"], removed["cancelled"]) == (True, 3)
    assert store.endpoints() == []


def test_list_and_show(console: CommandLine, store: Store) -> None:
    endpoint = make_endpoint(store)
    make_events(store, 2)
    EngineHand(store).run(endpoint, BROKEN)
    (row,) = console("endpoints", "list", "--json").records
    assert set(row) == set(ENDPOINT_ROW_FIELDS)
    assert (row["failed"], row["last_failure_cause"]) == (2, "http_5xx")
    assert console("endpoints", "show", endpoint.id[:8], "--json").record == row
    for command in (["list"], ["show", "billing"]):
        shown = console("endpoints", *command)
        assert (shown.code, shown.err) == (0, "")
        assert "http_5xx" in shown.out


def test_nothing_yet(console: CommandLine, store: Store) -> None:
    empty = console("endpoints", "list")
    assert (empty.code, empty.out) == (0, "")
    assert "endpoints add" in empty.err
    assert console("endpoints", "list", "--json").out == ""


def test_test_does_not_wait_for_a_paused_endpoint_or_without_an_engine(console: CommandLine, store: Store) -> None:
    endpoint = make_endpoint(store, types=("other",))
    sent = console("endpoints", "test", "billing")
    assert sent.code == 0
    assert "no engine is running" in sent.err
    assert store.gauges()[endpoint.id].pending == 1
    timed_out = console("endpoints", "test", "billing", "--wait", "10ms", "--json")
    assert timed_out.code == 1
    assert timed_out.record["attempt"] is None
    console("endpoints", "pause", "billing")
    assert "is paused" in console("endpoints", "test", "billing").err


def test_show_says_whether_the_receiver_permits_to_be_sent_to(console: CommandLine, store: Store) -> None:
    endpoint = make_endpoint(store, "crm", policy={"handshake": True})
    assert "not given for this URL" in console("endpoints", "show", "crm").out
    epoch = start_engine(store)
    reason = "waits for permission: 405 to OPTIONS; asks again at 14:03:10"
    store.set_permission(endpoint.seq, endpoint.version, Refused(why="405", reason=reason), epoch=epoch)
    assert f"({reason})" in console("endpoints", "show", "crm").out
    assert console("endpoints", "show", "crm", "--json").record["state_reason"] == reason
    resumed = console("endpoints", "resume", "crm", "--json").record
    assert (resumed["changed"], resumed["state_reason"]) == (True, None)
    version = store.find_endpoint("crm").version
    store.set_permission(endpoint.seq, version, Permitted(per_minute=1200), epoch=epoch)
    assert "given for this URL, at most 1,200 requests a minute" in console("endpoints", "show", "crm").out
    record = console("endpoints", "show", "crm", "--json").record
    assert (record["permitted_url"], record["permitted_per_minute"]) == (endpoint.url, 1200)
    make_endpoint(store, "plain")
    assert "for this URL" not in console("endpoints", "show", "plain").out
