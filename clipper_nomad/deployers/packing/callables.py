"""Callables that can be models: called with one argument, a batch, they return its outputs.

What cannot be one is refused before anything is pickled, with the reason and what to do.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from types import FunctionType, MethodType
from typing import Any

from clipper_nomad.errors import ClipperException

_CONTRACT = "A model is called with one argument, the batch of inputs, and returns a list of as many outputs"


def check_callable(func: Callable[..., Any], before: tuple[str, ...] = ()) -> None:
    """Raise ClipperException if `func` cannot be a model.

    `before` names the arguments that it gets before the batch, such as `model`.
    """
    require_callable(func)
    if isinstance(func, type):
        raise ClipperException(
            f"The model is the class {func.__qualname__}, and calling a class makes an object: pass a method "
            f"of an object, such as {func.__name__}(…).predict, or an object that can be called. {_CONTRACT}."
        )
    what = describe_callable(func)
    _refuse_kind(func, what)
    _refuse_signature(func, what, before)


def require_callable(func: object) -> None:
    """Raise ClipperException if `func` cannot be called at all."""
    if not callable(func):
        raise ClipperException(
            f"The model is {func!r}, which is not callable: pass a function, a bound method or the like."
        )


def _refuse_kind(func: Callable[..., Any], what: str) -> None:
    called = _find_called(func)
    if inspect.iscoroutinefunction(called) or inspect.isasyncgenfunction(called):
        raise ClipperException(
            f"{what} is an `async def`, which a replica does not await: pass a `def` that runs it with "
            "asyncio.run()."
        )
    if inspect.isgeneratorfunction(called):
        raise ClipperException(
            f"{what} is a generator, since it has a `yield`: collect the outputs in a list, and return it. "
            f"{_CONTRACT}."
        )
    if isinstance(func, FunctionType) and _is_method(func):
        class_name, _, name = func.__qualname__.rpartition(".")
        raise ClipperException(
            f"{what} is a method without its object: pass it with one, such as {class_name}(…).{name}."
        )


def _refuse_signature(func: Callable[..., Any], what: str, before: tuple[str, ...]) -> None:
    """Refuse what cannot be called with a batch. A decorator's own signature counts."""
    called: Any = func.__wrapped__ if _is_cache(func) else func  # type: ignore[attr-defined]
    try:
        signature = inspect.signature(called, follow_wrapped=False)
    except (TypeError, ValueError):
        # Functions in C need not have one.
        return
    parameters = [each.replace(annotation=each.empty) for each in signature.parameters.values()]
    signature = signature.replace(parameters=parameters, return_annotation=signature.empty)
    try:
        signature.bind(*before, None)
    except TypeError as exc:
        raise ClipperException(
            f"{what}{signature} {_fault(before)} ({exc}). {_contract(before)}: "
            "fix other arguments with functools.partial, or give them defaults."
        ) from None


def _fault(before: tuple[str, ...]) -> str:
    return f"cannot be called with {_arguments(before)}" if before else "cannot be called with one argument"


def _arguments(before: tuple[str, ...]) -> str:
    return f"({', '.join((*before, 'inputs'))})"


def _contract(before: tuple[str, ...]) -> str:
    if not before:
        return _CONTRACT
    return (
        f"The function is called as func{_arguments(before)} and returns a list of an output for each input"
    )


def _find_called(func: Any) -> Any:
    """Return the function that a partial, a bound method or an object that can be called runs."""
    while isinstance(func, functools.partial | MethodType):
        func = func.func if isinstance(func, functools.partial) else func.__func__
    if isinstance(func, FunctionType) or not hasattr(type(func), "__call__"):  # noqa: B004 - the type's own
        return func
    call = type(func).__call__
    return call if isinstance(call, FunctionType) else func


def _is_method(func: FunctionType) -> bool:
    """Return whether a plain function was taken from a class: it has its name, and takes an object first."""
    class_name = func.__qualname__.rpartition(".")[0]
    code = inspect.unwrap(func).__code__
    parameters = code.co_varnames[: code.co_argcount]
    return bool(class_name) and not class_name.endswith("<locals>") and parameters[:1] == ("self",)


def _is_cache(func: object) -> bool:
    return isinstance(func, functools._lru_cache_wrapper)


def describe_callable(func: Callable[..., Any]) -> str:
    """Return the words for a callable in messages: its name, else its text."""
    return f"Function {_name_of(func)}"


def _name_of(func: Any) -> str:
    if isinstance(func, functools.partial):
        return _name_of(func.func)
    return str(getattr(func, "__qualname__", None) or repr(func))
