"""Copying never claims what it cannot know, and saving never overwrites nor shares."""

import base64
import os
from pathlib import Path

import pytest

from console.ui.clipboard import CAP_BYTES, SaveError, file_name, osc52, save, save_folder, send


def test_plain_sequence() -> None:
    assert osc52("hi", {}) == "\x1b]52;c;aGk=\x07"


def test_tmux_gets_it_plain_and_in_passthrough() -> None:
    sequence = osc52("hi", {"TMUX": "/tmp/tmux-0/default,1,0", "TERM": "screen-256color"})
    assert sequence == "\x1b]52;c;aGk=\x07\x1bPtmux;\x1b\x1b]52;c;aGk=\x07\x1b\\"


def test_screen_gets_it_in_pieces_that_fit_its_buffer() -> None:
    sequence = osc52("x" * 1000, {"STY": "1.pts"})
    pieces = sequence.split("\x1b\\")
    assert pieces.pop() == ""
    assert all(piece.startswith("\x1bP") and len(piece) < 100 for piece in pieces)
    joined = "".join(piece.removeprefix("\x1bP") for piece in pieces)
    assert joined == "\x1b]52;c;" + base64.b64encode(b"x" * 1000).decode() + "\x07"


def test_send_says_what_was_done_and_claims_no_more() -> None:
    written: list[str] = []
    sent = send("evt_1", "event id", written.append, {})
    assert sent.ok
    assert written == [osc52("evt_1", {})]
    assert sent.words == "event id sent to the terminal's clipboard"
    assert "copied" not in sent.words


def test_what_is_too_long_is_not_sent() -> None:
    written: list[str] = []
    assert send("x" * CAP_BYTES, "body", written.append, {}).ok
    refused = send("x" * (CAP_BYTES + 1), "body", written.append, {})
    assert not refused.ok
    assert "more than terminals take" in refused.words
    assert len(written) == 1


def test_save_makes_a_private_file_and_overwrites_nothing(tmp_path: Path) -> None:
    path = save(tmp_path / "new" / "body.json", b"\x00{}")
    assert path.read_bytes() == b"\x00{}"
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(SaveError, match="is there already"):
        save(path, b"other")
    assert path.read_bytes() == b"\x00{}"
    with pytest.raises(SaveError, match="cannot be written"):
        save(path / "below", b"")


def test_a_dangling_link_is_not_followed(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "target")
    with pytest.raises(SaveError):
        save(link, b"x")
    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        (("evt_1", "payload.json"), "evt_1-payload.json"),
        (("../../etc/passwd",), "etc-passwd"),
        (("\x1b]52;c;", "é"), "52-c"),
        ((".hidden",), "hidden"),
        (("...",), "saved"),
    ],
)
def test_file_names_are_harmless(parts: tuple[str, ...], name: str) -> None:
    assert file_name(*parts) == name


def test_the_folder_is_the_current_one_or_the_state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert save_folder({}) == tmp_path
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert save_folder({"XDG_STATE_HOME": "/var/state"}) == Path("/var/state/webhook-console")
