"""Selection policies: which models answer a query, how their answers become one, what feedback teaches.

No I/O: time and randomness are arguments, and state is counters that others keep. `contract` says what a
policy is, `table` which there are, `config` how one is written down; every policy has a file of its own.
"""
