"""Configuration files for what many want, each a beginning for one's own. Shipped with the package."""

from dataclasses import dataclass
from importlib.resources import files

from console.domain.errors import UnknownReferenceError


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A file that `apply` takes, once what it refers to is in the environment."""

    name: str
    text: str

    @property
    def about(self) -> str:
        """Its first sentence."""
        comment = " ".join(line[1:].strip() for line in self.text.split("\n#\n")[0].splitlines())
        return comment.partition(". ")[0].rstrip(".")


def recipes() -> list[Recipe]:
    """All of them, by name."""
    found = [file for file in files(__name__).iterdir() if file.name.endswith(".toml")]
    return sorted(
        (Recipe(name=file.name.removesuffix(".toml"), text=file.read_text("utf-8")) for file in found),
        key=lambda recipe: recipe.name,
    )


def recipe(name: str) -> Recipe:
    """Raises UnknownReferenceError."""
    found = next((one for one in recipes() if one.name == name), None)
    if found is None:
        raise UnknownReferenceError(f"no recipe {name[:60]!r}: see `webhook-console recipes list`")
    return found
