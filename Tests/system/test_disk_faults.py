"""A node whose disk fails while it publishes, replicates, cosigns, stores a document, stops or brings an old database up to
date: every call by which it writes fails in turn, once, or is the last one of the process.

Each time the node goes on by itself or is started again; its folder is sound, what it acknowledged is there, the others
were told nothing that it does not hold, and it publishes again. ENTENTE_TEST_SIZE=long takes every call, else some are
taken by chance; $ENTENTE_FAULT_SEED takes the same ones again. What fsync loses on a broken disk is not played here.
"""

import contextlib
import http.client
import os
import random
import signal

import pytest

import crashes
import faults
from alliance import Alliance, Refused, undo_newest_migration
from program import entente, eventually

LONG = os.environ.get("ENTENTE_TEST_SIZE") == "long"
NODE, OTHER = "pk", "sv"

pytestmark = [
    pytest.mark.skipif(bool(reason := faults.unavailable()), reason=reason or "-"),
    pytest.mark.timeout(5_400 if LONG else 300),
]


class Operations:
    """What the node does when a call fails, by name. Each is given the arguments of strace, and gives its trace."""

    def __init__(self, harness, folder):
        self.harness, self.folder = harness, folder
        self.node, self.other = harness.alliance[NODE], harness.alliance[OTHER]
        self.out = folder / "trace"
        self._number = 0

    def _traced(self, *fault, everywhere=False):
        arguments = faults.options(self.node, *(fault or (None,)), everywhere=everywhere)
        return faults.traced(self.node, *arguments, out=self.out)

    def _submit(self, name):
        """Publishes one statement; tells whether it was acknowledged."""
        statement = self.harness.statement(name)
        try:
            answer = self.harness.alliance[name].submit([statement], timeout=20)
        except (OSError, ValueError, http.client.HTTPException, Refused):
            return False
        self.harness.acknowledged[name].append((answer["first"], statement.encode()))
        return True

    def publish(self, *fault):
        with self._traced(*fault) as trace:
            if not self._submit(NODE):
                eventually(lambda: trace.hit, "the fault was met")
            else:
                # What comes after the answer: the note on the audit record, and the others' signatures.
                self._cosigned()
        return trace

    def replicate(self, *fault):
        with self._traced(*fault) as trace:
            assert self._submit(OTHER)
            size = self.other.log_of(OTHER)["entries"]
            eventually(lambda: trace.hit or self._holds(size), "the fault was met, or the log is held")
        return trace

    def cosign(self, *fault):
        """Stopped when what it replicated is durable, so that what comes next is the cosignature."""
        stop = ("-e", "inject=fdatasync:signal=SIGSTOP:when=1")
        with faults.traced(self.node, *faults.options(self.node, "fdatasync"), *stop, out=self.out) as trace:
            assert self._submit(OTHER)
            eventually(lambda: any("stopped by SIGSTOP" in line for line in trace.lines), "the node was stopped")
        try:
            with self._traced(*fault) as trace:
                self.node.process.send_signal(signal.SIGCONT)
                eventually(lambda: trace.hit or self._cosigned_other(), "the fault was met, or the log is cosigned")
            return trace
        finally:
            self.node.process.send_signal(signal.SIGCONT)

    def document(self, *fault):
        self._number += 1
        text = self.folder / f"act-{self._number}.md"
        text.write_text(f"# Act {self._number}\n")
        with self._traced(*fault, everywhere=True) as trace:
            done = self.node.cli(
                "publish", "document", text, "--work", f"/akn/pk/act/2026/{self._number}", "--date", "2026-11-22",
                "--title", "Act", "--sign-with", "ayesha", "--keys", self.node.keys, check=False,
            )  # fmt: skip
        assert done.returncode == 0 or trace.hit, done.stderr
        return trace

    def stop(self, *fault):
        with self._traced(*fault) as trace:
            self.node.end()
        return trace

    def migrate(self, *fault):
        """The database is as it was before the newest migration."""
        self.node.end()
        undo_newest_migration(self.node.folder)
        arguments = faults.options(self.node, *(fault or (None,)))
        trace = faults.launch_traced(self.node, *arguments, out=self.out)
        eventually(lambda: self._answers() or not self.node.runs, "the node answers, or has ended")
        if self.node.runs:
            faults.let_go(self.node)
        return trace

    def _answers(self):
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.node.status()

    def _holds(self, size):
        status = self._answers()
        return not status or any(log["member"] == OTHER and log["entries"] >= size for log in status["logs"])

    def _cosigned(self):
        status = self._answers()
        return not status or eventually(
            lambda: self.other.log_of(NODE)["entries"] >= self.harness.acknowledged[NODE][-1][0], "the other holds it"
        )

    def _cosigned_other(self):
        log = self.other.log_of(OTHER)
        return NODE in {holder["member"] for holder in log["heldBy"]} and log["head"] == log["entries"]


class Run:
    """An alliance whose first node's disk fails."""

    def __init__(self, made, seed):
        self.made, self.node = made, made[NODE]
        self.random = random.Random(seed)
        self.harness = crashes.Harness(made.folder, made, seed)
        self.operations = Operations(self.harness, made.folder)
        self.met = self.survived = 0

    def points(self, counts):
        """All calls that may fail, or one of each kind for each fault."""
        for call, count in sorted(counts.items()):
            for fault in faults.FAULTS if call in faults.WRITES else ("EIO", "kill"):
                numbers = range(1, count + 1)
                for number in numbers if LONG else [self.random.choice(numbers)]:
                    yield call, fault, number

    def play(self, operation):
        perform = getattr(self.operations, operation)
        if not self.node.runs:
            self.node.start()
        # Twice: what the tests before left in the database's log is moved by the first.
        for _ in range(2):
            counts = perform().counts()
            if not self.node.runs:
                self.node.start()
            self.harness._settled()
        if operation == "document":
            # The rest is looked at elsewhere, and "write" is what wakes threads as well.
            counts = {call: counts[call] for call in ("fsync", "rename")}
        assert counts, f"{operation} wrote nothing"
        hits = 0
        points = list(self.points(counts))
        for point in points:
            trace = perform(*point)
            hits += trace.hit
            try:
                self.afterwards(operation)
            except (Exception, pytest.fail.Exception) as error:
                raise AssertionError(f"{operation}: {point}: {error}\n" + "\n".join(trace.lines[-5:])) from error
        print(f"{operation}: {counts}; {len(points)} points, {hits} met")
        # Threads share the work differently each time, so a call with a high number may not come.
        # On a busy machine half of a few were not met once; none at all would be a test that tests nothing.
        assert hits * 4 >= len(points), f"of {len(points)} faults only {hits} were met"

    def afterwards(self, operation):
        if self.node.runs:
            # Nobody has to start it again: the next publication is taken in.
            self.operations._answers()
            assert self.operations._submit(NODE), f"a node that runs publishes nothing\n{self.node.log_tail(5)}"
            self.harness.check(NODE)
            self.survived += 1
            self.node.kill()
        if operation == "migrate":
            # An old database is not what a check knows: it is brought up to date first.
            self.node.start().kill()
        done = entente("fsck", "--data", self.node.folder, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        self.harness._back(NODE, settle=False)
        assert self.operations._submit(NODE)
        self.harness._settled()
        self.harness.check_acknowledged()


@pytest.fixture(scope="module")
def run(workspace, cheap_keys):
    seed = int(os.environ.get("ENTENTE_FAULT_SEED") or random.randrange(1 << 32))
    print(f"ENTENTE_FAULT_SEED={seed}")
    made = Alliance(workspace / "faults", cheap_keys, crashes.NODES)
    made.start()
    made.connected()
    for name in crashes.PUBLISHERS:
        made[name].submit(made[name].definition("vasp-licences"))
    made.converged()
    yield Run(made, seed)
    made.stop()


@pytest.mark.parametrize("operation", ["publish", "replicate", "cosign", "document", "stop", "migrate"])
def test_every_write_may_fail(run, operation):
    run.play(operation)


def test_the_audit_record_stands(run):
    """Lines that could not be written are counted in it, and what is written is a whole chain."""
    run.node.cli("audit")
