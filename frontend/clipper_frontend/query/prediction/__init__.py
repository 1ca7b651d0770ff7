"""Predictions: what models are asked. Queues, batches, replicas and the cache; no I/O, no clock.

Imported by serving, rpc and the rooms above them. It imports bodies alone: no application, no query.
"""
