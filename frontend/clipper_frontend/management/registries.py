"""The admin calls about the registry as a whole: whether it was lost, and its restoring."""

from __future__ import annotations

import asyncio

from clipper_frontend.errors import RegistryRefusal, RegistryReplaced
from clipper_frontend.management import answers, bodies
from clipper_frontend.registry.frontends import ASKED, WANTED, WITHDRAWN
from clipper_frontend.registry.store import Store

#: A query frontend looks for a request every three seconds.
_WAIT_S = 5.0
_POLL_S = 0.1
_DONE = "done "
_NOTHING = "No query frontend follows a registry that Redis has lost: there is nothing to put back"


async def get_registry(store: Store, body: bodies.Nothing) -> answers.Registry:  # noqa: ARG001 - a call's
    """Return whether Redis holds this frontend's registry, and which query frontends follow a lost one."""
    _, frontends = await store.request_restore(store.cluster_name, ASKED)
    return answers.Registry(is_followed=await _is_followed(store), followers_of_lost=frontends)


async def restore_registry(store: Store, body: bodies.Nothing) -> str:  # noqa: ARG001 - a call's
    """Have a query frontend put back the registry that Redis lost."""
    _, frontends = await store.request_restore(store.cluster_name, ASKED)
    if not frontends and await _is_followed(store):
        raise RegistryRefusal(_NOTHING)
    state, _ = await store.request_restore(store.cluster_name, WANTED)
    try:
        async with asyncio.timeout(_WAIT_S):
            while not state.startswith(_DONE):
                await asyncio.sleep(_POLL_S)
                state, _ = await store.request_restore(store.cluster_name, ASKED)
    except TimeoutError:
        await store.request_restore(store.cluster_name, WITHDRAWN)
        raise RegistryRefusal(_NOTHING) from None
    return f"Query frontend '{state.removeprefix(_DONE)}' has put the registry back"


async def _is_followed(store: Store) -> bool:
    try:
        await store.check_epoch()
    except RegistryReplaced:
        return False
    return True
