"""Copy as curl: what a shell makes of it is what was sent, and nothing secret leaves."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from console.domain.redaction import REDACTED, redact_url
from console.ui.curl import as_curl, is_secret_header
from console.ui.format import inline

_STUB = """#!{python}
import json, sys
arguments = [a.encode("utf-8", "surrogateescape").hex() for a in sys.argv[1:]]
body = sys.stdin.buffer.read().hex() if sys.argv[-1] == "@-" else None
print(json.dumps([arguments, body]))
"""


@pytest.fixture(scope="module")
def stub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bin")
    curl = folder / "curl"
    curl.write_text(_STUB.format(python=f"{sys.executable} -IS"))
    curl.chmod(0o755)
    return folder


def run(command: str, stub: Path) -> tuple[list[bytes], bytes]:
    """The arguments and the body that curl would see."""
    environ = {"PATH": f"{stub}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(["sh"], input=command.encode(), env=environ, capture_output=True, check=True, timeout=30)
    words, body = json.loads(done.stdout)
    arguments = [bytes.fromhex(word) for word in words]
    if body is not None:
        return arguments, bytes.fromhex(body)
    assert not arguments[-1].startswith(b"@"), "curl would send the contents of a file"
    return arguments, arguments[-1]


_texts = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n"), max_size=30)
_headers = st.lists(st.tuples(st.sampled_from(["X-Trace", "webhook-id", "User-Agent", "X_1"]), _texts), max_size=4)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    headers=_headers,
    path=_texts,
    body=st.binary(max_size=60) | st.text(max_size=60).map(lambda t: t.encode("utf-8", "replace")),
)
def test_a_shell_gives_back_the_very_values(stub: Path, headers: list[tuple[str, str]], path: str, body: bytes) -> None:
    url = f"https://hooks.example/{path.replace('?', '').replace('#', '')}"
    command = as_curl(tuple(headers), url, body)
    assert inline(command) == command
    arguments, sent = run(command, stub)
    assert sent == body
    assert arguments[arguments.index(b"--url") + 1] == url.encode()
    fields = [arguments[i + 1].decode() for i, word in enumerate(arguments[:-2]) if word == b"-H"]
    assert fields == [f"{n}: {v}" if v.strip() else f"{n};" for n, v in headers] + ["Content-Type:"]


@pytest.mark.parametrize(
    "body",
    [
        b"@/etc/passwd",
        b"-n",
        b"-%s\\n%%",
        b"\x00\x1b]52;c;aGk=\x07",
        b"'; touch owned; '",
        b'{"a":\n\t1}',
        b"\xff\xfe",
        "\u202egnp.exe".encode(),
        b"",
        b"x" * 300_000,
    ],
    ids=lambda b: repr(b[:12]),
)
def test_awkward_bodies_arrive_byte_for_byte(body: bytes, stub: Path) -> None:
    command = as_curl((("Content-Type", "application/json"),), "https://hooks.example/in", body)
    assert inline(command) == command
    _, sent = run(command, stub)
    assert sent == body


def test_secrets_are_redacted_and_never_restored() -> None:
    headers = (
        ("Authorization", "Bearer hunter2"),
        ("Cookie", "sid=hunter2"),
        ("X-Api-Key", "hunter2"),
        ("X-Access-TOKEN", "hunter2"),
        ("client-secret", "hunter2"),
        ("Proxy-Authorization", "[redacted]"),
        ("webhook-signature", "v1,abc="),
    )
    command = as_curl(headers, "https://hooks.example/in?a=1&token=hunter2&b=", b"{}")
    assert "hunter2" not in command
    assert "Proxy-Authorization: [redacted]" in command
    assert "webhook-signature: v1,abc=" in command
    assert f"?a=1&token={REDACTED}&b=" in command


def test_which_names_are_secret() -> None:
    assert is_secret_header("X-Hub-Token")
    assert not is_secret_header("webhook-signature")
    assert not is_secret_header("webhook-id")


def test_a_url_without_secrets_is_untouched() -> None:
    url = "https://hooks.example/in?type=a&type=b#"
    assert redact_url(url) == url
    assert redact_url("https://[broken/?token=x") == "https://[broken/?token=x"


def test_line_breaks_cannot_smuggle_a_header() -> None:
    command = as_curl((("X-A", "1\r\nX-B: 2"), ("bad name", "x")), "https://hooks.example/", b"{}")
    assert "X-A: 1␍␊X-B: 2" in command
    assert "bad name" not in command
