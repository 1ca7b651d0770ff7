"""Following: how a query frontend keeps up with Redis, and how writers wait until all have.

Imported by the frontends. It imports the registry's other modules; they never import it.
"""
