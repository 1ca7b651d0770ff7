"""The user's files that travel with a closure."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path

import pytest

from clipper_nomad.deployers.packing.modules import collect_modules


@pytest.fixture
def beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a user's script."""
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    return tmp_path


def write(folder: Path, files: Mapping[str, str]) -> None:
    for name, source in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(source))


def test_a_module_travels_with_what_it_imports(beside: Path) -> None:
    write(
        beside,
        {
            "clipper_test_a.py": "import json, numpy\ndef f():\n    from clipper_test_b import g\n",
            "clipper_test_b.py": "import clipper_test_c.d\nclass C:\n    import clipper_test_a\n",
            "clipper_test_c/__init__.py": "from . import e",
            "clipper_test_c/d.py": "from .f.g import h",
            "clipper_test_c/e.py": "",
            "clipper_test_c/f/__init__.py": "",
            "clipper_test_c/f/g.py": "h = 1",
            "clipper_test_c/unused.py": "",
            "clipper_test_unused.py": "",
        },
    )
    found = collect_modules({"clipper_test_a"}).files
    assert set(found) == {
        "clipper_test_a.py",
        "clipper_test_b.py",
        "clipper_test_c/__init__.py",
        "clipper_test_c/d.py",
        "clipper_test_c/e.py",
        "clipper_test_c/f/__init__.py",
        "clipper_test_c/f/g.py",
    }
    assert found["clipper_test_c/f/g.py"] == b"h = 1"


def test_a_submodule_travels_with_the_packages_around_it(beside: Path) -> None:
    write(beside, {"clipper_test_p/__init__.py": "", "clipper_test_p/q.py": "", "clipper_test_p/r.py": ""})
    assert set(collect_modules({"clipper_test_p.q"}).files) == {
        "clipper_test_p/__init__.py",
        "clipper_test_p/q.py",
    }


def test_a_namespace_package_has_no_file_of_its_own(beside: Path) -> None:
    write(beside, {"clipper_test_n/m.py": "from clipper_test_n.o import x", "clipper_test_n/o/x.py": ""})
    assert set(collect_modules({"clipper_test_n.m"}).files) == {
        "clipper_test_n/m.py",
        "clipper_test_n/o/x.py",
    }


def test_nothing_is_run_to_find_a_module(beside: Path) -> None:
    write(beside, {"clipper_test_r/__init__.py": "raise RuntimeError", "clipper_test_r/m.py": "1 / 0"})
    assert set(collect_modules({"clipper_test_r.m"}).files) == {
        "clipper_test_r/__init__.py",
        "clipper_test_r/m.py",
    }
    assert "clipper_test_r" not in sys.modules


def test_an_extension_module_travels_as_it_is(beside: Path) -> None:
    name = f"clipper_test_x{importlib.machinery.EXTENSION_SUFFIXES[0]}"
    (beside / name).write_bytes(b"\x7fELF")
    assert collect_modules({"clipper_test_x"}).files == {name: b"\x7fELF"}


def test_a_source_that_is_no_python_travels_too(beside: Path) -> None:
    write(beside, {"clipper_test_s.py": "print 'of old'"})
    assert set(collect_modules({"clipper_test_s"}).files) == {"clipper_test_s.py"}


@pytest.mark.parametrize(
    "name",
    [
        "json",
        "sys",
        "numpy.linalg",
        "redis",
        "clipper_nomad.names",
        "clipper_container",
        "missing",
        "__main__",
    ],
)
def test_what_is_not_the_users_stays(name: str) -> None:
    assert collect_modules({name}).files == {}


def test_what_another_environment_installed_stays(beside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = beside / "lib" / "site-packages"
    write(folder, {"clipper_test_o.py": ""})
    monkeypatch.syspath_prepend(str(folder))
    assert collect_modules({"clipper_test_o"}).files == {}


def test_what_a_distribution_installed_stays_wherever_it_is(beside: Path) -> None:
    write(
        beside,
        {
            "clipper_test_i.py": "",
            "clipper_test_i-1.0.dist-info/METADATA": "Name: clipper-test-i\nVersion: 1.0\n",
            "clipper_test_i-1.0.dist-info/RECORD": "clipper_test_i.py,,\n",
            "clipper_test_j.py": "",
        },
    )
    assert set(collect_modules({"clipper_test_i", "clipper_test_j"}).files) == {"clipper_test_j.py"}


SCRIPT = """
import json
import sys

import clipper_test_helper
from clipper_test_package.scale import Scaler
from clipper_nomad.deployers.packing.modules import collect_modules
from clipper_nomad.deployers.packing.references import find_references

class Model:
    def __init__(self):
        self.scaler = Scaler()

    def predict(self, xs):
        from clipper_test_late import late
        return late(clipper_test_helper.double(self.scaler(xs)))

print(json.dumps(sorted(collect_modules(find_references(Model().predict)).files)))
"""


def test_a_script_finds_all_that_its_model_needs(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "script.py": SCRIPT,
            "clipper_test_helper.py": "def double(x): return 2 * x",
            "clipper_test_package/__init__.py": "",
            "clipper_test_package/scale.py": "from .base import Base\nclass Scaler(Base): pass",
            "clipper_test_package/base.py": "class Base:\n    def __call__(self, x): return x",
            "clipper_test_late.py": "def late(x): return x",
            "clipper_test_unused.py": "",
        },
    )
    done = subprocess.run(
        [sys.executable, tmp_path / "script.py"], check=True, capture_output=True, text=True, timeout=60
    )
    assert json.loads(done.stdout) == [
        "clipper_test_helper.py",
        "clipper_test_late.py",
        "clipper_test_package/__init__.py",
        "clipper_test_package/base.py",
        "clipper_test_package/scale.py",
    ]
