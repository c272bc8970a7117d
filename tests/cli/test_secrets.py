"""`secrets`, and the secrets of one endpoint on the command line."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from console.cli.invocation import Invocation
from console.cli.main import run
from console.config import KEY_FILE_VARIABLE, KEY_VARIABLE, keyring
from console.domain.errors import ConfigError
from console.domain.operation import OperationKind
from console.domain.sealing import NO_KEYS, Keyring, encode_key, is_sealed
from console.domain.secret_parts import opened_endpoint
from console.domain.signing import Secret, make_key, make_secret, public_key_of
from console.store import Store
from tests.cli.support import SECRET, CommandLine, Result, make_endpoint, now

URL = "https://example.com/hooks"
HOUR_MS = 3_600_000
KEY, OTHER = bytes(range(32)), bytes(range(1, 33))


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.touch(0o600)
    path.write_text(encode_key(KEY) + "\n")
    return path


def answering(console: CommandLine, environ: dict[str, str], *arguments: str) -> Result:
    """A command line with more in its environment."""
    console._captured()
    invocation = Invocation(environ={"WEBHOOK_CONSOLE_STORE": str(console.store_path), "TERM": "xterm", **environ})
    code = run(arguments, invocation)
    out, err = console._captured()
    return Result(code=code, out=out, err=err)


def test_rotating_shows_the_new_secret_once_and_lets_the_old_sign(console: CommandLine, store: Store) -> None:
    make_endpoint(store)
    before = now()
    rotated = console("endpoints", "rotate-secret", "billing", "--json").record
    new, old = store.find_endpoint("billing").secrets
    assert (rotated["new_secret"], rotated["public_key"]) == (new.text, None)
    assert (new.until_ms, old.text) == (None, SECRET)
    assert old.until_ms is not None
    assert before + 24 * HOUR_MS <= old.until_ms <= now() + 24 * HOUR_MS
    human = console("endpoints", "rotate-secret", "billing", "--overlap", "2h")
    newest, *others = store.find_endpoint("billing").secrets
    assert human.out.count(newest.text) == 1
    assert "2 old ones sign too, until" in human.out
    assert all(s.until_ms is not None and s.until_ms <= now() + 2 * HOUR_MS for s in others)
    assert console("endpoints", "rotate-secret", "billing", "--overlap", "0").code == 0
    (last,) = store.find_endpoint("billing").secrets
    assert last.until_ms is None
    shown = "".join(console("endpoints", *words).out for words in (["show", "billing"], ["show", "billing", "--json"]))
    for secret in (new, newest, last):
        assert secret.text not in shown + str(store.operations(limit=100))


def test_a_given_secret_is_taken_and_not_shown(console: CommandLine, store: Store, tmp_path: Path) -> None:
    make_endpoint(store)
    given = make_secret(b"the one that was agreed on, 32 b")
    (tmp_path / "secret").write_text(given + "\n")
    rotated = console("endpoints", "rotate-secret", "billing", "--secret", f"@{tmp_path / 'secret'}")
    assert rotated.code == 0
    assert given not in rotated.out + rotated.err
    assert store.find_endpoint("billing").secrets[0] == Secret(text=given)


def test_an_ed25519_key_shows_its_public_key_and_goes_on_showing_it(
    console: CommandLine, store: Store, key_file: Path
) -> None:
    make_endpoint(store)
    made = console("endpoints", "rotate-secret", "billing", "--ed25519", "--json").record
    (key, _) = store.find_endpoint("billing").secrets
    assert (made["new_secret"], made["public_key"]) == (None, public_key_of(key.text))
    assert console("secrets", "seal", "--key-file", str(key_file)).code == 0
    assert is_sealed(store.find_endpoint("billing").secrets[0].text)
    human, record = (
        console("endpoints", "show", "billing").out,
        console("endpoints", "show", "billing", "--json").record,
    )
    assert made["public_key"] in human
    assert "whsk_… sealed" in human
    assert [(s["secret"], s["sealed"], s["public_key"]) for s in record["secrets"]] == [
        ("whsk_… sealed", True, made["public_key"]),
        ("whsec_… sealed", True, None),
    ]
    assert record["secrets"][1]["until"]


def test_a_key_that_was_given_shows_its_public_key(console: CommandLine, store: Store) -> None:
    key = make_key(bytes(32))
    assert console("endpoints", "add", URL, "--name", "billing", "--secret", key).code == 0
    shown = console("endpoints", "show", "billing")
    assert public_key_of(key) in shown.out
    assert key not in shown.out


@pytest.mark.parametrize(
    "arguments",
    [["--overlap", "soon"], ["--overlap", "366d"], ["--secret", "whsec_x"], ["--ed25519", "--secret", SECRET]],
)
def test_rotate_refuses_wrong_values(console: CommandLine, store: Store, arguments: list[str]) -> None:
    before = make_endpoint(store)
    refused = console("endpoints", "rotate-secret", "billing", *arguments)
    assert (refused.code, refused.err.count("\n")) == (2, 1)
    assert store.find_endpoint("billing") == before


def test_reveal_asks_prints_and_is_in_the_audit_log(
    console: CommandLine, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_endpoint(store)
    console("endpoints", "rotate-secret", "billing", "--ed25519")
    new, old = store.find_endpoint("billing").secrets
    refused = console("endpoints", "reveal-secret", "billing")
    assert (refused.code, refused.out) == (2, "")
    assert "--yes" in refused.err
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.confirm", lambda *_words, **_options: False)
    declined = console("endpoints", "reveal-secret", "billing")
    assert (declined.code, declined.out) == (1, "")
    assert store.operations(limit=1)[0].kind is OperationKind.SECRET_ROTATE
    shown = console("endpoints", "reveal-secret", "billing", "--yes", "--reason", "lost it")
    assert shown.code == 0
    first, second = shown.out.splitlines()
    assert first == new.text
    assert second.startswith(f"{old.text}  until ")
    (row,) = store.operations(limit=1)
    assert (row.kind, row.target, row.reason) == (OperationKind.SECRET_REVEAL, "billing", "lost it")
    record = console("endpoints", "reveal-secret", "billing", "--yes", "--json").record
    assert [(s["secret"], s["public_key"]) for s in record["secrets"]] == [
        (new.text, public_key_of(new.text)), (SECRET, None)
    ]  # fmt: skip


def test_with_a_key_what_is_added_is_sealed(console: CommandLine, store: Store, key_file: Path) -> None:
    environ = {KEY_FILE_VARIABLE: str(key_file)}
    added = answering(
        console, environ, "endpoints", "add", URL, "--name", "billing", "--bearer", "t0ken", "--header", "X-Key=k3y",
        "--json",
    )  # fmt: skip
    endpoint = store.find_endpoint("billing")
    assert is_sealed(endpoint.secrets[0].text)
    assert opened_endpoint(endpoint, Keyring([KEY])).secrets[0].text == added.record["new_secret"]
    answering(console, environ, "defaults", "edit", "--basic", "ada:pass")
    assert is_sealed(store.policy_defaults().authorization or "")
    answering(console, environ, "endpoints", "edit", "billing", "--header", "Cookie=c00kie")
    opened = opened_endpoint(store.find_endpoint("billing"), Keyring([KEY]))
    assert opened.policy.headers == (("X-Key", "k3y"), ("Cookie", "c00kie"))
    assert opened.policy.authorization == "Bearer t0ken"
    assert console("secrets", "status", "--json").record == {
        "plain": 0, "sealed": {Keyring([KEY]).key_ids[0]: 5}, "keys": []
    }  # fmt: skip
    assert console("endpoints", "edit", "billing", "--timeout", "3s").code == 0, "no key is needed for other parts"
    assert opened_endpoint(store.find_endpoint("billing"), Keyring([KEY])).policy.authorization == "Bearer t0ken"


def test_reveal_of_what_is_sealed_needs_the_key(console: CommandLine, store: Store, key_file: Path) -> None:
    make_endpoint(store)
    console("secrets", "seal", "--key-file", str(key_file))
    refused = console("endpoints", "reveal-secret", "billing", "--yes")
    assert (refused.code, refused.out, refused.err.count("\n")) == (1, "", 1)
    assert "WEBHOOK_CONSOLE_KEY" in refused.err
    assert console("endpoints", "reveal-secret", "billing", "--yes", "--key-file", str(key_file)).out == f"{SECRET}\n"


def test_sealing_and_unsealing(
    console: CommandLine, store: Store, key_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_endpoint(store)
    key = ("--key-file", str(key_file))
    name = Keyring([KEY]).key_ids[0]
    refused = console("secrets", "seal")
    assert (refused.code, refused.err.count("\n")) == (1, 1)
    sealed = console("secrets", "seal", *key, "--json").record
    assert sealed == {"changed": 1, "key": name, "log_emptied": True}
    assert console("secrets", "seal", *key).out == f"0 secrets sealed with key {name}\n"
    assert console("secrets", "status").out == f"plain: 0 secrets\nkey {name}, NOT at hand: 1 secret\n"
    assert console("secrets", "status", *key).out == f"plain: 0 secrets\nkey {name}, at hand: 1 secret\n"
    assert console("secrets", "unseal", *key).code == 2, "nobody to ask"
    assert console("secrets", "unseal", "--yes").code == 1
    assert console("secrets", "unseal", "--yes", *key).out == "1 secret unsealed\n"
    assert store.find_endpoint("billing").secrets == (Secret(text=SECRET),)
    kinds = [row.kind for row in store.operations(limit=3)]
    assert kinds == [OperationKind.SECRETS_UNSEAL, OperationKind.SECRETS_SEAL, OperationKind.SECRETS_SEAL]


def test_a_log_that_another_process_reads_is_told(console: CommandLine, store: Store, key_file: Path) -> None:
    make_endpoint(store)
    held: Any = store
    held._connection.raw.execute("BEGIN")
    held._connection.raw.execute("SELECT * FROM endpoints").fetchall()
    try:
        sealed = console("secrets", "seal", "--key-file", str(key_file), "--json")
    finally:
        held._connection.raw.execute("ROLLBACK")
    assert (sealed.code, sealed.record["log_emptied"]) == (0, False)
    assert "stop the engine" in sealed.err


def test_a_generated_key_is_one(console: CommandLine) -> None:
    made = {console("secrets", "generate-key").out, console("secrets", "generate-key", "--json").record["key"]}
    assert all(len(Keyring.parse(key, "here").key_ids) == 1 for key in made)
    assert len(made) == 2


def test_where_keys_come_from(key_file: Path, tmp_path: Path) -> None:
    ours, both = Keyring([KEY]).key_ids, Keyring([OTHER, KEY]).key_ids
    assert keyring(None, {}) is NO_KEYS
    assert keyring(None, {KEY_VARIABLE: encode_key(KEY)}).key_ids == ours
    assert keyring(None, {KEY_FILE_VARIABLE: str(key_file)}).key_ids == ours
    assert keyring(key_file, {KEY_VARIABLE: encode_key(OTHER)}).key_ids == ours, "the flag wins"
    key_file.write_text(f"{encode_key(OTHER)}\n{encode_key(KEY)}\n")
    assert keyring(key_file, {}).key_ids == both
    with pytest.raises(ConfigError, match="unset one"):
        keyring(None, {KEY_VARIABLE: encode_key(KEY), KEY_FILE_VARIABLE: str(key_file)})


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_key_file_that_others_may_read_is_refused(console: CommandLine, key_file: Path, mode: int) -> None:
    key_file.chmod(mode)
    refused = console("endpoints", "add", URL, "--key-file", str(key_file))
    assert (refused.code, refused.err.count("\n")) == (1, 1)
    assert f"chmod 600 {key_file}" in refused.err
    assert not console.store_path.exists()


@pytest.mark.parametrize("what", ["missing", "folder", "empty", "wrong", "fifo"])
def test_a_key_file_that_is_none_is_refused(console: CommandLine, tmp_path: Path, what: str) -> None:
    path = tmp_path / what
    if what == "folder":
        path.mkdir(0o700)
    elif what == "fifo":
        os.mkfifo(path, 0o600)
    elif what != "missing":
        path.touch(0o600)
        path.write_text("geheim" if what == "wrong" else "")
    refused = console("endpoints", "add", URL, "--key-file", str(path))
    assert (refused.code, refused.err.count("\n")) == (1, 1)
    assert str(path) in refused.err
    assert "geheim" not in refused.err


def test_a_wrong_key_in_the_environment_is_refused_and_not_shown(console: CommandLine) -> None:
    refused = answering(console, {KEY_VARIABLE: "geheimgeheim"}, "endpoints", "add", URL)
    assert (refused.code, refused.err.count("\n")) == (1, 1)
    assert KEY_VARIABLE in refused.err
    assert "geheim" not in refused.err


def test_json_of_the_status_is_a_map_by_key(console: CommandLine, store: Store) -> None:
    make_endpoint(store)
    assert json.loads(console("secrets", "status", "--json").out) == {"plain": 1, "sealed": {}, "keys": []}
