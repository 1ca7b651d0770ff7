"""Nomad's own nouns: jobs, allocations, deployments, placements, logs, volumes.

Imported by cluster and manager. It imports clients alone, and knows nothing of Clipper.
"""
