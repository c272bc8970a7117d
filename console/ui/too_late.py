"""Errors of what comes to its end after its screen is gone: there is nothing left that they could be about."""

from typing import Any

from textual._context import NoActiveAppError, active_message_pump
from textual.app import App, ScreenStackError
from textual.css.query import NoMatches
from textual.dom import DOMNode, NoScreen
from textual.message_pump import MessagePump
from textual.worker import NoActiveWorker, WorkerFailed, get_current_worker

_MISSES = (NoMatches, NoScreen, ScreenStackError, NoActiveAppError)
"""What is raised where something is looked for that has been taken away."""


def is_too_late(app: App[Any], error: Exception) -> bool:
    """Whether an error, while it is handled, only says that the screen it is about was left, or the app is ending."""
    failed = isinstance(error, WorkerFailed)
    if not isinstance(error.error if isinstance(error, WorkerFailed) else error, _MISSES):
        return False
    if app._exit or not app.is_running or not app._screen_stacks.get(app.current_mode):
        return True
    node = _node_of_worker() if failed else active_message_pump.get(None)
    return isinstance(node, DOMNode) and node is not app and (not node.is_attached or node._pruning)


def _node_of_worker() -> MessagePump | None:
    try:
        return get_current_worker().node
    except NoActiveWorker:
        return None
