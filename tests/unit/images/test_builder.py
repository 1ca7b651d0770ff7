"""The reading of the builder's output, and the requirements given to pip."""

from __future__ import annotations

from typing import Any

import pytest

from clipper_nomad import __version__
from clipper_nomad.errors import BuildError
from clipper_nomad.images.builder import find_refused
from clipper_nomad.images.engine import EngineError, hide, is_noise, read_lines
from clipper_nomad.images.models import render_requirements


@pytest.mark.parametrize(
    ("lines", "refused"),
    [
        (["ERROR: No matching distribution found for absent==1.0"], "absent==1.0"),
        (["ERROR: Invalid requirement: 'a b': Expected end"], "a b"),
        (
            [
                "ERROR: Cannot install a==1 and b==2 because these package versions have conflicting "
                "dependencies."
            ],
            "a==1 and b==2",
        ),
        (["ERROR: Failed to build 'tiny' when getting requirements to build wheel"], "tiny"),
        (["ERROR: Could not build wheels for tiny, which is required to install"], "tiny"),
        (["Collecting first", "Collecting broken==2", "error: metadata-generation-failed"], "broken==2"),
        (["Collecting git+https://host/x", "ERROR: Cannot find command 'git'"], "git+https://host/x"),
        (["Collecting fine", "The command 'apt-get' returned a non-zero code: 1"], None),
        ([], None),
    ],
)
def test_a_package_that_cannot_be_installed_is_named(lines: list[str], refused: str | None) -> None:
    assert find_refused(lines) == refused


def test_the_builders_stream_is_read_as_lines() -> None:
    stream: list[dict[str, Any]] = [
        {"stream": "Step 1/2 : FROM a\n"},
        {"stream": "\n"},
        {"stream": "\x1b[91mtwo\nlines\x1b[0m\n"},
        {"aux": {"ID": "sha256:1"}},
        {"status": "Pulling from a", "id": "latest"},
        {"status": "Downloading", "progressDetail": {"current": 1}, "id": "f00"},
        {"status": "Downloading", "progressDetail": {"current": 2}, "id": "f00"},
        {"status": "Pull complete", "id": "f00"},
        {"status": "Digest: sha256:2"},
    ]
    assert list(read_lines(stream)) == [
        "Step 1/2 : FROM a",
        "two",
        "lines",
        "latest: Pulling from a",
        "f00: Downloading",
        "f00: Pull complete",
        "Digest: sha256:2",
    ]


def test_an_error_in_the_stream_is_raised_behind_what_came_before() -> None:
    lines = read_lines([{"stream": "before\n"}, {"error": "denied\n", "errorDetail": {"message": "denied"}}])
    assert next(lines) == "before"
    with pytest.raises(EngineError, match=r"^denied$"):
        next(lines)


def test_secrets_are_hidden_wherever_they_are() -> None:
    assert hide("https://u:word@host, word", ("word",)) == "https://u:****@host, ****"


def test_what_the_builder_says_of_itself_is_noise() -> None:
    assert is_noise(" ---> Running in f00")
    assert not is_noise("Step 1/2 : FROM a")


def test_the_runtime_is_among_what_pip_must_agree_with() -> None:
    assert (
        render_requirements(("b==1", "a", "b==1")) == f"a\nb==1\nclipper-container=={__version__}\n".encode()
    )
    assert render_requirements(()) == b""


@pytest.mark.parametrize("package", ["--index-url=https://u:p@host", "a\n--pre", " -r other.txt"])
def test_options_of_pip_are_refused(package: str) -> None:
    with pytest.raises(BuildError, match="not options of pip"):
        render_requirements((package,))
