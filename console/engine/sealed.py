"""Endpoints whose secrets this engine cannot open: refused at the start, held when they come later; never sent to."""

from dataclasses import replace

from console.config import KEY_FILE_VARIABLE, KEY_VARIABLE
from console.domain.endpoint import Endpoint, EndpointState
from console.domain.errors import ConfigError
from console.domain.sealing import Keyring
from console.domain.secret_parts import why_sealed
from console.operations.endpoints import pause_endpoint, resume_endpoint
from console.store.protocol import Store

_MOST_NAMED = 3
_WAY_OUT = ": held until the engine is restarted with the key"
"""How the reason of a hold ends: by this an engine knows one."""

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
    """Endpoints that are sealed with a key that this engine has not: each is paused, in the store and before that in
    this engine, so that what it is owed waits and says why. An engine that has the key resumes them."""

    def __init__(self, keys: Keyring) -> None:
        self._keys = keys
        self._waiting: dict[int, tuple[Endpoint, str | None]] = {}
        """What is not in the store yet: why to pause each; None: to resume it."""

    def look(self, endpoint: Endpoint) -> Endpoint:
        """The endpoint as this engine must take it: paused when it cannot be opened."""
        self._waiting.pop(endpoint.seq, None)
        sent_to, held = endpoint.state in _SENT_TO, _is_held(endpoint)
        if not (sent_to or held):
            return endpoint
        why = why_sealed(endpoint, self._keys)
        if sent_to and why is not None:
            self._waiting[endpoint.seq] = endpoint, why + _WAY_OUT
            return replace(endpoint, state=EndpointState.PAUSED)
        if held and why is None:
            self._waiting[endpoint.seq] = endpoint, None
        return endpoint

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def write(self, store: Store, now_ms: int) -> list[tuple[str, str]]:
        """Pause and resume them in the store, unless they have changed since. Returns what to log: name and why."""
        waiting, self._waiting = self._waiting, {}
        done = []
        try:
            with store.transaction():
                for endpoint, why in waiting.values():
                    now = store.endpoint_at(endpoint.seq)
                    if now is None or now.version != endpoint.version:
                        continue
                    act, reason = (pause_endpoint, why) if why else (resume_endpoint, "its secrets can be opened")
                    act(store, endpoint.id, actor="engine", reason=reason, now_ms=now_ms)
                    done.append((endpoint.name, reason or ""))
        except BaseException:
            self._waiting = waiting | self._waiting
            raise
        return done


def _is_held(endpoint: Endpoint) -> bool:
    """Whether an engine paused it for want of a key."""
    return endpoint.state is EndpointState.PAUSED and (endpoint.state_reason or "").endswith(_WAY_OUT)
