"""Failing system calls of a real node: strace counts what it writes to its disk, and makes one chosen call fail."""

import collections
import contextlib
import os
import pathlib
import re
import shutil
import signal
import subprocess

import pytest

from program import environment, eventually, program

# What a fault does to the call that it hits. With "short", the call says that nothing was written; with "kill" the
# process is gone before the call is made.
FAULTS = {"EIO": "error=EIO", "ENOSPC": "error=ENOSPC", "short": "retval=0", "kill": "signal=SIGKILL"}
WRITES = ("write", "pwrite64")
# By the name that the counts have: what strace is told, since a machine may lack one of them.
CALLS = {
    "write": "write",
    "pwrite64": "pwrite64",
    "fdatasync": "fdatasync",
    "fsync": "fsync",
    "rename": "/^rename",
    "ftruncate": "ftruncate",
    "unlink": "/^unlink",
}


def unavailable():
    """Why faults cannot be injected here; None where they can."""
    if not shutil.which("strace"):
        return "there is no strace"
    sleeper = subprocess.Popen(["sleep", "60"])
    try:
        tracer = subprocess.Popen(
            ["strace", "-qq", "-o", "/dev/null", "-p", str(sleeper.pid)], stderr=subprocess.PIPE, text=True
        )
        try:
            _, said = tracer.communicate(timeout=1)
        except subprocess.TimeoutExpired:
            tracer.terminate()
            tracer.wait()
            return None
        return f"ptrace is not permitted here: {said.strip()}"
    finally:
        sleeper.kill()
        sleeper.wait()


def files(node):
    """The files that a node writes while it runs; documents have names of their own."""
    return [node.folder / name for name in ("entente.sqlite", "entente.sqlite-wal", "audit.jsonl")]


def options(node, call, fault=None, number=1, everywhere=False):
    """Arguments of strace: the calls to look at, and which of them fails. Each thread's calls are counted alone."""
    kinds = CALLS.values() if call is None else [CALLS[call]]
    made = ["-f", "-qq", "-e", f"trace={','.join(kinds)}"]
    if not everywhere:
        made += [part for path in files(node) for part in ("-P", str(path))]
    if fault:
        made += ["-e", f"inject={CALLS[call]}:{FAULTS[fault]}:when={number}"]
    return made


class Trace:
    """What strace wrote."""

    _call = re.compile(r"^(\d+) +(\w+)\(")

    def __init__(self, path):
        self.path = path

    @property
    def lines(self):
        return self.path.read_text(errors="replace").splitlines() if self.path.exists() else []

    @property
    def hit(self):
        """Whether a fault was met. A process that is killed at a call is not told of as "injected"."""
        return self.killed or any("(INJECTED)" in line for line in self.lines)

    @property
    def killed(self):
        return any("killed by SIGKILL" in line for line in self.lines)

    def counts(self):
        """The most calls of one thread, by name."""
        threads = collections.Counter()
        for line in self.lines:
            if found := self._call.match(line):
                name = next((name for name in CALLS if found[2].startswith(name)), found[2])
                threads[name, found[1]] += 1
        most = {}
        for (name, _), count in threads.items():
            most[name] = max(most.get(name, 0), count)
        return most


@contextlib.contextmanager
def traced(node, *arguments, out):
    """The running node under strace, until the block ends."""
    out.unlink(missing_ok=True)
    pid = node.process.pid
    tracer = subprocess.Popen(["strace", *arguments, "-o", out, "-p", str(pid)], stderr=subprocess.PIPE, text=True)

    def attached():
        assert tracer.poll() is None, tracer.stderr.read()
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(FileNotFoundError):
                if f"TracerPid:\t{tracer.pid}" not in (task / "status").read_text():
                    return False
        return True

    try:
        eventually(attached, "strace has the node")
        yield Trace(out)
    finally:
        if tracer.poll() is None:
            # Of a process that was killed there is nothing to let go, and strace may still wait for its last thread.
            (tracer.kill if Trace(out).killed or not node.runs else tracer.terminate)()
        if Trace(out).killed:
            node.process.wait(timeout=10)
        try:
            tracer.wait(timeout=10)
        except subprocess.TimeoutExpired:
            tracer.kill()
            tracer.wait()
            pytest.fail("strace did not let the node go")


def launch_traced(node, *arguments, out):
    """Starts a node under strace; the process is the node's own."""
    out.unlink(missing_ok=True)
    with open(node.log, "ab") as log:
        node.process = subprocess.Popen(
            ["strace", "-D", "-I", "2", *arguments, "-o", out, program(), "node", "--data", node.folder],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment(),
            start_new_session=True,
        )
    return Trace(out)


def let_go(node):
    """Ends the strace under which a node was started; the node runs on."""
    status = pathlib.Path(f"/proc/{node.process.pid}/status")

    def tracer():
        return int(re.search(r"TracerPid:\t(\d+)", status.read_text())[1])

    os.kill(tracer(), signal.SIGTERM)
    eventually(lambda: not tracer(), "strace has let the node go")
