"""Tools for testing container managers, and scripts that use one.

`RecordingManager` is a manager without processes, for tests of scripts. The contract suite holds a manager of
your own to every sentence of `clipper_nomad.managers.base`; it needs `pip install 'clipper-nomad[testing]'`,
and three pieces of code. A conftest.py at the top of your tests loads fixtures and marks:

    pytest_plugins = ["clipper_nomad.testing.plugin"]

A harness makes your manager for the suite, and looks behind it: a class with the members of
`clipper_nomad.testing.harness.Harness`. A test module takes all tests, and makes harnesses:

    from clipper_nomad.testing.contract import *

    @pytest.fixture(scope="module")
    def make_harness(tmp_path_factory):
        return lambda keeps_state=False: MyHarness(tmp_path_factory.mktemp("place"))

If the harness is a module beside the tests, `pythonpath = ["tests"]` in pytest's settings lets them import
it. `pytest -m smoke` runs a few tests that touch most of a manager; `-m "not keeps_state"` leaves out those
of clusters that are stopped with their state kept. Nothing else of clipper_nomad imports this package.
"""

from clipper_nomad.testing.recording import RecordingManager

__all__ = ["RecordingManager"]
