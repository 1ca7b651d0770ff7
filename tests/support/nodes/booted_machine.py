"""A machine that boots for the first time: a private copy of this one's disk, and commands on it."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Self

# Writes go to memory. The mounts are in a namespace, and end with its last process.
_MOUNT = """
mount -t tmpfs tmpfs "$0"
mkdir "$0/upper" "$0/work" "$0/disk"
mount -t overlay overlay -o "lowerdir=/,upperdir=$0/upper,workdir=$0/work" "$0/disk"
mount -t proc proc "$0/disk/proc"
mount --bind /dev "$0/disk/dev"
mount -t tmpfs tmpfs "$0/disk/run"
mount -t tmpfs tmpfs "$0/disk/tmp"
echo mounted
exec cat > /dev/null
"""
_STAND_INS = "/stand-ins"
_CALLS = "/calls"
_PATH = f"{_STAND_INS}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class BootedMachine:
    """A machine, mounted in `directory`, which is empty. Needs root."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._holder: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        command = ["unshare", "--mount", "sh", "-eu", "-c", _MOUNT, str(self._directory)]
        self._holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._holder.stdout is not None
        if self._holder.stdout.readline() != "mounted\n":
            raise RuntimeError("could not mount the machine's disk: see mount's own message above")
        return self

    def __exit__(self, *_: object) -> None:
        if self._holder is not None:
            self._holder.communicate()

    def run(
        self, *command: str, standard_input: str = "", environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command as root, and return its output and exit status."""
        assert self._holder is not None
        entered = ["nsenter", "--mount", f"--target={self._holder.pid}", "chroot", f"{self._directory}/disk"]
        return subprocess.run(
            [*entered, *command],
            input=standard_input,
            env={"PATH": _PATH, "LANG": "C.UTF-8", **(environment or {})},
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )

    def write(self, path: str, content: str, mode: str = "0644") -> None:
        """Write a file, and make its folders."""
        script = 'mkdir -p "$(dirname "$0")" && cat > "$0" && chmod "$1" "$0"'
        done = self.run("sh", "-c", script, path, mode, standard_input=content)
        assert done.returncode == 0, done.stderr

    def stand_in(self, name: str, script: str = "") -> None:
        """Make a program that records its call and then runs `script`."""
        self.write(f"{_STAND_INS}/{name}", f'#!/bin/sh\necho "{name} $*" >> {_CALLS}\n{script}\n', "0755")

    @property
    def calls(self) -> list[str]:
        """Return the calls of all stand-ins, in their order."""
        return self.read(_CALLS).splitlines()

    def exists(self, path: str) -> bool:
        """Return whether a path exists."""
        return self.run("test", "-e", path).returncode == 0

    def read(self, path: str) -> str:
        """Return a file's content."""
        done = self.run("cat", path)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def describe(self, path: str) -> str:
        """Return the mode and the owner of a file, as `640 root:consul`."""
        return self.run("stat", "--format=%a %U:%G", path).stdout.strip()
