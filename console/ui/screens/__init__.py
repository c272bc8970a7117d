"""One screen a module: a screen owns its workers and handles the messages of its widgets."""
