"""The model runtime, which runs inside a model container. It imports nothing else of this project."""

#: The version of both distributions: pyproject.toml of each reads this line.
__version__ = "0.1.0"
