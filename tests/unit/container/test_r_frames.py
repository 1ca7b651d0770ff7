"""Frames between a replica and its R process."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest

from clipper_container.kinds.frameworks.r.frames import RError, pack_request, read_answer
from clipper_nomad.images.wheels import runtime_wheel


def numbers(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}I", *values)


def objects(*values: object) -> np.ndarray[tuple[int], np.dtype[np.object_]]:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def test_a_request_has_a_type_the_lengths_and_the_data() -> None:
    assert pack_request(np.array([[1.0], [2.0]])) == numbers(3, 2, 1, 1) + struct.pack("<2d", 1, 2)
    ragged = objects(np.array([1], "<i4"), np.array([], "<i4"))
    assert pack_request(ragged) == numbers(1, 2, 1, 0) + struct.pack("<i", 1)
    assert pack_request(objects("é", "")) == numbers(4, 2, 2, 0) + "é".encode()


def test_an_answer_is_read_by_its_form() -> None:
    doubles = struct.pack("<3d", 1, 2, 3)
    assert list(read_answer(io.BytesIO(numbers(0, 3) + doubles).read)) == [1, 2, 3]
    vectors = read_answer(io.BytesIO(numbers(1, 2, 2, 1) + doubles).read)
    assert [list(np.asarray(each)) for each in vectors] == [[1, 2], [3]]
    assert read_answer(io.BytesIO(numbers(2, 2, 0, 2) + "é".encode()).read) == ["", "é"]


def test_a_failure_is_raised_with_rs_words() -> None:
    with pytest.raises(RError, match=r"^no such column$"):
        read_answer(io.BytesIO(numbers(3, 14) + b"no such column").read)


def test_the_r_side_is_in_the_runtimes_wheel() -> None:
    assert b"clipper_container/kinds/frameworks/r/serve.R" in runtime_wheel().content
