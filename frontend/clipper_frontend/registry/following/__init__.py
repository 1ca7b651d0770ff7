"""The following of Redis by query frontends, and the barrier at which writers wait for all of them.

Imported by the frontends. It imports the registry's other modules; they never import it.
"""
