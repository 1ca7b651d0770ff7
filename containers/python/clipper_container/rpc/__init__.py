"""Sessions with query frontends: links, sockets, lookups of addresses, and the wake-up between threads.

Imported by the runtime alone. It imports the wire format and addresses; it must never import a kind of model.
"""
