"""The demo: a model that was just trained answers over REST, is replaced while queries run, and comes back.

It does nothing that a user's script could not do: it imports the admin library and speaks REST.
"""

from clipper_nomad.demo.script import run_demo

__all__ = ["run_demo"]
