"""Every value as text for the screen: the sanitiser that foreign text must pass, and numbers as people read them.

Pure text: nothing here knows of widgets. Every function that yields text for values of ours yields clean text.
"""

import codecs
import re
from collections.abc import Callable
from datetime import UTC, datetime

from rich.cells import cell_len, chop_cells, set_cell_size

ABSENT = "–"
"""What is shown for a value that is not there, which is never 0 and never empty."""

ELLIPSIS = "…"

_SECOND_MS = 1_000
_MINUTE_MS = 60 * _SECOND_MS
_HOUR_MS = 60 * _MINUTE_MS
_DAY_MS = 24 * _HOUR_MS

_CHARS_PER_CELL = 8
"""Piled-up combining marks beyond this many characters a cell are cut, so that cutting a line is never slow."""


def _symbols() -> dict[int, str]:
    """One visible symbol for each character that a terminal obeys instead of showing, or that hides or reorders text.

    One for one, so that offsets into the text stay true.
    """
    table = {code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in "\n\t"}
    table[0x7F] = "␡"
    table |= dict.fromkeys(range(0x80, 0xA0), "␦")
    bidi = [0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
    table |= dict.fromkeys(bidi, "⇋")
    table |= dict.fromkeys([0x2028, 0x2029], "␤")
    invisible = [0x00AD, 0x200B, *range(0x2060, 0x2066), *range(0x206A, 0x2070), 0xFEFF, *range(0xFFF9, 0xFFFC)]
    table |= dict.fromkeys([*invisible, *range(0xE0000, 0xE0080)], "·")
    # A lone surrogate (JSON may carry one) cannot be encoded, and would end the program when written.
    table |= dict.fromkeys(range(0xD800, 0xE000), "�")
    return table


_SYMBOLS = _symbols()


_search_unsafe: Callable[[str], re.Match[str] | None] = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\ud800-\udfff\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
).search
"""Finds what `_SYMBOLS` replaces, at C speed; a test holds the two together."""

_INLINE = _SYMBOLS | {ord("\n"): "␤", ord("\t"): " "}


def sanitise(text: str) -> str:
    """The text with all that a terminal would obey made visible, character for character; \\n and \\t stay.

    Idempotent, keeps the length, and returns the same object when there was nothing to do.
    """
    if text.isascii() and text.isprintable():
        return text
    return text.translate(_SYMBOLS) if _search_unsafe(text) else text


def inline(text: str) -> str:
    """As `sanitise`, and line breaks and tabs are replaced too, character for character."""
    if text.isprintable() and text.isascii():
        return text
    return text.translate(_INLINE)


def sanitise_bytes(data: bytes, limit: int) -> str:
    """At most `limit` bytes as clean text, bytes that are not UTF-8 as �; what was left out is counted at the end."""
    if len(data) <= limit:
        return sanitise(data.decode("utf-8", "replace"))
    # Not final: a character that the limit cuts in two is left out, not shown as broken.
    head = codecs.getincrementaldecoder("utf-8")("replace").decode(data[:limit])
    return f"{sanitise(head)}{ELLIPSIS} (+{size(len(data) - limit)})"


def one_line(text: str, width: int) -> str:
    """Clean text on one line of at most `width` cells, cut with … when it is longer."""
    if width <= 0:
        return ""
    most = width * _CHARS_PER_CELL
    clean = inline(text[: most + 1])
    if len(text) <= most and cell_len(clean) <= width:
        return clean
    return set_cell_size(clean, width - 1).rstrip(" ") + ELLIPSIS


def fit(text: str, width: int, *, right: bool = False) -> str:
    """As `one_line`, padded with spaces to exactly `width` cells; `right` aligns to the right."""
    line = one_line(text, width)
    padding = " " * (width - cell_len(line))
    return padding + line if right else line + padding


def text_lines(text: str, *, tab: int = 4) -> list[str]:
    """Clean lines of a text of several lines: tabs as spaces, \\r\\n as one line break."""
    return [sanitise(line.expandtabs(tab)) for line in text.replace("\r\n", "\n").split("\n")]


def wrapped(text: str, width: int, limit: int) -> list[str]:
    """At most `limit` characters of a text as clean lines of at most `width` cells; what was left out is counted."""
    width = max(2, width)
    parts: list[str] = []
    for line in text_lines(text[:limit]):
        if line.isascii():
            parts += [line[start : start + width] for start in range(0, max(1, len(line)), width)]
        else:
            parts += chop_cells(line, width)
    if len(text) > limit:
        parts.append(f"{ELLIPSIS} (+{len(text) - limit:,} characters)")
    return parts


def duration(ms: float | None) -> str:
    """`850ms`, `1.2s`, `3m05s`, `2h`, `2h07m`, `3d04h`: the two largest units, never rounded up to a larger one."""
    if ms is None:
        return ABSENT
    if ms < 0:
        return f"-{duration(-ms)}"
    if 0 < ms < 1:
        return "<1ms"
    whole = int(ms)
    if whole < _SECOND_MS:
        return f"{whole}ms"
    if whole < 10 * _SECOND_MS:
        return f"{whole // 100 / 10:.1f}s"
    if whole < _MINUTE_MS:
        return f"{whole // _SECOND_MS}s"
    if whole < _HOUR_MS:
        return _two_units(whole, _MINUTE_MS, "m", _SECOND_MS, "s")
    if whole < _DAY_MS:
        return _two_units(whole, _HOUR_MS, "h", _MINUTE_MS, "m")
    return _two_units(whole, _DAY_MS, "d", _HOUR_MS, "h")


def _two_units(ms: int, large_ms: int, large: str, small_ms: int, small: str) -> str:
    rest = ms % large_ms // small_ms
    return f"{ms // large_ms}{large}{rest:02d}{small}" if rest else f"{ms // large_ms}{large}"


def _coarse(ms: int) -> str:
    """A duration without parts of a second, for what is looked at while it runs."""
    return duration(ms // _SECOND_MS * _SECOND_MS) if ms >= _SECOND_MS else "0s"


def _whole_seconds(ms: int) -> str:
    if _SECOND_MS <= ms < _MINUTE_MS:
        return f"{ms // _SECOND_MS}s"
    return _coarse(ms)


def age(now_ms: int, then_ms: int | None) -> str:
    """`12s ago`; `just now` below a second and for what a clock out of step puts in the future."""
    if then_ms is None:
        return ABSENT
    elapsed = now_ms - then_ms
    return "just now" if elapsed < _SECOND_MS else f"{_whole_seconds(elapsed)} ago"


def countdown(now_ms: int, then_ms: int | None) -> str:
    """`in 4m32s`, or `due now` when the time has come. A started second counts, so it never says `in 0s`."""
    if then_ms is None:
        return ABSENT
    left = then_ms - now_ms
    if left <= 0:
        return "due now"
    return f"in {_whole_seconds(-(-left // _SECOND_MS) * _SECOND_MS)}"


_THOUSANDS = ((1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k"))


def count(n: int | None) -> str:
    """`999`, `1.2k`, `12.3k`, `4.0M`: cut, not rounded, so it never says more than there is."""
    if n is None:
        return ABSENT
    if n < 0:
        return f"-{count(-n)}"
    for unit, letter in _THOUSANDS:
        if n >= unit:
            tenths = n * 10 // unit
            return f"{tenths // 10}{letter}" if tenths >= 1_000 else f"{tenths // 10}.{tenths % 10}{letter}"
    return str(n)


def exact(n: int | None) -> str:
    """`1,234,567`: for previews, where the number is what is being agreed to."""
    return ABSENT if n is None else f"{n:,}"


def counted(n: int, one: str, many: str) -> str:
    """`1 delivery`, `2,000 deliveries`."""
    return f"{exact(n)} {one if n == 1 else many}"


def rate(per_second: float | None) -> str:
    """`0/s`, `0.03/s`, `3.4/s`, `120/s`, `1.2k/s`. What is more than zero never shows as zero."""
    if per_second is None:
        return ABSENT
    if per_second <= 0:
        return "0/s"
    if per_second < 0.01:
        return "<0.01/s"
    if per_second < 0.1:
        return f"{per_second:.2f}/s"
    if per_second < 99.95:
        return f"{per_second:.1f}/s"
    return f"{count(round(per_second))}/s"


def percent(part: int | None, whole: int | None) -> str:
    """`99.9%`. 100% only when it is all of them and 0% only when it is none: one error in a million shows."""
    if part is None or whole is None or whole <= 0:
        return ABSENT
    if part >= whole:
        return "100%"
    if part <= 0:
        return "0%"
    tenths = min(max(round(part * 1_000 / whole), 1), 999)
    return f"{tenths // 10}.{tenths % 10}%"


def size(n_bytes: int | None) -> str:
    """`512 B`, `16.0 KiB`, `3.2 MiB`."""
    if n_bytes is None:
        return ABSENT
    if n_bytes < 1024:
        return f"{n_bytes} B"
    amount = n_bytes / 1024
    for unit in ("KiB", "MiB", "GiB"):
        if amount < 1023.95:
            return f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"


def _moment(epoch_ms: int, utc: bool) -> datetime | None:
    try:
        moment = datetime.fromtimestamp(epoch_ms // 1_000, tz=UTC)
        return moment if utc else moment.astimezone()
    except (OverflowError, ValueError, OSError):
        return None


def clock_time(epoch_ms: int | None, *, utc: bool = False) -> str:
    """`14:02:11.123`, on this machine's clock or in UTC."""
    if epoch_ms is None or (moment := _moment(epoch_ms, utc)) is None:
        return ABSENT
    return f"{moment:%H:%M:%S}.{epoch_ms % 1_000:03d}"


def date_time(epoch_ms: int | None, *, utc: bool = False) -> str:
    """`2026-01-31 14:02:11.123 +01:00`; in UTC it ends with `Z`."""
    if epoch_ms is None or (moment := _moment(epoch_ms, utc)) is None:
        return ABSENT
    zone = "Z" if utc else f" {moment:%z}"[:4] + ":" + f"{moment:%z}"[3:5]
    return f"{moment:%Y-%m-%d %H:%M:%S}.{epoch_ms % 1_000:03d}{zone}"
