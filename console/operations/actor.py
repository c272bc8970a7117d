"""Who acts."""

import getpass
import os
import socket


def current_actor() -> str:
    """`user@host`, and the SSH client's address when the session came over SSH: `ada@box from 192.0.2.7`."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # no such uid in the user database: containers
        user = f"uid{os.getuid()}"
    client = os.environ.get("SSH_CONNECTION", "").split(" ")[0]
    return f"{user}@{socket.gethostname()}" + (f" from {client}" if client else "")
