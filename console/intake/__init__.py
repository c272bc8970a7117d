"""How events come in over the network: the HTTP API, named sources, a folder. All of it ends in `store.accept`."""
