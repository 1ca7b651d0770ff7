"""Feedback: answers remembered, feedback counted once, counters written to the registry and read from it.

Imported by rest and server. It imports serving, prediction, http and bodies; rpc it must not import.
"""
