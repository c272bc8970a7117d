"""What may stand in a configuration file, and how what is wrong is said."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.domain.alerts import AlertKind, AlertSpec
from console.domain.configuration import Text, Wanted
from console.domain.errors import ConfigError
from console.domain.event_schema import SchemaMode
from console.domain.policy import RateLimit
from console.domain.signing import make_secret
from console.domain.source import Answer, SignatureOptions, SourceKind, SourceOptions
from console.operations.configuration_reading import read_configuration

SECRET = make_secret(b"s" * 32)


def read(text: str, folder: Path = Path("/"), **environ: str) -> Wanted:
    return read_configuration(text, name="w.toml", folder=folder, environ=environ)


ENDPOINT = '[[endpoints]]\nname = "crm"\nurl = "https://example.com/"\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = 1", "1: x: unknown; known are defaults, endpoints, sources, schemas, alerts"),
        ("[[endpoint]]", "1: endpoint: unknown; did you mean endpoints"),
        ("[endpoints]", "1: endpoints: is written as [[endpoints]], once for each"),
        ("a = \n", "1: Invalid value"),
        (ENDPOINT + ENDPOINT + 'rate_limt = "1/s"', "7: endpoints[1].rate_limt: unknown; did you mean rate_limit"),
        (ENDPOINT + "rate-limit = '1/s'", "4: endpoints[0].rate-limit: unknown; did you mean rate_limit"),
        ('[[endpoints]]\nname = "crm"', "1: endpoints[0].url: is missing"),
        (ENDPOINT + 'rate_limit = "fast"', "4: endpoints[0].rate_limit: rate 'fast': write it as 50/s"),
        (ENDPOINT + "timeout = 3600", "4: endpoints[0].timeout: timeout 3600s: 0.1s to 120s are allowed"),
        (ENDPOINT + 'dry_run = "yes"', "4: endpoints[0].dry_run: expected `bool`, got `str`"),
        (ENDPOINT + "[endpoints.transform]\nbdy = ''", "5: endpoints[0].transform.bdy: unknown; did you mean body"),
        (ENDPOINT + "transform = { bdy = '' }", "4: endpoints[0].transform.bdy: unknown; did you mean body"),
        (ENDPOINT + "body = '''\n[[endpoints]]\nname = 1\n'''", "4: endpoints[0].body: unknown"),
        (ENDPOINT + 'types = ["a..b"]', "4: endpoints[0].types: type pattern 'a..b'"),
        (ENDPOINT + "types = []", "4: endpoints[0].types: at least one pattern"),
        (ENDPOINT + 'secret = "env:NOWHERE"', "4: endpoints[0].secret: the environment variable NOWHERE is"),
        (ENDPOINT + 'secret = "file:none.txt"', "4: endpoints[0].secret: file 'none.txt': No such file"),
        (ENDPOINT + 'secret = "env:WEAK"', "4: endpoints[0].secret: secret: not base64"),
        (ENDPOINT + 'secret = "a"\nsecrets = ["b"]', "5: endpoints[0].secrets: either secret or secrets"),
        (ENDPOINT + 'basic = "env:WEAK"', "4: endpoints[0].basic: user:password is needed"),
        (ENDPOINT + 'basic = "a:b"\nbearer = "c"', "5: endpoints[0].bearer: basic and bearer: one of them"),
        (ENDPOINT + 'order_key = "a.b"', "1: endpoints[0]: order-key: needs --ordering fifo"),
        (ENDPOINT + "headers = { Host = 'x' }", "4: endpoints[0].headers.Host: header Host: is set by the engine"),
        (ENDPOINT + "[endpoints.headers]\n'A b' = 'x'", "5: endpoints[0].headers.A b: header name 'A b'"),
        (ENDPOINT + "client_certificate = 'no.pem'", "4: endpoints[0].client_certificate: file 'no.pem': is not"),
        (ENDPOINT + ENDPOINT, "5: endpoints[1].name: crm is there already"),
        ('[[endpoints]]\nname = "crm"\nurl = "env:WEAK"', "3: endpoints[0].url: env:WEAK is no URL that may"),
        ('[[sources]]\nname = "s"\nkind = "strip"', "3: sources[0].kind: one of stripe, "),
        ('[[sources]]\nname = "s"\nkind = "open"\n[sources.answer]\ncode = 2', "5: sources[0].answer.code: unknown"),
        ('[[sources]]\nname = "s"\nkind = "open"\nallow = ["x"]', "4: sources[0].allow: allowed address 'x'"),
        ('[[schemas]]\npattern = "a.*"', "1: schemas[0]: either file or schema is needed"),
        ('[[schemas]]\npattern = "a"\nschema = "{"', "3: schemas[0].schema: is not JSON"),
        ('[[schemas]]\npattern = "a"\nschema = { a = 2026-01-01 }', "3: schemas[0].schema: dates and times"),
        ('[[alerts]]\nfor = "1m"', "1: alerts[0]: one of error_rate, backlog_age, tripped, engine_stalled is"),
        ('[[alerts]]\ntripped = true\nover = "1m"', "1: alerts[0]: over and least belong to error_rate"),
        ('[[alerts]]\nbacklog_age = "1s"', "1: alerts[0]: backlog-age 1: 5 to"),
        ("x = " + "[" * 5000, "1: nested too deeply"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_place(text: str, words: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read(text, WEAK="we-ak")
    assert str(refused.value).startswith(f"w.toml:{words}")
    assert "\n" not in str(refused.value)


def test_values_are_texts_as_the_flags_have_them_or_those_of_toml(tmp_path: Path) -> None:
    (tmp_path / "token.txt").write_text("a-token\n")
    (tmp_path / "token.txt").chmod(0o640)
    wanted = read(
        ENDPOINT
        + 'secrets = ["env:S", "env:S"]\nbearer = "file:token.txt"\nrate_limit = "10/m"\njitter = 0.1\nhttp2 = false\n'
        'permanent = [400, 422]\nschedule = ["0", "5s", "1m"]\ntimeout = "default"\nwhen = "payload.a > 1"\n'
        "dry_run = true\n",
        tmp_path,
        S=SECRET,
    )
    (endpoint,) = wanted.endpoints
    assert endpoint.policy.parts == {
        "authorization": "Bearer a-token", "rate_limit": RateLimit(count=10, period_s=60.0), "jitter": 0.1,
        "http2": False, "permanent_statuses": (400, 422), "schedule_s": (0.0, 5.0, 60.0),
    }  # fmt: skip
    assert (endpoint.types, endpoint.secrets, endpoint.filter) == (("*",), (SECRET,), "payload.a > 1")
    assert (endpoint.dry_run, endpoint.paused, endpoint.url) == (True, None, Text(value="https://example.com/"))
    assert wanted.warnings == ()


def test_secrets_in_the_file_itself_are_warned_of_and_not_repeated() -> None:
    wanted = read(
        f'{ENDPOINT}secret = "{SECRET}"\nbearer = "t0ken"\nheaders = {{ X-Api-Key = "k3y", X-Team = "ops" }}\n'
        'proxy = "http://u:p4ss@h:1"\n'
    )
    assert [line.split(": ")[:2] for line in wanted.warnings] == [
        ["w.toml:4", "endpoints[0].secret"], ["w.toml:7", "endpoints[0].proxy"], ["w.toml:5", "endpoints[0].bearer"],
        ["w.toml:6", "endpoints[0].headers.X-Api-Key"],
    ]  # fmt: skip
    for secret in (SECRET, "t0ken", "k3y", "p4ss"):
        assert secret not in "".join(wanted.warnings) + repr(wanted)


def test_a_secret_in_a_file_that_everybody_may_read_is_warned_of(tmp_path: Path) -> None:
    (tmp_path / "token.txt").write_text("a-token\n")
    for mode, warned in ((0o644, True), (0o640, False)):
        (tmp_path / "token.txt").chmod(mode)
        warnings = read(f'{ENDPOINT}bearer = "file:token.txt"\n', tmp_path).warnings
        assert any("everybody on this machine may read file:token.txt" in line for line in warnings) is warned
        assert "a-token" not in "".join(warnings)


def test_sources_schemas_and_alerts(tmp_path: Path) -> None:
    (tmp_path / "invoice.json").write_text('{"type": "object"}\n')
    wanted = read(
        """
[[sources]]
name = "shop"
kind = "hmac"
secrets = ["env:NEW", "env:OLD"]
type_from = "header:X-Topic"
tolerance = "10m"
rate_limit = "100/s"
allow = ["192.0.2.0/24"]
signature = { header = "X-Signature", encoding = "base64" }
answer = { status = 200, body = "ok", delay = "250ms" }

[[schemas]]
pattern = "invoice.*"
mode = "flag"
file = "invoice.json"

[[schemas]]
pattern = "lead.new"
schema = { type = "object", required = ["email"] }

[[alerts]]
error_rate = 0.5
over = "10m"
endpoint = "crm"

[[alerts]]
engine_stalled = "2m"
""",
        tmp_path,
        NEW="new",
        OLD="old",
    )
    (source,) = wanted.sources
    assert (source.kind, source.secrets, source.enabled) == (SourceKind.HMAC, ("new", "old"), True)
    assert source.options == SourceOptions(
        type_from="header:X-Topic", tolerance_s=600.0, rate_limit=RateLimit(count=100), allow=("192.0.2.0/24",),
        signature=SignatureOptions(header="X-Signature", encoding="base64"),
        answer=Answer(status=200, body="ok", delay_s=0.25),
    )  # fmt: skip
    assert [(s.pattern, s.mode, s.text) for s in wanted.schemas] == [
        ("invoice.*", SchemaMode.FLAG, b'{"type": "object"}'),
        ("lead.new", SchemaMode.REJECT, b'{"type": "object", "required": ["email"]}'),
    ]
    assert [(alert.spec, alert.endpoint) for alert in wanted.alerts] == [
        (AlertSpec(kind=AlertKind.ERROR_RATE, threshold=0.5, window_s=600, least=20, for_s=30), "crm"),
        (AlertSpec(kind=AlertKind.ENGINE_STALLED, threshold=120, for_s=0), None),
    ]


_WORDS = st.sampled_from(
    ["[[endpoints]]", "[endpoints.transform]", "[defaults]", "[[sources]]", "[[schemas]]", "[[alerts]]", "name = 'a'",
     "url = 'https://a.b/'", "kind = 'open'", "types = 'a'", "timeout = 1", "pattern = 'a'", "schema = {}", "x = 1",
     "for = 1", "tripped = true", "headers = {a='b'}", "body = '''", "'''", "secret = 'kept'", "url = 1", "[a", "\x00"]
)  # fmt: skip


@settings(max_examples=200)
@given(st.lists(_WORDS | st.text(max_size=12), max_size=12).map("\n".join))
def test_whatever_a_file_holds_is_read_or_refused(text: str) -> None:
    with suppress(ConfigError):
        read(text)
