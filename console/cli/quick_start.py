"""A program that starts at once: nothing is made before it is needed that only few ever need.

- `dataclasses` writes source text for six methods of each class and compiles it, 60 µs a method: of all that happens
  before the console's first frame that was a fifth, for methods of which most are never called. Here each method begins
  as a function that compiles the real one when it is first called, and puts that in its own place. Python 3.11 and 3.12
  make methods one by one, through a private function; later ones do it in one go and need no help, and where that
  function is not there nothing is changed.
- The garbage collector looks for garbage while modules are loaded, of which nothing is.
- asyncio loads OpenSSL, 6 ms, if it can. A console's loop speaks to a terminal.
"""

import dataclasses
import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_CREATE = "_create_fn"

_Create = Callable[..., Callable[..., Any]]


@contextmanager
def loading() -> Iterator[None]:
    """While modules are loaded: no garbage is looked for."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@contextmanager
def without_tls() -> Iterator[None]:
    """While asyncio is loaded by a process whose loop never speaks TLS. Everything else may use `ssl` afterwards."""
    if "ssl" in sys.modules or "asyncio" in sys.modules:
        yield
        return
    sys.modules["ssl"] = None  # type: ignore[assignment]  # how Python says that a module is not there
    try:
        yield
    finally:
        del sys.modules["ssl"]


def compile_methods_later() -> None:
    """From now on, dataclasses that are made compile their methods at the first call. Twice is as once."""
    create: _Create | None = getattr(dataclasses, _CREATE, None)
    if create is None or getattr(create, "is_later", False):
        return

    def later(name: str, args: Any, body: Any, **more: Any) -> Callable[..., Any]:
        return _compiled_when_called(create, name, (name, args, body), more)

    later.is_later = True  # type: ignore[attr-defined]  # how a second call knows it
    setattr(dataclasses, _CREATE, later)


def _compiled_when_called(
    create: _Create, name: str, given: tuple[Any, ...], more: dict[str, Any]
) -> Callable[..., Any]:
    made: Callable[..., Any] | None = None

    def method(self: Any, /, *args: Any, **named: Any) -> Any:
        nonlocal made
        if made is None:
            compiled = create(*given, **more)
            compiled.__qualname__ = method.__qualname__
            made = compiled
        # Whose it is cannot be known earlier: a class with slots is made twice, and a subclass inherits it.
        for owner in type(self).__mro__:
            if owner.__dict__.get(name) is method:
                type.__setattr__(owner, name, made)
        return made(self, *args, **named)

    method.__name__ = name
    return method
