"""The contract suite, run for each manager of this project: see conftest.py for their harnesses."""

from clipper_nomad.testing.contract import *  # noqa: F403 - the tests
