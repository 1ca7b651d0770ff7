"""Modules that were edited after they were imported, and those that only look so."""

from __future__ import annotations

import importlib
import warnings
from pathlib import Path
from types import ModuleType

import pytest

from clipper_nomad.deployers.packing.closure import packed_closure
from clipper_nomad.errors import ClipperWarning

SOURCE = '''
"""A module of the user's."""
import dataclasses
import functools
import sys

FACTOR = 3
_cache = None
KINDS = {"a", "b"}

def load():
    global _cache
    _cache = _cache or object()
    return _cache

@functools.lru_cache
def double(x):
    return 2 * x if x in {"a", "b"} else [y for y in (x, float("nan"), 1e300)]

if sys.version_info > (3, 0):
    def here():
        return "new"
else:
    def here():
        return "old"

@dataclasses.dataclass
class Model:
    size: int = 1

    @property
    def twice(self):
        return 2 * self.size

    @staticmethod
    def predict(xs):
        return [double(x) for x in xs]
'''


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> ModuleType:
    """Return an imported module of the user's."""
    monkeypatch.syspath_prepend(str(tmp_path))
    name = f"clipper_test_edited_{abs(hash(request.node.name))}"
    (tmp_path / f"{name}.py").write_text(SOURCE)
    importlib.invalidate_caches()
    return importlib.import_module(name)


def edit(module: ModuleType, old: str, new: str) -> None:
    path = Path(str(module.__file__))
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("return 2 * self.size", "return 3 * self.size", "Model.twice"),
        ("[double(x) for x in xs]", "[load() for x in xs]", "Model.predict"),
        ('return "new"', 'return "newer"', "here"),
        ("FACTOR = 3", "FACTOR = 4", "FACTOR"),
        ("global _cache", "_cache = None", "load"),
    ],
)
def test_an_edited_module_is_named_with_what_is_served(
    module: ModuleType, old: str, new: str, what: str
) -> None:
    edit(module, old, new)
    said = f"Module {module.__name__} is another one here than on disk: `{what}` differs. Replicas get"
    with pytest.warns(ClipperWarning, match=said), packed_closure(module.Model.predict) as packed:
        served = (packed.folder / "modules" / f"{module.__name__}.py").read_text()
    assert new in served


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("FACTOR = 3", "# The factor.\n\nFACTOR = 3"),
        ("import sys\n", "import sys\n\n\n"),
        ("_cache = None\nKINDS", "KINDS"),
    ],
)
def test_other_lines_and_comments_are_no_edit(module: ModuleType, old: str, new: str) -> None:
    edit(module, old, new)
    module.load()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with packed_closure(module.Model.predict):
            pass


def test_a_module_that_was_imported_anew_is_no_longer_edited(module: ModuleType) -> None:
    edit(module, "FACTOR = 3", "FACTOR = 40")
    importlib.reload(module)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with packed_closure(module.Model.predict):
            pass
