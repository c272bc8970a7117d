"""How every adapter proves who it is to a receiver that asks for a certificate."""

import os
import ssl
from dataclasses import dataclass
from pathlib import Path

import pytest

from console.domain.outcome import Cause, ConnectionProfile, Outcome, Request
from console.engine.transport import profiles
from tests.certificates import Authority, encrypted
from tests.engine.transport.conftest import MakeReceiver, MakeTransport
from tests.engine.transport.requests import answered, failed, make_request
from tests.receivers import ScriptedReceiver

_MARK = b"-----BEGIN CERTIFICATE"


@dataclass(frozen=True, slots=True)
class Files:
    """Where a test keeps a client's certificate and its key."""

    both: Path
    certificate: Path
    key: Path

    def write(self, pem: bytes) -> None:
        cut = pem.index(_MARK)
        self.both.write_bytes(pem)
        self.key.write_bytes(pem[:cut])
        self.certificate.write_bytes(pem[cut:])


@pytest.fixture
def files(tmp_path: Path, authority: Authority) -> Files:
    files = Files(tmp_path / "both.pem", tmp_path / "certificate.pem", tmp_path / "key.pem")
    files.write(authority.client_pem("operator"))
    return files


@pytest.fixture
async def there(receiver: MakeReceiver, authority: Authority) -> ScriptedReceiver:
    return await receiver(tls=authority.server_context("127.0.0.1", asks_for_a_certificate=True))


def _request_with(there: ScriptedReceiver, certificate: Path | None, key: Path | None = None) -> Request:
    profile = ConnectionProfile(
        client_certificate=None if certificate is None else str(certificate),
        client_key=None if key is None else str(key),
    )
    return make_request(there.url, profile=profile)


async def test_a_certificate_and_its_key_in_one_file(
    transport: MakeTransport, there: ScriptedReceiver, authority: Authority, files: Files
) -> None:
    sender = transport(extra_ca_file=authority.ca_file)
    for _ in range(2):
        assert answered(await sender.send(_request_with(there, files.both))).status == 200
    assert there.client_names == ["operator"]


async def test_a_certificate_and_its_key_in_two_files(
    transport: MakeTransport, there: ScriptedReceiver, authority: Authority, files: Files
) -> None:
    sender = transport(extra_ca_file=authority.ca_file)
    assert answered(await sender.send(_request_with(there, files.certificate, files.key))).status == 200
    assert there.client_names == ["operator"]


@pytest.fixture(params=[ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def strict(
    request: pytest.FixtureRequest, receiver: MakeReceiver, authority: Authority
) -> tuple[ScriptedReceiver, frozenset[Cause]]:
    """A receiver that asks for a certificate, and what may come of one that it does not take.

    TLS 1.3 refuses after the handshake, when the request is on its way: the reset that follows may overtake the alert.
    """
    tls = authority.server_context("127.0.0.1", asks_for_a_certificate=True)
    tls.minimum_version = tls.maximum_version = request.param
    causes = {Cause.TLS} if request.param is ssl.TLSVersion.TLSv1_2 else {Cause.TLS, Cause.RESET}
    return await receiver(tls=tls), frozenset(causes)


async def test_without_a_certificate_the_receiver_refuses(
    transport: MakeTransport, strict: tuple[ScriptedReceiver, frozenset[Cause]], authority: Authority
) -> None:
    there, causes = strict
    failure = failed(await transport(extra_ca_file=authority.ca_file).send(make_request(there.url)))
    assert failure.cause in causes
    assert there.requests == []


async def test_a_certificate_of_another_authority_is_refused(
    transport: MakeTransport,
    strict: tuple[ScriptedReceiver, frozenset[Cause]],
    authority: Authority,
    files: Files,
    tmp_path: Path,
) -> None:
    there, causes = strict
    files.write(Authority.create(tmp_path).client_pem("stranger"))
    failure = failed(await transport(extra_ca_file=authority.ca_file).send(_request_with(there, files.both)))
    assert failure.cause in causes
    assert there.requests == []


async def test_a_certificate_is_shown_to_its_own_endpoint_only(
    transport: MakeTransport, receiver: MakeReceiver, authority: Authority, files: Files
) -> None:
    tls = authority.server_context("127.0.0.1", asks_for_a_certificate=True)
    tls.verify_mode = ssl.CERT_OPTIONAL
    there = await receiver(tls=tls)
    sender = transport(extra_ca_file=authority.ca_file)
    answered(await sender.send(_request_with(there, files.both)))
    answered(await sender.send(make_request(there.url)))
    assert there.client_names == ["operator"]
    assert [request.connection for request in there.requests] == [1, 2]


async def test_a_changed_certificate_is_picked_up(
    transport: MakeTransport,
    there: ScriptedReceiver,
    authority: Authority,
    files: Files,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(profiles, "RECHECK_S", 0)
    sender = transport(extra_ca_file=authority.ca_file)
    request = _request_with(there, files.certificate, files.key)
    answered(await sender.send(request))
    files.write(authority.client_pem("successor"))
    answered(await sender.send(request))
    files.key.write_text("damaged")
    assert failed(await sender.send(request)).cause is Cause.TLS
    files.write(authority.client_pem("third"))
    answered(await sender.send(request))
    assert there.client_names == ["operator", "successor", "third"]


async def test_files_are_not_looked_at_for_each_request(
    transport: MakeTransport,
    there: ScriptedReceiver,
    authority: Authority,
    files: Files,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(profiles, "RECHECK_S", 60)
    sender = transport(extra_ca_file=authority.ca_file)
    answered(await sender.send(_request_with(there, files.both)))
    files.both.unlink()
    answered(await sender.send(_request_with(there, files.both)))


class TestWhatCannotBeUsed:
    """A failure with one line that names the file, and no connection made."""

    async def _send(self, transport: MakeTransport, there: ScriptedReceiver, *names: Path | None) -> Outcome:
        outcome = await transport().send(_request_with(there, *names))
        assert failed(outcome).cause is Cause.TLS
        assert there.connections_opened == 0
        return outcome

    async def test_a_file_that_is_not_there(
        self, transport: MakeTransport, there: ScriptedReceiver, tmp_path: Path
    ) -> None:
        outcome = await self._send(transport, there, tmp_path / "gone.pem")
        assert "gone.pem cannot be read: No such file" in failed(outcome).detail

    async def test_a_key_that_is_not_there(
        self, transport: MakeTransport, there: ScriptedReceiver, files: Files, tmp_path: Path
    ) -> None:
        outcome = await self._send(transport, there, files.certificate, tmp_path / "gone.pem")
        assert "client key" in failed(outcome).detail
        assert "gone.pem cannot be read: No such file" in failed(outcome).detail

    async def test_a_folder(self, transport: MakeTransport, there: ScriptedReceiver, tmp_path: Path) -> None:
        outcome = await self._send(transport, there, tmp_path)
        assert f"{tmp_path} cannot be read: Is a directory" in failed(outcome).detail

    async def test_no_certificate(self, transport: MakeTransport, there: ScriptedReceiver, files: Files) -> None:
        outcome = await self._send(transport, there, files.key, files.key)
        assert "key.pem holds no PEM certificate" in failed(outcome).detail

    async def test_no_key(self, transport: MakeTransport, there: ScriptedReceiver, files: Files) -> None:
        outcome = await self._send(transport, there, files.certificate)
        assert "certificate.pem holds no PEM private key" in failed(outcome).detail

    async def test_a_key_alone(self, transport: MakeTransport, there: ScriptedReceiver, files: Files) -> None:
        outcome = await self._send(transport, there, None, files.key)
        assert "key.pem has no client certificate" in failed(outcome).detail

    async def test_the_key_of_another(
        self, transport: MakeTransport, there: ScriptedReceiver, files: Files, authority: Authority
    ) -> None:
        files.key.write_bytes(authority.client_pem("other"))
        outcome = await self._send(transport, there, files.certificate, files.key)
        assert "key.pem does not belong to the certificate" in failed(outcome).detail

    async def test_a_key_with_a_password(
        self, transport: MakeTransport, there: ScriptedReceiver, files: Files, authority: Authority
    ) -> None:
        files.both.write_bytes(encrypted(authority.client_pem("operator"), b"secret"))
        outcome = await self._send(transport, there, files.both)
        assert "both.pem is encrypted" in failed(outcome).detail

    async def test_a_damaged_certificate(self, transport: MakeTransport, there: ScriptedReceiver, files: Files) -> None:
        pem = files.both.read_bytes()
        files.both.write_bytes(pem[: pem.index(_MARK)] + _MARK + b"-----\nAAAA\n-----END CERTIFICATE-----\n")
        outcome = await self._send(transport, there, files.both)
        assert str(files.both) in failed(outcome).detail

    async def test_a_path_that_is_none(self, transport: MakeTransport, there: ScriptedReceiver) -> None:
        outcome = await self._send(transport, there, Path(os.fsdecode(b"a\0b")))
        assert "not a path" in failed(outcome).detail
