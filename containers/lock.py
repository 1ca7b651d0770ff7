"""The images' lock files, written from the environment that runs this script, which is the tested one.

    python containers/lock.py

Each `requirements.txt` pins the packages that an image installs besides this project: the distributions
below, and all their requirements.
"""

from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_SHARED = ("dnspython", "msgspec", "prometheus_client", "redis[hiredis]")
DIRECT = {
    "query-frontend": (*_SHARED, "aiohttp", "httptools", "numpy", "pyzmq", "uvloop"),
    "management-frontend": (*_SHARED, "aiohttp", "numpy"),
    "python-runtime": tuple(distribution("clipper-container").requires or ()),
}
#: redis requires this on Pythons older than the tested one, such as Debian bookworm's.
ELSEWHERE = {"redis": 'async-timeout==5.0.1 ; python_full_version < "3.11.3"'}
HEADER = "# Written by containers/lock.py from the environment that is tested.\n"


def main() -> None:
    """Write all lock files."""
    for component, direct in DIRECT.items():
        path = Path(__file__).parent / component / "requirements.txt"
        path.write_text(render(direct))


def render(direct: tuple[str, ...]) -> str:
    """Return the lock file for these direct requirements."""
    names = find_all(direct)
    pins = [f"{name}=={distribution(name).version}" for name in names]
    pins += [pin for name, pin in ELSEWHERE.items() if name in names]
    return HEADER + "".join(f"{pin}\n" for pin in sorted(pins))


def find_all(direct: tuple[str, ...]) -> set[str]:
    """Return the names of all distributions that are required, directly or indirectly."""
    found: set[str] = set()
    pending = [(Requirement(text), "") for text in direct]
    seen: set[str] = set()
    while pending:
        requirement, extra = pending.pop()
        if str(requirement) in seen or not applies(requirement, extra):
            continue
        seen.add(str(requirement))
        found.add(canonicalize_name(requirement.name))
        needs = [Requirement(text) for text in distribution(requirement.name).requires or ()]
        pending += [(need, wanted) for need in needs for wanted in ("", *requirement.extras)]
    return found


def applies(requirement: Requirement, extra: str) -> bool:
    """Return whether a requirement applies here, for an extra or for none."""
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


if __name__ == "__main__":
    main()
