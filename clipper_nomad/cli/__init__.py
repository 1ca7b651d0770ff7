"""The command line, `clipper-nomad`: one module per group of commands.

Owns what is asked of a person and shown to one. All work is the admin library's.
"""

from clipper_nomad.cli.main import main

__all__ = ["main"]
