"""A question above the screen."""

from typing import TypeVar

from textual.screen import ModalScreen

T = TypeVar("T")


class Dialog(ModalScreen[T]):
    """Fits its body to the terminal again whenever that becomes higher or lower."""

    def on_resize(self) -> None:
        # Textual keeps the height of a container for as long as its width stays, and forgets it of what is above.
        for body in self.query(".dialog--body"):
            body.refresh(layout=True)
