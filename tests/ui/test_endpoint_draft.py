"""The endpoint form without its screen: texts by field, the endpoint they say, errors by field, and another's edits."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.domain.endpoint import EndpointSpec
from console.domain.errors import InvalidInputError
from console.domain.policy import BUILT_IN, POLICY_FIELDS, BreakerPolicy, DeliveryPolicy, Ordering, RateLimit
from console.domain.policy_parts import PARTS
from console.domain.signing import Secret
from console.ui.endpoint_draft import (
    Base,
    Draft,
    DraftKind,
    defaults_base,
    fields_of,
    new_base,
    placeholder,
    rebased,
    start,
)
from console.ui.endpoint_reading import plain_file, read, types_preview
from tests.factories import SECRET

DURATIONS = st.one_of(
    st.integers(1, 86400).map(float),
    st.integers(1, 30 * 24).map(lambda hours: hours * 3600.0),
    st.integers(1, 999).map(lambda ms: ms / 1000),
)
POLICIES = st.builds(
    DeliveryPolicy,
    schedule_s=st.lists(st.one_of(st.just(0.0), DURATIONS), min_size=1, max_size=12).map(tuple),
    jitter=st.integers(0, 500_000).map(lambda n: n / 1_000_000),
    retry_after_cap_s=st.one_of(st.just(0.0), st.integers(1, 86400).map(float)),
    permanent_statuses=st.lists(st.integers(300, 599), unique=True, max_size=5).map(tuple),
    timeout_s=st.integers(100, 120_000).map(lambda ms: ms / 1000),
    connect_timeout_s=st.integers(50, 60_000).map(lambda ms: ms / 1000),
    max_in_flight=st.integers(1, 1000),
    rate_limit=st.one_of(
        st.none(),
        st.builds(RateLimit, count=st.integers(1, 10**6), period_s=st.sampled_from([1.0, 60.0, 3600.0])),
    ),
    breaker=st.one_of(
        st.just(BreakerPolicy(enabled=False)),
        st.builds(
            BreakerPolicy,
            consecutive=st.integers(1, 100_000),
            ratio=st.integers(500, 10_000).map(lambda n: n / 10_000),
            least=st.integers(1, 100_000),
            window_s=st.integers(1, 3600).map(float),
            probe_s=st.integers(1, 600).map(float),
            probe_cap_s=st.integers(600, 3600).map(float),
        ),
    ),
    disable_after_s=st.one_of(st.just(0.0), st.integers(60, 365 * 86400).map(float)),
    ordering=st.just(Ordering.FIFO),
    order_key=st.one_of(st.none(), st.sampled_from(["data.customer", "id"])),
    headers=st.sampled_from([(), (("X-Team", "ops"),), (("X-Team", "a=b"), ("X-Api-Key", "canary"))]),
    user_agent=st.one_of(st.none(), st.just("ours/1.0")),
    authorization=st.sampled_from([None, "Bearer canary", "Basic Y2FuYXJ5"]),
    client_certificate=st.just("/etc/ours.pem"),
    client_key=st.one_of(st.none(), st.just("/etc/ours.key")),
    proxy=st.sampled_from([None, "http://proxy:3128", "http://ann:canary@proxy:3128"]),
    http2=st.booleans(),
    obey_receiver=st.booleans(),
    handshake=st.booleans(),
)


def edit_base(**given: Any) -> Base:
    return Base(
        **{
            "kind": DraftKind.EDIT,
            "name": "crm",
            "url": "https://crm.example.com/in",
            "types": ("invoice.*",),
            "policy": BUILT_IN,
            "defaults": BUILT_IN,
            "taken": frozenset({"billing"}),
            **given,
        }
    )


def typed(base: Base, **texts: str) -> Draft:
    """A draft in which this was typed."""
    draft = start(base)
    return replace(draft, texts={**draft.texts, **{key.replace("header_", "header."): t for key, t in texts.items()}})


@given(POLICIES)
def test_a_form_that_nobody_touches_changes_nothing_and_shows_no_secret(policy: DeliveryPolicy) -> None:
    base = edit_base(policy=policy, own=frozenset(POLICY_FIELDS))
    draft = start(base)
    reading = read(draft, check_file=str)
    assert reading.errors == {}
    assert reading.policy == policy
    assert (reading.name, reading.url, reading.types) == (base.name, base.url, base.types)
    assert reading.changed == ()
    assert not draft.touched
    assert "canary" not in " ".join(draft.texts.values())
    assert "canary" not in " ".join(placeholder(base, field.key) for field in fields_of(draft))


@given(POLICIES)
def test_every_text_of_a_policy_typed_into_an_empty_form_says_that_policy(policy: DeliveryPolicy) -> None:
    plain = replace(policy, authorization=None, headers=policy.headers[:1], proxy=None)
    texts = {part.field: part.show(getattr(plain, part.field)) for part in PARTS if part.field != "authorization"}
    headers = {f"header_{number}": f"{name}={value}" for number, (name, value) in enumerate(plain.headers)}
    reading = read(
        typed(new_base(BUILT_IN, frozenset()), url="https://a.example.com", **texts, **headers), check_file=str
    )
    assert reading.errors == {}
    assert reading.policy == plain


def test_a_new_endpoint_gets_what_is_empty_from_the_url_and_the_defaults() -> None:
    defaults = replace(BUILT_IN, timeout_s=7.0, headers=(("X-Team", "ops"),))
    reading = read(typed(new_base(defaults, frozenset({"a.example.com"})), url="https://a.example.com/in", jitter="5%"))
    assert reading.errors == {}
    assert (reading.name, reading.types, reading.secret) == ("a.example.com-2", ("*",), None)
    assert reading.policy == replace(defaults, jitter=0.05)
    assert reading.words == ("endpoints", "add", "https://a.example.com/in", "--jitter", "5%")
    spec = EndpointSpec(
        name=reading.name,
        url=reading.url,
        types=reading.types,
        secrets=(Secret(text=SECRET),),
        policy=reading.policy,
    )
    assert spec.check() == spec


@pytest.mark.parametrize(
    ("field", "text", "said"),
    [
        ("url", "", "is needed"), ("url", "ftp://x", "http"), ("url", "https://u:canary@x/", "credentials"),
        ("name", "a b", "blanks"), ("name", "billing", "taken"), ("name", "ep_x", "ids begin"), ("name", "", "1 to"),
        ("types", "invoice.**", "pattern"), ("types", "", "at least one"), ("schedule_s", "soon", "duration"),
        ("timeout_s", "10m", "0.1s to 120s"), ("jitter", "80%", "0 to 0.5"), ("permanent_statuses", "200", "300 to"),
        ("max_in_flight", "0", "1 to 1000"), ("rate_limit", "50", "50/s"), ("breaker", "ratio=1%", "0.05 to 1"),
        ("order_key", "data.customer", "ordering fifo"), ("client_key", __file__, "client-certificate"),
        ("client_certificate", "/nowhere/x.pem", "is not there"), ("proxy", "socks5://u:canary@p", "http://host:port"),
        ("basic", "canary", "USER:PASSWORD"), ("bearer", "can ary", "without blanks"), ("http2", "yes", "on or off"),
        ("header_0", "X-Team", "NAME=VALUE"), ("header_0", "Host=x", "set by the engine"),
        ("header_0", "X-Api-Key=[redacted]", "not shown"), ("header_0", "X-Team=", "no value"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_of_its_field(field: str, text: str, said: str) -> None:
    reading = read(typed(edit_base(), **{field: text}))
    assert list(reading.errors) == [field.replace("header_", "header.")]
    message = next(iter(reading.errors.values()))
    assert said in message
    assert "canary" not in message
    assert "--" not in message


def test_two_ways_to_authorize_and_a_header_twice_are_refused() -> None:
    reading = read(typed(edit_base(), basic="a:b", bearer="t", header_0="X-Team=a", header_1="x-team=b"))
    assert set(reading.errors) == {"bearer", "header.1"}


def test_the_secret_of_a_new_endpoint_is_checked_and_never_said() -> None:
    base = new_base(BUILT_IN, frozenset())
    wrong = read(typed(base, url="https://a.example.com", secret="whsec_canary"))
    assert list(wrong.errors) == ["secret"]
    assert "canary" not in wrong.errors["secret"]
    right = read(typed(base, url="https://a.example.com", secret=SECRET))
    assert right.secret == SECRET
    assert right.words[-2:] == ("--secret", "@FILE")


def test_secrets_are_kept_replaced_and_taken_away() -> None:
    before = replace(
        BUILT_IN,
        authorization="Bearer canary",
        proxy="http://ann:canary@proxy:1",
        headers=(("X-Api-Key", "canary"), ("X-Team", "ops")),
    )
    base = edit_base(policy=before, own=frozenset({"authorization", "proxy", "headers"}))
    assert placeholder(base, "bearer") == "kept: Bearer [redacted]"
    assert placeholder(base, "basic") == "USER:PASSWORD"
    assert "kept" in placeholder(base, "proxy")

    replaced = read(
        typed(base, bearer="fresh", proxy="http://bob:fresh@proxy:2", header_0="X-Api-Key=fresh", header_1="X-Team=dev")
    )
    assert replaced.policy.authorization == "Bearer fresh"
    assert replaced.policy.headers == (("X-Api-Key", "fresh"), ("X-Team", "dev"))
    assert "fresh" not in " ".join(replaced.words) + " ".join(replaced.changed)
    assert replaced.words[replaced.words.index("--bearer") :][:2] == ("--bearer", "@FILE")
    assert "X-Team=dev" in replaced.words
    assert "X-Api-Key=…" in replaced.words
    assert set(replaced.changed) == {"bearer", "proxy", "header X-Api-Key", "header X-Team"}

    gone = read(typed(base, basic="none", proxy="none", header_0=""))
    assert (gone.policy.authorization, gone.policy.proxy) == (None, None)
    assert gone.policy.headers == (("X-Team", "ops"),)
    assert {"--no-auth", "--proxy", "none", "X-Api-Key="} <= set(gone.words)


def test_an_emptied_field_follows_the_default_again() -> None:
    base = edit_base(
        policy=replace(BUILT_IN, timeout_s=3.0), own=frozenset({"timeout_s"}), defaults=replace(BUILT_IN, timeout_s=9.0)
    )
    reading = read(typed(base, timeout_s=""))
    assert reading.policy.timeout_s == 9.0
    assert reading.words == ("endpoints", "edit", "crm", "--timeout", "default")
    assert "9s" in reading.notes["timeout_s"]
    assert read(typed(base, timeout_s="default")).policy.timeout_s == 9.0


def test_the_defaults_have_no_url_and_fall_back_to_what_is_built_in() -> None:
    base = defaults_base(replace(BUILT_IN, timeout_s=9.0))
    draft = start(base)
    assert not {"name", "url", "types", "secret"} & {field.key for field in fields_of(draft)}
    assert draft.text("timeout_s") == "9s"
    assert placeholder(base, "timeout_s") == "default: 15s"
    reading = read(typed(base, timeout_s="", http2="off"))
    assert reading.policy == replace(BUILT_IN, http2=False)
    assert reading.words == ("defaults", "edit", "--timeout", "default", "--http2", "off")


def test_what_another_changed_meanwhile_is_taken_over_but_for_what_was_typed() -> None:
    mine = typed(edit_base(), timeout_s="3s", url="https://mine.example.com/")
    theirs = edit_base(
        url="https://theirs.example.com/",
        types=("*",),
        policy=replace(BUILT_IN, jitter=0.1, headers=(("X-Team", "ops"),)),
        own=frozenset({"jitter", "headers"}),
    )
    draft, both = rebased(mine, theirs)
    assert both == {"url": "https://theirs.example.com/"}
    reading = read(draft)
    assert (reading.url, reading.types) == ("https://mine.example.com/", ("*",))
    assert reading.policy == replace(theirs.policy, timeout_s=3.0)
    assert rebased(draft, theirs) == (draft, {}), "said once"


def test_headers_that_both_changed_are_said() -> None:
    mine = typed(edit_base(), header_0="X-Team=mine")
    theirs = edit_base(policy=replace(BUILT_IN, headers=(("X-Api-Key", "canary"),)), own=frozenset({"headers"}))
    draft, both = rebased(mine, theirs)
    assert both == {"header.0": "X-Api-Key=[redacted]"}
    assert read(draft).policy.headers == (("X-Team", "mine"),)


def test_a_path_is_made_whole(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ours.pem").write_text("x")
    monkeypatch.chdir(tmp_path)
    reading = read(typed(edit_base(), client_certificate="ours.pem"))
    assert reading.policy.client_certificate == str(tmp_path / "ours.pem")
    assert str(tmp_path / "ours.pem") in reading.words
    with pytest.raises(InvalidInputError):
        plain_file("x\0y")


def test_a_preview_says_which_types_would_match() -> None:
    counts = {"invoice.paid": 1200, "invoice.created": 300, "payment.failed": 10, "webhook.test": 1}
    assert types_preview(("invoice.*",), counts) == (
        "1,500 of the last 1,511 events: invoice.paid, invoice.created · not payment.failed, webhook.test"
    )
    assert "not webhook.test" in types_preview(("*",), counts), "* leaves out what the product says of itself"
    assert types_preview(("refund.*",), counts).startswith("0 of the last 1,511 events · not ")
    assert "no event" in types_preview(("*",), {})
