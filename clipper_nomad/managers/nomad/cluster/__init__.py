"""A Clipper cluster as jobs: its parts, and how they are started, watched, scaled and ended.

Imported by manager. It may import every other room.
"""
