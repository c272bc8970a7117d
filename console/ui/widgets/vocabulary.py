"""The closed set of styles that rows, trees and charts speak in. Themes give them their colours."""

from typing import Literal, get_args

StyleName = Literal["normal", "strong", "muted", "accent", "ok", "warning", "error"]
"""What a text means, not how it looks. A state never speaks through its style alone: the text says it too."""

STYLE_NAMES: tuple[StyleName, ...] = get_args(StyleName)

Cell = tuple[str, StyleName]
"""Text as it came, and what it means."""
