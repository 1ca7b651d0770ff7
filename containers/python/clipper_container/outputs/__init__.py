"""The room of outputs: what a model returned becomes one sequence of bytes per input.

One rule for all of them, in containers/python/README.md; the runtime and the admin library's trial follow it.
Imports NumPy and no other framework: the types of others are known by what they can do.
"""

from clipper_container.outputs.encoding import (
    Encoded,
    OutputCountError,
    OutputEncoder,
    encode_outputs,
)
from clipper_container.outputs.values import OutputError

__all__ = ["Encoded", "OutputCountError", "OutputEncoder", "OutputError", "encode_outputs"]
