"""Who may do what over HTTP: tokens, their scopes and their rates. No token, no entry, also on loopback."""

import asyncio
from collections.abc import Callable

from structlog.typing import FilteringBoundLogger

from console.domain.clock import Clock
from console.domain.errors import StoreError
from console.domain.pacing import Limiter
from console.domain.token import Scope, Token, TokenId, id_in, matches
from console.intake.doors import burst_of
from console.intake.problems import Problem
from console.intake.rationing import limiter_of
from console.intake.seam import Writes
from console.store.protocol import Store

LOOK_S = 0.05
"""A token that was revoked opens nothing after so long at most."""

NOTE_S = 60.0
"""How often it is written down when tokens were used."""

_CHALLENGE = ((b"www-authenticate", b'Bearer realm="webhook-console"'),)


class Gate:
    """Tokens as the store has them, remembered until one changes.

    Args:
        reader: a read-only store of the loop's own thread; asked for microseconds.
    """

    def __init__(self, reader: Store, clock: Clock) -> None:
        self._reader, self._clock = reader, clock
        self._tokens: dict[TokenId, Token] = {}
        self._limiters: dict[TokenId, tuple[float, Limiter]] = {}
        self._version: int | None = None
        self._look_at_s = 0.0
        self._used: dict[TokenId, int] = {}
        self._was_used = asyncio.Event()

    def enter(self, authorization: str | None, scope: Scope | None) -> Token:
        """The token of a request that may do this.

        Args:
            authorization: the header's value.
            scope: what the token must be good for; None: any token will do.

        Raises:
            Problem: 401 without a token that opens anything, 403 when it is not good for this, 429 above its rate.
            StoreError: the tokens cannot be read.
        """
        token = self._token(authorization)
        if scope is not None and scope not in token.scopes:
            raise Problem(403, f"token {token.name}: has not the scope {scope}")
        self._limit(token)
        if token.id not in self._used:
            self._was_used.set()
        self._used[token.id] = self._clock.now_ms()
        return token

    def _token(self, authorization: str | None) -> Token:
        scheme, _, text = (authorization or "").partition(" ")
        text = text.strip()
        if scheme.lower() != "bearer" or not text:
            said = "a token is needed: Authorization: Bearer whc_… (made with 'webhook-console tokens add')"
            raise Problem(401, said, headers=_CHALLENGE)
        self._refresh()
        token_id = id_in(text)
        token = None if token_id is None else self._tokens.get(token_id)
        if token is None or not matches(token, text) or not token.active(self._clock.now_ms()):
            raise Problem(401, "this token opens nothing: it is unknown, revoked or has ended", headers=_CHALLENGE)
        return token

    def _refresh(self) -> None:
        now_s = self._clock.monotonic_s()
        if self._version is not None and now_s < self._look_at_s:
            return
        version = self._reader.intake_version()
        self._look_at_s = now_s + LOOK_S
        if version != self._version:
            self._tokens = {token.id: token for token in self._reader.tokens()}
            self._limiters = {one: limit for one, limit in self._limiters.items() if one in self._tokens}
            self._version = version

    def _limit(self, token: Token) -> None:
        if token.rate_limit is None:
            return
        now_s, per_s = self._clock.monotonic_s(), token.rate_limit.per_s
        kept = self._limiters.get(token.id)
        if kept is None or kept[0] != per_s:
            made = limiter_of(per_s, burst=burst_of(token.rate_limit), now_s=now_s)
            kept = self._limiters[token.id] = (per_s, made)
        limiter = kept[1]
        if not limiter.available(now_s):
            said = f"token {token.name}: more than {token.rate_limit} requests"
            raise Problem(429, said, retry_after_s=limiter.next_s() - now_s)
        limiter.take(1, now_s)

    async def note_uses(self, writer: Writes, log: FilteringBoundLogger) -> None:
        """Write down now and then when tokens were last used, until cancelled."""
        while True:
            await self._was_used.wait()
            await self.note_now(writer, log)
            await asyncio.sleep(NOTE_S)

    async def note_now(self, writer: Writes, log: FilteringBoundLogger) -> None:
        """Write down what is not yet."""
        used, self._used = self._used, {}
        self._was_used.clear()
        if not used:
            return
        note: Callable[[Store], None] = lambda store: store.note_token_uses(used)  # noqa: E731 - typed for `do`
        try:
            await writer.do(note)
        except StoreError as error:
            log.warning("uses of tokens are not written down", error=str(error))
