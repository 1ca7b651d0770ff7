"""The room of a replica's process: what it has around its model.

The process that watches it and reports its end, the standard streams, the log, and the admin port. Of the
rest it imports addresses alone. The watching process imports only what it needs, so that it stays small.
"""
