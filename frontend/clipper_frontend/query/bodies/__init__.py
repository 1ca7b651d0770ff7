"""The JSON of the REST interface: request bodies in, answers out. Pure functions, no I/O, no clock.

Any room may import it. It imports no other room.
"""
