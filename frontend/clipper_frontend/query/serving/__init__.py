"""Queries: what applications are answered. Deadlines, policies at work and routing, without I/O or a clock.

Imported by rest, feedback and server. It imports prediction and bodies; rpc is beside it, feedback above it.
"""
