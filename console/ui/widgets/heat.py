"""Time as a strip of glyphs: how dense one is says what share of the attempts failed. Readable without colour."""

from collections.abc import Mapping, Sequence

from console.domain.outcome import Cause

Shares = Sequence[tuple[int, int] | None]
"""How many succeeded and failed, oldest first; None where nothing ended."""

QUIET, FINE, FEW, SOME, MOST, ALL = " ", "·", "░", "▒", "▓", "█"
LEGEND = f"errors: {FINE} none  {FEW} <10%  {SOME} <50%  {MOST} more  {ALL} all"

CAUSE_LETTERS: Mapping[Cause, str] = {
    Cause.HTTP_3XX: "3",
    Cause.HTTP_4XX: "4",
    Cause.HTTP_5XX: "5",
    Cause.GONE: "G",
    Cause.TIMEOUT_CONNECT: "t",
    Cause.TIMEOUT_READ: "T",
    Cause.DNS: "D",
    Cause.REFUSED: "R",
    Cause.RESET: "X",
    Cause.TLS: "S",
    Cause.BLOCKED_ADDRESS: "B",
    Cause.BODY_TOO_LARGE: "L",
    Cause.PROTOCOL: "P",
    Cause.TRANSFORM_ERROR: "F",
    Cause.UNKNOWN_OUTCOME: "?",
}
"""One letter for each cause, where a word has no room."""


def heat_glyph(ok: int, failed: int) -> str:
    """The glyph of one part. What failed is never shown as fine, and what succeeded never as all failed."""
    if not ok + failed:
        return QUIET
    if not failed:
        return FINE
    share = failed / (ok + failed)
    return FEW if share < 0.1 else SOME if share < 0.5 else MOST if ok else ALL


def heat_strip(shares: Shares, cells: int) -> str:
    """The strip in exactly `cells` cells, newest at the right: parts are added up, or made wider, to fill them."""
    count = len(shares)
    if not count or cells <= 0:
        return QUIET * max(0, cells)
    if count > cells:
        groups = [shares[i * count // cells : (i + 1) * count // cells] for i in range(cells)]
    else:
        groups = [shares[i * count // cells : i * count // cells + 1] for i in range(cells)]
    strip = []
    for group in groups:
        known = [share for share in group if share is not None]
        strip.append(heat_glyph(sum(ok for ok, _ in known), sum(failed for _, failed in known)))
    return "".join(strip)
