"""The power goes at any moment of what a node does: nothing that it acknowledged, cosigned or sent is lost, `entente fsck`
is content with what the disk holds, and a start goes on from there by itself.

Real nodes are recorded (recorder.c), the disk is rebuilt as of many moments (disks.py) and looked at (power.py).
ENTENTE_TEST_SIZE=long looks at 20,000 moments; $ENTENTE_POWER_POINTS says how many, $ENTENTE_POWER_SEED takes the same.
"""

import concurrent.futures
import contextlib
import hashlib
import os
import random
import shutil

import pytest

import crashes
import disks
import power
from alliance import Alliance, Refused, undo_newest_migration
from power import NODE, OBSERVER, OTHER, Recorded, Watch
from program import entente, eventually
from test_charters import all_under

LONG = os.environ.get("ENTENTE_TEST_SIZE") == "long"
POINTS = int(os.environ.get("ENTENTE_POWER_POINTS") or (20_000 if LONG else 1_000))
# One of so many moments is also started from.
STARTS = 25
ROWS = 120
# Of a hundred moments.
SHARES = {"node": 60, "migration": 10, "restore": 20, "backup": 10}

pytestmark = pytest.mark.timeout(14_400 if LONG else 900)


class Work:
    """What the recorded node does."""

    def __init__(self, folder, keys, library):
        self.folder, self.library = folder, library
        self.made = Alliance(folder, keys, crashes.NODES)
        self.node, self.other = self.made[NODE], self.made[OTHER]
        self.harness = crashes.Harness(folder, self.made, 0)
        shutil.rmtree(self.node.folder)
        self.node.folder = folder / "disk" / NODE
        self.made.start(OTHER, OBSERVER)
        self.recordings, self.documents, self.known = [], [], {}

    def recorded(self, title, top, name=NODE):
        made = Recorded(title, self.library, self.folder, top, name)
        self.recordings.append(made)
        return made

    def play(self):
        self._node()
        self._migration()
        self._backup_and_restore()

    def _node(self):
        """From `entente init` on: publications, an import, documents, another charter, a kill, a stop."""
        recorded = self.recorded("node", self.folder / "disk")
        with recorded.environment():
            self.node.initialise()
            recorded.log.mark(what="made")
            self.node.start()
            with Watch(recorded, self.made) as watch:
                self.made.connected()
                for name in crashes.PUBLISHERS:
                    self.made[name].submit(self.made[name].definition("vasp-licences"))
                    self.made[name].submit(self.made[name].definition("agreements"))
                self._publish(watch, 8)
                self._import(watch)
                self._document(recorded, self.node)
                self._document(recorded, self.other)
                self._charter(recorded)
                with self.harness.publishing(*crashes.PUBLISHERS):
                    eventually(lambda: len(self.harness.acknowledged[NODE]) > 10, "entries are acknowledged")
                    self.node.kill()
                self.node.start()
                self._publish(watch, 2)
                self.node.end()
                self.node.start()
                self._publish(watch, 2)
                self.made.converged()
                self.node.end()
            self.known = dict(watch.known)
        recorded.finish()

    def _migration(self):
        undo_newest_migration(self.node.folder)
        recorded = self.recorded("migration", self.folder / "disk")
        recorded.log.mark(what="made")
        recorded.log.mark(what="documents", value=self.documents)
        with recorded.environment(), Watch(recorded, self.made, self.known) as watch:
            self.node.start()
            self._publish(watch, 1)
            self.made.converged()
            self.node.end()
        recorded.finish()

    def _backup_and_restore(self):
        """A backup, after which more is published; then the node comes back out of it, and hears from the others."""
        recorded = self.recorded("backup", self.folder / "archive", None)
        file = recorded.top / "pk.tar"
        with recorded.environment():
            self.node.cli("backup", file, "--with-keys")
            recorded.log.mark(what="archive")
        recorded.finish()
        self.node.start()
        self.made.connected()
        self._publish(None, 2)
        self.made.converged()
        size = self.node.log_of(NODE)["entries"]
        self.node.end()
        recorded = self.recorded("restore", self.folder / "disk2")
        recorded.log.mark(what="elsewhere", value=size)
        self.node.folder = recorded.top / NODE
        with recorded.environment():
            entente("restore", file, "--data", self.node.folder)
            recorded.log.mark(what="made")
            recorded.log.mark(what="documents", value=self.documents)
            self.node.start()
            with Watch(recorded, [self.node]) as watch:
                # It takes back what is newer before it publishes.
                eventually(lambda: self.node.log_of(NODE)["entries"] >= size, "the node has its log back")
                eventually(lambda: not (self.node.folder / "restored").exists() or self._tries(), "it publishes again")
                self._publish(watch, 2)
                self.made.converged()
                self.node.end()
        recorded.finish()

    def _tries(self):
        with contextlib.suppress(Refused):
            self._publish(None, 1)

    def _publish(self, watch, count):
        for _ in range(count):
            for name in crashes.PUBLISHERS:
                answer = self.made[name].submit([self.harness.statement(name)])
                if watch and name == NODE:
                    watch.note("entries", name, answer["size"])
                self.other.receipts(name, answer["first"], [NODE if name == OTHER else OTHER])

    def _import(self, watch):
        file, plan = self.folder / "rows.csv", self.folder / "rows.plan"
        rows = [f"R-{row},signed,2026-01-01,R-{row},Agreement {row},treaty,Pakistan|Other\n" for row in range(ROWS)]
        file.write_text("key,status,validFrom,agreement,title,kind,parties\n" + "".join(rows))
        self.node.cli("import", "agreements", file, "--plan", plan)
        entente("sign", plan, "--key", "ayesha", "--keys", self.node.keys)
        size = self.node.log_of(NODE)["entries"]
        self.node.cli("submit", plan, "--anyway")
        watch.note("entries", NODE, size + ROWS)
        self.made.converged()

    def _document(self, recorded, at):
        """A document of more than one sector; held here by those who publish it, and by those who want none any more."""
        text = self.folder / f"act-{at.name}.md"
        text.write_text(f"# An act of {at.title}\n" + "".join(f"Paragraph {number}.\n" for number in range(5_000)))
        at.cli(
            "publish", "document", text, "--work", f"/akn/{at.name}/act/2026/1", "--date", "2026-11-22",
            "--title", "Act", "--sign-with", "ayesha", "--keys", at.keys,
        )  # fmt: skip
        self.made.converged()
        eventually(lambda: self.node.status()["documents"]["wanted"] == 0, "the node has the document")
        self.documents.append(hashlib.sha256(text.read_bytes()).hexdigest())
        recorded.log.mark(what="documents", value=list(self.documents))

    def _charter(self, recorded):
        path = self.folder / "2.charter"
        self.other.cli("charter", "propose", "--name", "Another name", "--out", path)
        for name in crashes.PUBLISHERS:
            node = self.made[name]
            entente(
                "charter", "sign", path, "--previous", self.made.charter, "--key", "root-1", "--keys", node.keys
            )
        self.other.cli("charter", "adopt", path)
        all_under(self.made, 2)
        recorded.log.mark(what="charter", value=2)


@pytest.fixture(scope="module")
def work(workspace, cheap_keys):
    made = Work(workspace / "power", cheap_keys, disks.build(workspace))
    try:
        made.play()
    finally:
        made.made.stop()
    return made


def losses(work, seed, count, every=STARTS, lies=False):
    """What is wrong after a loss of power at so many moments of all recordings, looked at by several processes."""
    folder = work.folder / f"points-{seed}-{lies}"
    folder.mkdir()
    jobs, shares = [], os.cpu_count() * 2
    for recorded in work.recordings:
        moments = power.Points(recorded, seed).choose(max(1, count * SHARES[recorded.title] // 100))
        size = -(-len(moments) // shares)
        numbered = list(enumerate(moments))
        jobs += [(recorded, seed, numbered[at : at + size], folder, every, lies) for at in range(0, len(moments), size)]
    with concurrent.futures.ProcessPoolExecutor(os.cpu_count()) as pool:
        return [one for found in pool.map(power.share, *zip(*jobs)) for one in found]


def test_nothing_is_lost(work):
    seed = int(os.environ.get("ENTENTE_POWER_SEED") or random.randrange(1 << 32))
    print(f"ENTENTE_POWER_SEED={seed}")
    for recorded in work.recordings:
        print(f"{recorded.title}: {recorded.calls} calls")
    wrong = losses(work, seed, POINTS)
    assert not wrong, f"{len(wrong)} of {POINTS} moments:\n" + "\n".join(wrong[:20])


def test_a_disk_that_lies_is_noticed(work):
    """Were the database's log not synced before something is told, it would be found."""
    wrong = losses(work, 0, 100, lies=True)
    assert any("it had told of" in one for one in wrong), wrong
