"""Callables that can be models, and the reasons why others cannot."""

from __future__ import annotations

import functools
import operator
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from clipper_nomad.deployers.packing.callables import check_callable
from clipper_nomad.errors import ClipperException


def one(xs: Any) -> Any:
    return xs


def two(xs: Any, y: Any) -> Any:
    return xs, y


def keyword(xs: Any, *, y: Any) -> Any:
    return xs, y


def defaulted(xs: Any, y: int = 1, **more: Any) -> Any:
    return xs, y, more


async def coroutine(xs: Any) -> Any:
    return xs


async def asynchronous(xs: Any) -> AsyncIterator[Any]:
    yield xs


def generator(xs: Any) -> Iterator[Any]:
    yield from xs


class Model:
    """A model with methods of all kinds."""

    def predict(self, xs: Any) -> Any:
        return xs

    def nothing(self) -> None:
        """Take no batch."""

    async def ask(self, xs: Any) -> Any:
        return xs

    @staticmethod
    def static(xs: Any) -> Any:
        return xs

    @classmethod
    def of_class(cls, xs: Any) -> Any:
        return xs

    def __call__(self, xs: Any) -> Any:
        return xs


class AsyncModel:
    async def __call__(self, xs: Any) -> Any:
        return xs


def with_another(func: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(func)
    def wrapper(xs: Any) -> Any:
        return func(xs, 1)

    return wrapper


@pytest.mark.parametrize(
    ("func", "reason"),
    [
        (None, "None, which is not callable"),
        ("predict", "not callable"),
        ([1], "not callable"),
        (coroutine, "Function coroutine is an `async def`, which a replica does not await: .*asyncio.run"),
        (asynchronous, "async def"),
        (Model().ask, "async def"),
        (AsyncModel(), "async def"),
        (functools.partial(coroutine), "Function coroutine is an `async def`"),
        (generator, "Function generator is a generator, since it has a `yield`: collect the outputs"),
        (functools.partial(generator), "`yield`"),
        (lambda: 1, r"Function .*<lambda>\(\) cannot be called with one argument"),
        (two, r"Function two\(.*\) cannot be called .*'y'.*functools.partial"),
        (keyword, "'y'"),
        (functools.lru_cache(two), "'y'"),
        (functools.partial(two), "'y'"),
        (operator.add, "'b'"),
        (Model().nothing, "cannot be called with one argument"),
        (Model.predict, r"Function Model.predict is a method without its object: .*Model\(…\).predict"),
        (Model.nothing, "a method without its object"),
        (LinearRegression.fit, "a method without its object"),
        (Model, r"is the class Model, .*Model\(…\).predict"),
        (dict, "is the class dict"),
    ],
)
def test_what_cannot_be_a_model_is_refused_with_the_reason(func: Any, reason: str) -> None:
    with pytest.raises(ClipperException, match=reason):
        check_callable(func)


@pytest.mark.parametrize(
    "func",
    [
        one,
        defaulted,
        lambda *xs: xs,
        lambda xs, y=1: (xs, y),
        functools.partial(two, 1),
        functools.partial(two, y=1),
        functools.lru_cache(one),
        functools.singledispatch(one),
        with_another(two),
        Model(),
        Model().predict,
        Model.static,
        Model.of_class,
        LinearRegression().predict,
        len,
        max,
        sum,
        np.sum,
        np.vectorize(one),
        operator.itemgetter(0),
        str.upper,
    ],
)
def test_whatever_takes_one_argument_can_be_a_model(func: Any) -> None:
    check_callable(func)
