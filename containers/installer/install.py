"""The installer of packages into a virtual environment: an image's first stage runs it, the last copies that.

It reads `requirements.txt` beside this file and, if it is there, `ca-certificates.pem`: certificates to trust
besides those that pip trusts anyway. The index comes from pip's own variables. pip itself stays behind in
/opt/pip.
"""

import argparse
import os
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

HERE = Path(__file__).resolve().parent
PIP_ENVIRONMENT = "/opt/pip"
OPTIONS = ("--no-cache-dir", "--no-input", "--disable-pip-version-check", "--progress-bar=off")


def main() -> None:
    """Make the environment and install into it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("environment", type=Path)
    parser.add_argument("--behind", type=Path, help="an environment whose packages can be imported too")
    parser.add_argument(
        "--locked", action="store_true", help="install the requirements alone, without theirs"
    )
    args = parser.parse_args()
    run(sys.executable, "-m", "venv", "--without-pip", args.environment)
    if args.behind:
        show_packages(args.environment, args.behind)
    requirements = HERE / "requirements.txt"
    if all(map(is_here, requirements.read_text().splitlines())):
        # All requirements are installed already: no index is needed.
        return
    run(sys.executable, "-m", "venv", PIP_ENVIRONMENT)
    trust_certificates(HERE / "ca-certificates.pem")
    no_others = ["--no-deps"] if args.locked else []
    pip = (f"{PIP_ENVIRONMENT}/bin/python", "-m", "pip", "--python", args.environment / "bin" / "python")
    run(*pip, "install", *OPTIONS, *no_others, "-r", requirements)


def is_here(requirement: str) -> bool:
    """Return whether this interpreter has exactly the required version, given as `name==version`."""
    name, _, wanted = requirement.partition("==")
    try:
        return version(name) == wanted
    except (PackageNotFoundError, ValueError):
        return False


def show_packages(environment: Path, behind: Path) -> None:
    """Make the packages of another environment importable, after the environment's own."""
    target = next((environment / "lib").glob("python*/site-packages"))
    seen = next((behind / "lib").glob("python*/site-packages"))
    # addsitedir instead of the bare path, so that .pth files there work too.
    (target / "zz_behind.pth").write_text(f"import site; site.addsitedir({str(seen)!r})\n")


def trust_certificates(extra: Path) -> None:
    """Make pip trust further certificates."""
    if not extra.exists():
        return
    script = "from pip._vendor import certifi; print(certifi.where())"
    command = [f"{PIP_ENVIRONMENT}/bin/python", "-c", script]
    usual = Path(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip())
    bundle = HERE / "all-certificates.pem"
    bundle.write_bytes((usual.read_bytes() + b"\n" if usual.exists() else b"") + extra.read_bytes())
    os.environ["PIP_CERT"] = str(bundle)


def run(*command: object) -> None:
    """Run a command, and exit with its exit code if it fails: its own output explains why."""
    done = subprocess.run([str(part) for part in command], check=False)
    if done.returncode:
        sys.exit(done.returncode)


if __name__ == "__main__":
    main()
