"""Who may do what: every route, without a token, with one for something else, and with one that is good for it."""

from pathlib import Path

from litestar.handlers import HTTPRouteHandler

from console.domain.clock import SystemClock
from console.domain.policy import RateLimit
from console.domain.token import ALL_SCOPES, Scope
from console.intake.app import ROUTES
from tests.intake.rig import make_token, serving, until

OPEN = {"/healthz", "/readyz"}


def routes() -> list[tuple[str, str, Scope | None]]:
    """(method, path, scope) of all that is routed: a new route is tested without being named here."""
    found: list[tuple[str, str, Scope | None]] = [("GET", "/v1/openapi.json", None)]
    for handler in ROUTES:
        assert isinstance(handler, HTTPRouteHandler)
        scope = handler.opt.get("scope")
        found += [(str(method), path, scope) for path in handler.paths for method in handler.http_methods]
    return found


def filled(path: str) -> str:
    for name, value in {
        "event_id": "evt_x",
        "delivery_id": "dlv_1",
        "attempt_id": "att_1",
        "operation_id": "op_1",
    }.items():
        path = path.replace(f"{{{name}:str}}", value)
    return path.replace("{ref:str}", "nobody")


def test_every_route_but_health_says_its_scope() -> None:
    assert {path for _, path, scope in routes() if scope is None} == {*OPEN, "/v1/openapi.json"}
    assert {scope for _, _, scope in routes() if scope} == set(ALL_SCOPES)


async def test_no_entry_without_a_token_that_is_good_for_it(store_path: Path) -> None:
    async with serving(store_path) as served:
        tokens: dict[str | None, str | None] = {
            scope: make_token(served.store, scope, name=scope.replace(":", "-"))[1] for scope in ALL_SCOPES
        }
        async with served.client(None) as client:
            for method, path, scope in routes():
                statuses = {}
                for holder in (None, "wrong", *ALL_SCOPES):
                    headers = {"content-type": "application/json"}
                    if holder is not None:
                        headers["authorization"] = f"Bearer {tokens.get(holder, 'whc_aaaaaaaaaaaa_' + 'a' * 32)}"
                    body = b"{}" if method in ("POST", "PATCH") else None
                    answer = await client.request(method, filled(path), headers=headers, content=body)
                    statuses[holder] = answer.status_code
                    if answer.status_code >= 400 and path not in OPEN:
                        problem = answer.json()
                        assert answer.headers["content-type"] == "application/problem+json"
                        assert (problem["status"], problem["type"]) == (answer.status_code, "about:blank")
                if path in OPEN:
                    assert not {401, 403} & set(statuses.values()), path
                    continue
                assert (statuses[None], statuses["wrong"]) == (401, 401), (method, path)
                for holder in ALL_SCOPES:
                    allowed = scope is None or holder == scope
                    assert (statuses[holder] in (401, 403)) is not allowed, (method, path, holder, statuses)
                    assert statuses[holder] < 500, (method, path)


async def test_what_is_no_token_is_refused(store_path: Path) -> None:
    given = (
        "",
        "Bearer",
        "Basic whc_a_b",
        "Bearer whc_",
        "Bearer whc_a",
        "bearer x",
        "Bearer é",
        "Bearer " + "x" * 5000,
    )
    async with serving(store_path) as served, served.client(None) as client:
        for text in given:
            answer = await client.get("/v1/events", headers={b"authorization": text.encode("latin-1")})
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_a_token_ends_when_it_is_revoked_and_when_its_time_is_over(store_path: Path) -> None:
    async with serving(store_path) as served:
        revoked = make_token(served.store, name="revoked")
        over = make_token(served.store, name="over", until_ms=5, now_ms=1)
        async with served.client(over[1]) as client:
            assert (await client.get("/v1/events")).status_code == 401
        async with served.client(revoked[1]) as client:
            assert (await client.get("/v1/events")).status_code == 200
            served.store.revoke_token(revoked[0].id, SystemClock().now_ms())
            while (await client.get("/v1/events")).status_code == 200:
                pass
            assert (await client.get("/v1/events")).status_code == 401


async def test_a_token_has_a_rate(store_path: Path) -> None:
    async with serving(store_path) as served:
        _, slow = make_token(served.store, name="slow", rate_limit=RateLimit(count=1, period_s=3600.0))
        async with served.client(slow) as client, served.client() as other:
            assert (await client.post("/v1/events", json={"type": "a.b", "data": 1})).status_code == 202
            limited = await client.post("/v1/events", json={"type": "a.b", "data": 1})
            assert limited.status_code == 429
            assert 3500 < int(limited.headers["retry-after"]) <= 3600
            assert (await other.get("/v1/events")).status_code == 200


async def test_uses_and_acts_of_a_token_are_written_down(store_path: Path) -> None:
    async with serving(store_path) as served:
        token, text = make_token(served.store, name="steering")
        async with served.client(text) as client:
            added = await client.post("/v1/endpoints", json={"url": "http://127.0.0.1:9/", "name": "crm"})
            assert added.status_code == 201
        operation = served.store.operations(limit=1)[0]
        assert (operation.actor, operation.target) == ("token:steering", "crm")
        await until(lambda: served.store.find_token(token.id).last_used_at_ms)
