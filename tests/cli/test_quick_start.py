"""Methods that are compiled when they are called behave as those that are compiled at once."""

import dataclasses
import pickle
from dataclasses import dataclass, field
from typing import Any

import pytest

from console.cli.quick_start import compile_methods_later, loading


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataclasses, "_create_fn", getattr(dataclasses, "_create_fn", None), raising=False)
    if dataclasses._create_fn is None:  # type: ignore[attr-defined]
        pytest.skip("this Python makes the methods of a dataclass in one go")
    compile_methods_later()
    compile_methods_later()


def make() -> Any:
    @dataclass(frozen=True, slots=True, kw_only=True, order=True)
    class Point:
        """A place."""

        x: int
        y: int = 2
        names: list[str] = field(default_factory=list, compare=False, repr=False)

    return Point


def test_what_is_made_behaves_as_ever(later: None) -> None:
    point = make()
    one, other = point(x=1), point(x=1, y=3)
    assert (one == point(x=1), one == other, one < other, hash(one) == hash(point(x=1))) == (True, False, True, True)
    assert repr(one).endswith("Point(x=1, y=2)")
    assert one.names == []
    assert one.names is not other.names
    assert dataclasses.replace(one, y=9).y == 9
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.x = 5
    with pytest.raises(TypeError, match="missing 1 required keyword-only argument: 'x'"):
        point()
    with pytest.raises(TypeError, match="unexpected keyword argument 'z'"):
        point(x=1, z=2)


def test_a_method_is_compiled_once_and_for_its_subclasses_too(later: None) -> None:
    @dataclass
    class Base:
        x: int

    class Derived(Base):
        pass

    stub = Base.__dict__["__init__"]
    assert Derived(4).x == 4
    real = Base.__dict__["__init__"]
    assert real is not stub
    assert "__init__" not in Derived.__dict__
    held = object.__new__(Base)
    stub(held, 5)  # somebody had taken hold of it before
    assert held.x == 5
    assert Base.__dict__["__init__"] is real
    assert real.__qualname__.endswith("Base.__init__")


def test_garbage_is_looked_for_again_after_loading() -> None:
    import gc

    with loading():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_a_store_for_reading_brings_the_rest_when_asked(tmp_path: Any) -> None:
    from console.store import open_store

    open_store(tmp_path / "store.db").close()
    reader = open_store(tmp_path / "store.db", read_only=True)
    assert pickle.loads(pickle.dumps(reader.endpoints())) == []
    quick = type(reader)
    assert reader.damage(full=False) == []
    assert type(reader) is not quick
    with pytest.raises(AttributeError):
        reader.no_such_thing  # type: ignore[attr-defined]  # noqa: B018
    reader.close()
