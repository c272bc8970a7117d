"""`defaults`, and what endpoints say themselves."""

import base64
from pathlib import Path

import pytest

from console.domain.policy import BUILT_IN, Ordering, RateLimit
from console.store import Store
from tests.cli.support import CommandLine

URL = "https://example.com/hooks"


def test_endpoints_follow_the_default_where_they_say_nothing(console: CommandLine, store: Store) -> None:
    assert console("endpoints", "add", URL, "--name", "a").code == 0
    assert console("endpoints", "add", URL, "--name", "b", "--timeout", "30s").code == 0
    changed = console("defaults", "edit", "--timeout", "10s", "--rate-limit", "100/s", "--json")
    assert changed.record["changed"] == ["timeout", "rate-limit"]
    a, b = store.find_endpoint("a"), store.find_endpoint("b")
    assert (a.policy.timeout_s, b.policy.timeout_s) == (10, 30)
    assert a.policy.rate_limit == b.policy.rate_limit == RateLimit(count=100)
    assert (a.own, b.own) == (frozenset(), frozenset({"timeout_s"}))
    assert console("endpoints", "edit", "b", "--timeout", "default", "--rate-limit", "none").code == 0
    b = store.find_endpoint("b")
    assert (b.policy.timeout_s, b.policy.rate_limit, b.own) == (10, None, frozenset({"rate_limit"}))
    assert console("defaults", "edit", "--timeout", "default", "--rate-limit", "default").code == 0
    assert store.policy_defaults() == BUILT_IN
    assert [operation.kind for operation in store.operations(limit=2)] == ["defaults_edit", "endpoint_edit"]


def test_a_default_that_becomes_what_an_endpoint_says_leaves_it_its_own(console: CommandLine, store: Store) -> None:
    console("endpoints", "add", URL, "--name", "a", "--timeout", "30s")
    console("defaults", "edit", "--timeout", "30s")
    console("endpoints", "edit", "a", "--types", "lead.*")
    console("defaults", "edit", "--timeout", "5s")
    assert store.find_endpoint("a").policy.timeout_s == 30


def test_every_part_can_be_given_and_reads_back(console: CommandLine, store: Store, tmp_path: Path) -> None:
    (tmp_path / "client.pem").write_text("x")
    added = console(
        *("endpoints", "add", URL, "--name", "a", "--schedule", "exponential:tries=3", "--jitter", "10%"),
        *("--retry-after-cap", "1h", "--permanent", "400,422", "--connect-timeout", "2s", "--rate-limit", "50/s"),
        *("--breaker", "consecutive=5,probe=10s", "--disable-after", "never", "--ordering", "fifo"),
        *("--order-key", "data.customer", "--user-agent", "mine/1", "--basic", "user:canary", "--http2", "off"),
        *("--client-certificate", str(tmp_path / "client.pem"), "--proxy", "http://u:canary@p:3128"),
        *("--obey-receiver", "on", "--handshake", "on", "--json"),
    )
    assert added.code == 0
    policy = store.find_endpoint("a").policy
    assert policy.schedule_s == (0.0, 5.0, 10.0)
    assert policy.ordering is Ordering.FIFO
    assert policy.order_key == "data.customer"
    assert policy.authorization == "Basic " + base64.b64encode(b"user:canary").decode()
    shown = console("endpoints", "show", "a", "--json").record
    assert shown["policy"] == added.record["policy"]
    human = console("endpoints", "show", "a").out
    assert "canary" not in added.out + str(shown) + human
    assert base64.b64encode(b"user:canary").decode() not in added.out + str(shown) + human
    again = [
        word
        for name, text in shown["policy"].items()
        if name in ("schedule", "jitter", "breaker", "rate_limit", "permanent_statuses")
        for word in ("--" + {"permanent_statuses": "permanent"}.get(name, name.replace("_", "-")), text)
    ]
    assert console("endpoints", "edit", "a", *again).code == 0
    assert store.find_endpoint("a").policy == policy


@pytest.mark.parametrize(
    "arguments",
    [
        ["--order-key", "data.customer"], ["--basic", "u:p", "--bearer", "t"], ["--client-key", "/nonexistent"],
        ["--basic", "nocolon"], ["--timeout", "1h"], ["--rate-limit", "much"], [],
    ],
)  # fmt: skip
def test_what_is_wrong_changes_nothing(console: CommandLine, store: Store, arguments: list[str]) -> None:
    refused = console("defaults", "edit", *arguments)
    assert refused.code == 2
    assert refused.err.count("\n") == 1
    assert store.policy_defaults() == BUILT_IN
