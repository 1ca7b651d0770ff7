"""Selection policies: they choose the models for a query, combine their outputs, and learn from feedback.

There is no I/O: time and randomness are arguments, and state is counters that the caller keeps. `contract`
defines a policy, `table` lists them, `config` reads their configuration; every policy has a file of its own.
"""
