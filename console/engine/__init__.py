"""The delivery engine: claims what is due, sends it, and records what came of it."""
