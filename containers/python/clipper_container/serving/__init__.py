"""The room of serving: the start of a replica, its batches from the sessions, their runs on the model.

It stands on all other rooms of the runtime; the command alone imports it.
"""
