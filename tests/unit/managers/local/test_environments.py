"""The requirements of a model that the current environment already satisfies, and those that are missing."""

from __future__ import annotations

import pytest
from packaging.requirements import Requirement

from clipper_nomad.errors import BuildError
from clipper_nomad.managers.local.environments import Interpreter, environment_digest, missing_requirements

MARKERS = {
    "implementation_name": "cpython",
    "implementation_version": "3.11.4",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_release": "6",
    "platform_system": "Linux",
    "platform_version": "1",
    "python_full_version": "3.11.4",
    "python_version": "3.11",
    "sys_platform": "linux",
}
PACKAGES: dict[str, tuple[str, tuple[str, ...]]] = {
    "numpy": ("2.1.0", ()),
    "pre-release": ("2.0rc1", ()),
    "web": (
        "1.5",
        ("base>=1", 'proxy>=2; extra == "socks"', 'winonly; extra == "socks" and os_name == "nt"'),
    ),
    "nested": ("1.0", ('web[socks]; extra == "all"', 'numpy>=9; extra == "new"')),
}
HERE = Interpreter("/usr/bin/python3", ("/usr/lib/site-packages",), PACKAGES, MARKERS)
WITH_PROXY = Interpreter(HERE.executable, HERE.site_packages, {**PACKAGES, "proxy": ("2.2", ())}, MARKERS)


@pytest.mark.parametrize(
    "text",
    [
        "numpy",
        "NumPy>=2,<3",
        "numpy==2.1.*",
        "pre_release>=2.0rc1",
        "web",
        "absent; python_version < '3.8'",
        "absent; sys_platform == 'win32'",
    ],
)
def test_an_installed_package_is_not_missing(text: str) -> None:
    assert missing_requirements([text], HERE) == ()


@pytest.mark.parametrize(
    "text",
    [
        "absent",
        "numpy<2",
        "web[socks]",
        "nested[new]",
        "nested[all]",
        "absent; python_version >= '3.8'",
        "numpy @ https://example.org/numpy.whl",
        "git+https://example.org/numpy.git",
        "./folder",
    ],
)
def test_a_package_that_is_not_installed_is_missing(text: str) -> None:
    assert missing_requirements(["numpy", text], HERE) == (text,)


def test_extras_are_followed_to_the_packages_they_name() -> None:
    assert WITH_PROXY.satisfies(Requirement("web[socks]"))
    assert WITH_PROXY.satisfies(Requirement("nested[all]"))


def test_options_of_pip_are_refused() -> None:
    with pytest.raises(BuildError, match=r"'--index-url=x'.*PIP_INDEX_URL"):
        missing_requirements(["--index-url=x"], HERE)


def test_an_environment_is_named_by_interpreter_and_packages_alone() -> None:
    name = environment_digest(missing_requirements(["b", "a"], HERE), HERE)
    assert name == environment_digest(missing_requirements(["a", "b", "numpy"], HERE), HERE)
    assert name != environment_digest(("a",), HERE)
    newer = Interpreter(HERE.executable, (), {}, {**MARKERS, "python_full_version": "3.12.0"})
    assert name != environment_digest(("a", "b"), newer)
