"""The demo of model selection: five models, some of which get worse midway, and policies that learn which.

Like the other demo, it only imports the admin library and speaks REST.
"""

from clipper_nomad.demo.selection.script import run_selection_demo

__all__ = ["run_selection_demo"]
