"""A store as a file says it: what is done, what is not, and what is left when it fails."""

import re
import shutil
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.domain.alerts import AlertKind, AlertSpec
from console.domain.configuration import Wanted
from console.domain.configuration_words import diff_lines, summary
from console.domain.endpoint import Endpoint, EndpointState
from console.domain.errors import ConfigError, SealedError
from console.domain.event_schema import SchemaMode
from console.domain.operation import OperationKind
from console.domain.policy import DeliveryPolicy, RateLimit
from console.domain.policy_parts import PARTS
from console.domain.sealing import NO_KEYS, Keyring, is_sealed
from console.domain.signing import Secret, make_secret
from console.domain.source import Answer, SignatureOptions, SourceKind, SourceOptions, SourceSpec
from console.domain.transform import Transform
from console.operations import endpoints
from console.operations.alerts import add_rule
from console.operations.configuration import Applied, Applier, read_present, refuse
from console.operations.configuration_export import exported
from console.operations.configuration_reading import read_configuration
from console.operations.schemas import add_schema
from console.operations.sources import add_source
from console.store import Store, open_store
from tests.factories import NOW_MS, make_spec

WHO = "ada@box"
OLD, NEW = (make_secret(letter * 32) for letter in (b"o", b"n"))
FILE = """
[defaults]
timeout = "10s"

[[endpoints]]
name = "crm"
url = "https://example.com/crm"
types = ["invoice.*", "lead.new"]
rate_limit = "10/s"
secret = "env:CRM_SECRET"
bearer = "env:CRM_TOKEN"
headers = { X-Team = "ops" }

[endpoints.transform]
body = '''
{ "id": {{ payload.id }} }
'''

[[endpoints]]
name = "erp"
url = "https://example.com/erp"
paused = true

[[alerts]]
error_rate = "20%"
endpoint = "crm"
"""
ENVIRON = {"CRM_SECRET": OLD, "CRM_TOKEN": "a-token"}


def wanted(text: str, **environ: str) -> Wanted:
    return read_configuration(text, name="webhooks.toml", folder=Path("/"), environ={**ENVIRON, **environ})


def applier(keys: Keyring = NO_KEYS) -> Applier:
    return Applier(actor=WHO, random=Random(1), entropy=lambda n: b"e" * n, keys=keys)


def apply(store: Store, text: str, *, prune: bool = False, keys: Keyring = NO_KEYS, **environ: str) -> Applied:
    return applier(keys).apply(store, wanted(text, **environ), label="webhooks.toml", now_ms=NOW_MS, prune=prune)


def named(store: Store, name: str) -> Endpoint:
    return next(endpoint for endpoint in store.endpoints() if endpoint.name == name)


def dumped(store: Store) -> list[object]:
    """All that a file could change, and the audit log."""
    return [store.policy_defaults(), store.endpoints(), store.alert_rules(), store.operations(limit=99),
            store.applied("webhooks.toml")]  # fmt: skip


def test_a_new_store_becomes_what_the_file_says(store: Store) -> None:
    applied = apply(store, FILE)
    assert applied.words == "3 added, 1 changed"
    assert [step.name for step in applied.made] == ["erp"]
    crm, erp = store.endpoints()
    assert (crm.url, crm.types) == ("https://example.com/crm", ("invoice.*", "lead.new"))
    assert crm.policy.rate_limit == RateLimit(count=10)
    assert crm.policy.timeout_s == 10
    assert crm.policy.authorization == "Bearer a-token"
    assert crm.policy.headers == (("X-Team", "ops"),)
    assert crm.transform == Transform(body='{ "id": {{ payload.id }} }\n')
    assert [secret.text for secret in crm.secrets] == [OLD]
    assert [secret.text for secret in erp.secrets] == [make_secret(b"e" * 32)]
    assert (erp.state, erp.state_reason) == (EndpointState.PAUSED, "as webhooks.toml says")
    assert any(r.spec.kind is AlertKind.ERROR_RATE and r.endpoint_name == "crm" for r in store.alert_rules())
    assert [operation.kind for operation in store.operations(limit=9)] == [
        OperationKind.ALERT_ADD, OperationKind.ENDPOINT_PAUSE, OperationKind.ENDPOINT_ADD, OperationKind.ENDPOINT_ADD,
        OperationKind.DEFAULTS_EDIT, OperationKind.CONFIG_APPLY,
    ]  # fmt: skip
    assert {operation.actor for operation in store.operations(limit=9)} == {WHO}
    assert store.operations(limit=9)[-1].result == "3 added, 1 changed"


def test_the_second_time_there_is_nothing_to_do(store: Store) -> None:
    apply(store, FILE)
    before = dumped(store)
    again = apply(store, FILE)
    assert (again.steps, again.words) == ((), "nothing to do")
    assert dumped(store) == before


def test_the_difference_is_said_part_by_part_and_without_secrets(store: Store) -> None:
    apply(store, FILE)
    text = FILE.replace("/crm", "/v2/crm").replace("10/s", "20/s").replace("payload.id", "payload.key")
    applied = apply(store, text.replace("paused = true", ""), CRM_SECRET=NEW, CRM_TOKEN="another-token")
    (step,) = applied.steps
    assert summary(step) == (
        "~ endpoint crm: url https://example.com/crm → https://example.com/v2/crm, "
        "transform.body changed, secret changed, rate_limit 10/s → 20/s, authorization changed"
    )
    assert diff_lines(step)[1:] == [
        "    transform.body:", '      -{ "id": {{ payload.id }} }', '      +{ "id": {{ payload.key }} }',
    ]  # fmt: skip
    assert [secret.text for secret in named(store, "crm").secrets] == [NEW]
    assert named(store, "erp").state is EndpointState.PAUSED, "of which the file says nothing any more"


def test_what_a_file_says_no_longer_goes_only_when_told_so(store: Store) -> None:
    mine = endpoints.add_endpoint(store, make_spec(name="mine"), actor=WHO, now_ms=NOW_MS, random=Random(9))
    apply(store, FILE)
    less = FILE[: FILE.index('[[endpoints]]\nname = "erp"')]
    kept = apply(store, less)
    assert (kept.steps, [f"{s.thing} {s.name}" for s in kept.stays]) == (
        (),
        ["alert error-rate of crm", "endpoint erp"],
    )
    assert len(store.endpoints()) == 3
    pruned = apply(store, less, prune=True)
    assert [summary(step) for step in pruned.steps] == ["- alert error-rate of crm", "- endpoint erp"]
    assert [endpoint.name for endpoint in store.endpoints()] == ["crm", "mine"]
    assert apply(store, "", prune=True).words == "1 removed"
    assert [endpoint.id for endpoint in store.endpoints()] == [mine.id]


def test_a_dry_run_says_the_same_and_changes_nothing(store: Store) -> None:
    before = dumped(store)
    tried = applier().try_out(store, wanted(FILE), label="webhooks.toml", now_ms=NOW_MS)
    assert dumped(store) == before
    assert [summary(step) for step in tried.steps] == [summary(step) for step in apply(store, FILE).steps]


@pytest.mark.parametrize("failing", ["add_endpoint", "set_endpoint_state", "add_alert_rule", "set_applied"])
def test_a_failure_in_the_middle_leaves_nothing(store: Store, monkeypatch: pytest.MonkeyPatch, failing: str) -> None:
    before = dumped(store)

    def fail(*_arguments: object, **_named: object) -> None:
        raise OSError("no space")

    with monkeypatch.context() as broken:
        broken.setattr(type(store), failing, fail)
        with pytest.raises(OSError, match="no space"):
            apply(store, FILE)
    assert dumped(store) == before
    assert apply(store, FILE).words == "3 added, 1 changed"


def test_what_cannot_be_is_refused_with_its_place(store: Store) -> None:
    before = dumped(store)
    with pytest.raises(ConfigError, match=r"^webhooks.toml:24: alerts\[0\]: there is no endpoint cmr$"):
        apply(store, FILE.replace('endpoint = "crm"', 'endpoint = "cmr"'))
    with pytest.raises(ConfigError, match=r"endpoints\[0\].url: is kept, and there is no endpoint crm yet"):
        apply(store, FILE.replace('"https://example.com/crm"', '"kept"'))
    assert dumped(store) == before
    refuse(store, ConfigError("webhooks.toml:2: no"), label="webhooks.toml", actor="engine", now_ms=NOW_MS)
    (operation,) = store.operations(limit=9)
    assert (operation.kind, operation.result) == (OperationKind.CONFIG_APPLY, "refused: webhooks.toml:2: no")


def test_sealed_secrets_are_compared_when_the_key_is_at_hand(store: Store) -> None:
    keys = Keyring([b"k" * 32])
    apply(store, FILE, keys=keys)
    crm = named(store, "crm")
    assert all(is_sealed(secret.text) for secret in crm.secrets)
    assert is_sealed(crm.policy.authorization or "")
    assert apply(store, FILE, keys=keys).steps == ()
    with pytest.raises(SealedError, match=r"crm: signing secret: is sealed with key .* set WEBHOOK_CONSOLE_KEY"):
        apply(store, FILE)
    silent = FILE.replace('secret = "env:CRM_SECRET"\n', "").replace('bearer = "env:CRM_TOKEN"', 'bearer = "kept"')
    assert apply(store, silent).steps == (), "who says nothing of secrets needs no key"


def test_what_the_defaults_say_is_not_taken_over_as_ones_own(store: Store) -> None:
    keys = Keyring([b"k" * 32])
    text = '[defaults]\nbearer = "env:CRM_TOKEN"\ntimeout = 5\n[[endpoints]]\nname = "a"\nurl = "https://a.example/"\n'
    apply(store, text, keys=keys)
    apply(store, text + 'rate_limit = "5/s"\n', keys=keys)
    assert named(store, "a").own == {"rate_limit"}
    apply(store, text.replace("timeout = 5", "timeout = 6") + 'timeout = "5s"\n', keys=keys)
    assert named(store, "a").own == {"timeout_s"}
    assert named(store, "a").policy.timeout_s == 5


def test_rules_of_one_kind_are_told_apart(store: Store) -> None:
    text = "[[alerts]]\nerror_rate = 0.5\n[[alerts]]\nerror_rate = 0.2\n"
    apply(store, text)
    assert apply(store, text).steps == ()
    (step,) = apply(store, text.replace("0.2", "0.3")).steps
    assert summary(step).startswith("~ alert error-rate: when 20% or more")
    assert sorted(r.spec.threshold for r in store.alert_rules() if r.spec.kind is AlertKind.ERROR_RATE) == [0.3, 0.5]


INTAKE = """
[[sources]]
name = "stripe"
kind = "stripe"
secret = "env:STRIPE"
type_prefix = "stripe."

[[sources]]
name = "chat"
kind = "slack"
enabled = false

[[schemas]]
pattern = "invoice.*"
schema = '{"type": "object", "required": ["id"]}'
"""


def test_sources_and_schemas(store: Store) -> None:
    keys = Keyring([b"k" * 32])
    applied = apply(store, INTAKE, keys=keys, STRIPE="whsec_stripe")
    assert [summary(step) for step in applied.steps][:2] == [
        "+ source stripe: kind stripe, type_prefix stripe.", "+ source chat: kind slack, enabled no"
    ]  # fmt: skip
    assert [step.name for step in applied.made] == ["chat"], "with a secret that nobody knows"
    assert [(s.name, s.enabled, is_sealed(s.secrets[0].text)) for s in store.sources()] == [
        ("chat", False, True), ("stripe", True, True),
    ]  # fmt: skip
    assert apply(store, INTAKE, keys=keys, STRIPE="whsec_stripe").steps == ()
    again = INTAKE.replace('"required": ["id"]', '"required": ["id", "sum"]').replace("enabled = false", "")
    changed = apply(store, again, keys=keys, STRIPE="whsec_new")
    assert [summary(step) for step in changed.steps] == [
        "~ source stripe: secret changed", "~ source chat: enabled no → yes", "~ schema invoice.*: schema changed",
    ]  # fmt: skip
    assert diff_lines(changed.steps[2])[2:] == [
        '         "type": "object",',
        '         "required": [',
        '      -    "id"', '      +    "id",', '      +    "sum"', "         ]", "       }",
    ]  # fmt: skip
    assert [(s.pattern, s.version) for s in store.schemas()] == [("invoice.*", 2)]
    assert apply(store, "", prune=True).words == "3 removed"
    assert (store.sources(), store.schemas()) == ([], [])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (INTAKE.replace("env:STRIPE", "env:API"), "sources[0]: secret: this is an API key"),
        (INTAKE.replace("kind = \"slack\"", 'kind = "slack"\nsignature = { header = "X" }'), "sources[1]: signature"),
        (INTAKE.replace('"object"', '"objekt"'), "schemas[0]: "),
        (FILE.replace("payload.id", "payload."), "endpoints[0]: transform body, line 1, column"),
        (FILE.replace("rate_limit", "when = 'payload.a >'\nrate_limit"), "endpoints[0]: filter, line 1"),
    ],
)  # fmt: skip
def test_what_is_wrong_inside_is_refused_with_its_place(store: Store, text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=rf"^webhooks.toml:\d+: {re.escape(words)}"):
        apply(store, text, STRIPE="whsec_x", API="sk_live_x")
    assert (store.endpoints(), store.sources(), store.schemas()) == ([], [], [])


_POLICIES: dict[str, st.SearchStrategy[Any]] = {
    "timeout_s": st.sampled_from([0.25, 7.0, 90.0]), "rate_limit": st.sampled_from([RateLimit(count=3, period_s=60.0)]),
    "schedule_s": st.lists(st.sampled_from([0.0, 0.5, 61.0, 86400.0]), min_size=1, max_size=3).map(tuple),
    "headers": st.sampled_from([(("X-Team", "env:ops"),), (("X-Api-Key", "s3cret"), ("X-A", "kept")), ()]),
    "authorization": st.just("Bearer t"), "proxy": st.sampled_from(["http://u:p@127.0.0.1:3", "http://10.0.0.1:80"]),
    "permanent_statuses": st.just((400, 422)), "http2": st.just(False), "user_agent": st.just("mine/1.0"),
}  # fmt: skip
_TEXTS = st.text("aé☃ '\"\\\n\t\r$#[]", min_size=1, max_size=20)
_TRANSFORMS = st.none() | st.builds(
    Transform, body=st.none() | _TEXTS, path=st.none() | st.just("/v1"), headers=st.lists(
        st.tuples(st.sampled_from(["X-A", "X-B"]), _TEXTS), max_size=2, unique_by=lambda h: h[0]).map(tuple),
    content_type=st.sampled_from(["application/json", "text/plain"]))  # fmt: skip


_OPTIONS = st.builds(
    SourceOptions, tolerance_s=st.sampled_from([300.0, 7.25]), type_from=st.sampled_from([None, "header:X-T", "a.b"]),
    id_from=st.sampled_from([None, "body:id"]), type_prefix=st.sampled_from(["", "x."]),
    allow=st.sampled_from([(), ("192.0.2.0/24", "2001:db8::/32")]),
    rate_limit=st.sampled_from([None, RateLimit(count=7, period_s=60.0)]),
    answer=st.sampled_from([Answer(), Answer(status=200, body="o\r\n'\"k", delay_s=0.25)]),
)  # fmt: skip
_SOURCES = st.lists(
    st.builds(SourceSpec, name=st.just("s"), kind=st.just(SourceKind.OPEN), options=_OPTIONS)
    | st.builds(
        SourceSpec, name=st.just("s"), kind=st.just(SourceKind.HMAC), secrets=st.just((Secret(text="s3cret-of-it"),)),
        options=st.just(SourceOptions(signature=SignatureOptions(header="X-S", encoding="base64", prefix="v1="))),
    ), max_size=2,
)  # fmt: skip


@pytest.fixture(scope="module")
def blank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that was made once: each example begins with copies of it."""
    path = tmp_path_factory.mktemp("blank") / "store.db"
    open_store(path).close()
    return path


@settings(max_examples=20)
@given(st.data())
def test_an_export_makes_the_same_and_changes_nothing_here(
    tmp_path_factory: pytest.TempPathFactory, blank: Path, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("export")
    for name in ("a.db", "b.db"):
        shutil.copy(blank, folder / name)
    policies = st.fixed_dictionaries({}, optional=_POLICIES)
    with closing(open_store(folder / "a.db")) as here, closing(open_store(folder / "b.db")) as empty:
        defaults = data.draw(policies)
        endpoints.edit_defaults(here, DeliveryPolicy(**defaults), actor=WHO, now_ms=NOW_MS, changed="")
        for number in range(data.draw(st.integers(0, 3))):
            spec = make_spec(
                name=f"e{number}", url=f"https://e.example/{number}", policy={**defaults, **data.draw(policies)}
            )
            spec = replace(spec, filter=None, transform=data.draw(_TRANSFORMS), dry_run=data.draw(st.booleans()))
            endpoints.add_endpoint(here, spec, actor=WHO, now_ms=NOW_MS, random=Random(number))
        if here.endpoints():
            one = here.endpoints()[0]
            add_rule(
                here, AlertSpec(kind=AlertKind.BACKLOG_AGE, endpoint=one.id, threshold=7.5), actor=WHO, now_ms=NOW_MS
            )
        for number, source in enumerate(data.draw(_SOURCES)):
            add_source(here, replace(source, name=f"s{number}"), actor=WHO, now_ms=NOW_MS, random=Random(number))
        if data.draw(st.booleans()):
            add_schema(here, "a.*", b'{"enum": [1]}', SchemaMode.FLAG, actor=WHO, now_ms=NOW_MS)
        text = exported(read_present(here))
        assert "s3cret" not in text
        assert "u:p@" not in text
        assert apply(here, text).steps == ()
        apply(empty, text)
        assert _shape(empty) == _shape(here)
        assert exported(read_present(empty)).count("\n") <= text.count("\n"), "less only by what was kept"


def _shape(store: Store) -> object:
    """Without what is a secret: those of the one store are not in the other."""
    secret = {"authorization", "headers", "proxy"}

    def policy(of: DeliveryPolicy) -> dict[str, object]:
        return {part.field: getattr(of, part.field) for part in PARTS if part.field not in secret}

    return (
        policy(store.policy_defaults()),
        [
            (e.name, e.url, e.types, e.filter, e.transform, e.dry_run, e.state, policy(e.policy))
            for e in store.endpoints()
        ],
        [(r.spec.kind, r.spec.threshold, r.endpoint_name) for r in store.alert_rules()],
        [(s.name, s.kind, s.options, s.enabled) for s in store.sources()],
        [(s.pattern, s.mode, s.text) for s in store.schemas()],
    )
