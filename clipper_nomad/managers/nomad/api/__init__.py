"""Nomad's own nouns: jobs, allocations, deployments, placements, logs, volumes.

Imported by cluster. It imports clients alone.
"""
