"""Functions for Clipper's own base images: written so that they can read them, or refused."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

import docker
import numpy as np
import pytest

from clipper_container.kinds.closure import save_closure
from clipper_nomad.deployers.packing.closure import packed_closure
from clipper_nomad.errors import BuildError
from clipper_nomad.images import ImageSettings, build_model_image
from clipper_nomad.images.clippers import find_clippers_python
from clipper_nomad.types import BuildSpec, ModelVersion

HERE = "".join(platform.python_version_tuple()[:2])
OURS = f"registry.example:5000/clipper/python{HERE}-closure-container:0.4.1"
MODEL = ModelVersion("sums", "1")


def sums(xs: Any) -> Any:
    return np.sum(xs, axis=1)


@pytest.mark.parametrize(
    ("image", "python"),
    [
        ("clipper/python36-closure-container:0.4.1", "3.6"),
        ("clipper/python-closure-container", "2.7"),
        ("host:5000/me/python311-closure-container@sha256:ab", "3.11"),
        ("default", None),
        ("python:3.11-slim", None),
        ("me/cpython36-closure-containers", None),
    ],
)
def test_clippers_images_are_known_by_their_names(image: str, python: str | None) -> None:
    assert find_clippers_python(image) == python


def test_a_function_for_clippers_image_is_one_that_it_reads() -> None:
    with packed_closure(sums, ["given"], base_image=OURS) as packed:
        assert (packed.folder / "func.pkl").read_bytes()[:2] == b"\x80\x02"
        assert list(packed.pkgs_to_install or ()) == ["given"]
    with packed_closure(sums, ["given"]) as packed:
        assert (packed.folder / "func.pkl").read_bytes()[:2] != b"\x80\x02"
        assert len(list(packed.pkgs_to_install or ())) > 1


@pytest.mark.parametrize(
    "image", ["clipper/python36-closure-container:0.4.1", "clipper/python-closure-container:0.4.1"]
)
def test_clippers_image_with_another_python_is_refused_before_it_is_pulled(
    tmp_path: Path, image: str
) -> None:
    save_closure(len, tmp_path)
    spec = BuildSpec(MODEL, tmp_path, image)
    unreachable = docker.DockerClient("tcp://127.0.0.1:9", version="1.41")
    python = find_clippers_python(image)
    with pytest.raises(BuildError, match=f"has Python {python}, and Python 3.* Use base_image='default'"):
        build_model_image(unreachable, spec, "tests", ImageSettings())
    unreachable.close()
