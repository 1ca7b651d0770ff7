"""Model deployers, one module per framework: `from clipper_nomad.deployers import python as python_deployer`.

Nothing is imported here, since each framework's module needs its framework.
"""
