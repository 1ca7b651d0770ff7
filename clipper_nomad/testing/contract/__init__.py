"""The tests that hold for every container manager, for `from clipper_nomad.testing.contract import *`.

The package's docstring, clipper_nomad.testing, shows how they are run for a manager.
"""

try:
    import pytest as _pytest  # noqa: F401 - the modules below cannot say what to install
except ImportError as error:
    raise ImportError(
        "The contract suite of container managers needs pytest: pip install 'clipper-nomad[testing]'"
    ) from error

from clipper_nomad.testing.contract.cluster import *  # noqa: F403 - tests, by their names
from clipper_nomad.testing.contract.feedback import *  # noqa: F403
from clipper_nomad.testing.contract.models import *  # noqa: F403
from clipper_nomad.testing.contract.versions import *  # noqa: F403

__all__ = [name for name in globals() if name.startswith("test_")]
