"""The command line, and the composition root: thin commands that parse, call an operation, and print."""
