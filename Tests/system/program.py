"""The entente program: where it is, and how it is run."""

import os
import pathlib
import subprocess
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PASSPHRASE = "correct horse battery staple"


def program():
    """The program under test: $ENTENTE_BINARY, else the release build, else the debug build."""
    named = os.environ.get("ENTENTE_BINARY")
    if named:
        # A path that a Makefile or a shell gives is relative to where that runs.
        return pathlib.Path(named).resolve()
    for kind in ("release", "debug"):
        path = ROOT / ".build" / kind / "entente"
        if path.exists():
            return path
    pytest.fail("there is no entente; build it: swift build -c release --product entente", pytrace=False)


def environment(**more):
    """The environment of a command: the passphrase, and nothing of the caller's own settings of Entente."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ENTENTE_")}
    return kept | {"ENTENTE_PASSPHRASE": PASSPHRASE} | more


def entente(*arguments, cwd=None, timeout=60, check=True, env=None, text=True, stdin=None):
    """Runs a command and returns it completed."""
    command = [str(program()), *map(str, arguments)]
    done = subprocess.run(
        command,
        cwd=cwd,
        timeout=timeout,
        env=env or environment(),
        capture_output=True,
        text=text,
        **({"input": stdin} if stdin is not None else {"stdin": subprocess.DEVNULL}),
    )
    if check and done.returncode != 0:
        pytest.fail(f"{' '.join(command)}\nended with status {done.returncode}\n{done.stdout}{done.stderr}")
    return done


class Deadline:
    """A moment by which something must have happened."""

    def __init__(self, seconds):
        self.end = time.monotonic() + seconds

    @property
    def left(self):
        return max(0.0, self.end - time.monotonic())


def eventually(condition, what, seconds=30):
    """Asks until the condition gives something true, and returns it; fails at the deadline with the last value."""
    deadline = Deadline(seconds)
    while True:
        value = condition()
        if value:
            return value
        if not deadline.left:
            pytest.fail(f"not within {seconds} s: {what}; last: {value!r}")
        time.sleep(0.05)


def gone(what_is_left, what, seconds=30):
    """Asks until nothing is left; fails at the deadline with what still is."""
    left = []

    def none():
        left[:] = what_is_left()
        return not left

    try:
        eventually(none, what, seconds)
    except pytest.fail.Exception:
        pytest.fail(f"after {seconds} s {what}: {left}", pytrace=False)
