"""Endpoints whose secrets this engine cannot open: refused at the start, held when they come later; never sent to."""

from dataclasses import replace

from console.config import KEY_FILE_VARIABLE, KEY_VARIABLE
from console.domain.endpoint import Endpoint, EndpointState
from console.domain.errors import ConfigError
from console.domain.sealing import Keyring
from console.domain.secret_parts import why_sealed
from console.operations.endpoints import pause_endpoint
from console.store.protocol import Store

_MOST_NAMED = 3
_SENT_TO = (EndpointState.ACTIVE, EndpointState.TRIPPED)


def refuse_sealed(store: Store, keys: Keyring) -> None:
    """Raises ConfigError when the keys do not open every endpoint: names them, and where a key is looked for."""
    closed = [(endpoint.name, why) for endpoint in store.endpoints() if (why := why_sealed(endpoint, keys))]
    if not closed:
        return
    names = ", ".join(name for name, _ in closed[:_MOST_NAMED])
    more = f" and {len(closed) - _MOST_NAMED} more" if len(closed) > _MOST_NAMED else ""
    raise ConfigError(
        f"{store.path}: endpoint {names}{more}: {closed[0][1]}: "
        f"set {KEY_VARIABLE} or {KEY_FILE_VARIABLE}, or give --key-file"
    )


class Holds:
    """Endpoints that were sealed with a key that this engine has not: each is paused, in the store and before that in
    this engine, so that what it is owed waits and says why."""

    def __init__(self, keys: Keyring) -> None:
        self._keys = keys
        self._waiting: dict[int, tuple[Endpoint, str]] = {}

    def look(self, endpoint: Endpoint) -> Endpoint:
        """The endpoint as this engine must take it: paused when it cannot be opened."""
        self._waiting.pop(endpoint.seq, None)
        if endpoint.state not in _SENT_TO or (why := why_sealed(endpoint, self._keys)) is None:
            return endpoint
        self._waiting[endpoint.seq] = endpoint, why
        return replace(endpoint, state=EndpointState.PAUSED)

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def write(self, store: Store, now_ms: int) -> list[str]:
        """Pause them in the store, unless they have changed since. Returns a line for the log for each."""
        waiting, self._waiting = self._waiting, {}
        lines = []
        try:
            with store.transaction():
                for endpoint, why in waiting.values():
                    now = store.endpoint_at(endpoint.seq)
                    if now is None or now.version != endpoint.version:
                        continue
                    reason = f"{why}: restart the engine with the key, then resume"
                    pause_endpoint(store, endpoint.id, actor="engine", reason=reason, now_ms=now_ms)
                    lines.append(f"{endpoint.name}: {reason}")
        except BaseException:
            self._waiting = waiting | self._waiting
            raise
        return lines
