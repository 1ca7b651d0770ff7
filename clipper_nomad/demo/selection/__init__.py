"""The demo of model selection: five models, some of which get worse midway, and policies that learn it.

Owns its steps and what it shows. As the other demo, it imports the admin library and speaks REST alone.
"""

from clipper_nomad.demo.selection.script import run_selection_demo

__all__ = ["run_selection_demo"]
