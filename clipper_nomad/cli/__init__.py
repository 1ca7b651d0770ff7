"""The command line, `clipper-nomad`: one module per group of commands.

It parses options and prints results. All work is the admin library's.
"""

from clipper_nomad.cli.main import main

__all__ = ["main"]
