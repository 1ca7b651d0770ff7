"""The kinds of models: one module for each, which loads the kind's native form from a model folder.

Imported by the runtime's command, and by the admin library, which saves closures. It imports the contract in
`model` alone; it must never import `rpc` or `wire`.
"""
