"""The kinds of models: one module for each, which loads the kind's native form from a model folder.

Imported by the runtime's command, and by the admin library for what it saves. It imports the contract `model`
alone; it must never import `rpc` or `wire`.
"""
