"""Model deployers, one module per framework: `from clipper_nomad.deployers import python as python_deployer`.

This module imports nothing, since each framework's module needs its framework.
"""
