"""Requests for the tests of the transports."""

from console.domain.outcome import DEFAULT_PROFILE, ConnectionProfile, Failure, Headers, Outcome, Request, Response


def make_request(
    url: str,
    *,
    headers: Headers = (("content-type", "application/json"), ("user-agent", "webhook-console/test")),
    body: bytes = b'{"test": 2432232314}',
    connect_timeout_s: float = 2.0,
    total_timeout_s: float = 5.0,
    method: str = "POST",
    profile: ConnectionProfile = DEFAULT_PROFILE,
) -> Request:
    return Request(
        url=url,
        headers=headers,
        body=body,
        connect_timeout_s=connect_timeout_s,
        total_timeout_s=total_timeout_s,
        method=method,
        profile=profile,
    )


def answered(outcome: Outcome) -> Response:
    assert isinstance(outcome, Response), outcome
    return outcome


def failed(outcome: Outcome) -> Failure:
    assert isinstance(outcome, Failure), outcome
    assert "\n" not in outcome.detail
    return outcome
