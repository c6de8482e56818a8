"""Two copies of one node, started at moments that nobody chose: the one that started later goes on, the earlier one stands down, no
forked head gets a quorum, and nothing that a quorum held is lost.

ENTENTE_TEST_SIZE=long makes 100 twins and 100 restores; $ENTENTE_TWIN_SEED replays the choices of one run.
"""

import json
import os
import random
import shutil
import socket
import sqlite3
import subprocess
import threading
import time

import pytest

from alliance import Alliance, Node, Refused
from program import entente, environment, eventually, program
from tunnel import Forwarder

LONG = os.environ.get("ENTENTE_TEST_SIZE") == "long"
ROUNDS = 100 if LONG else 20
OTHERS = ("sv", "us", "imf")


class Copies:
    """An alliance of four whose first member's node is copied and put back again and again."""

    def __init__(self, folder, keys, seed):
        self.random = random.Random(seed)
        # Where others reach the member: whichever copy goes on.
        self.way = Forwarder(None)
        address = f"https://127.0.0.1:{self.way.port}"
        self.alliance = Alliance(folder, keys, ("pk", *OTHERS), addresses={"pk": address})
        self.folder = folder
        self.pk = self.alliance["pk"]
        self.way.target = self.pk.port
        self.count = 0
        # Acknowledged, with the index, and seen with a quorum.
        self.held = {}

    def copy(self, *arguments):
        """A folder with what the node's folder holds now, as a copying tool would leave it, ready to be started."""
        self.count += 1
        folder = self.folder / f"pk-{self.count}"
        shutil.copytree(self.pk.folder, folder, ignore=shutil.ignore_patterns("control.sock*", "lock", "*-shm"))
        return folder

    def twin_in(self, folder):
        """The same member's node in another folder and at another port."""
        twin = Node(self.alliance, "pk", True, None)
        twin.folder, twin.log = folder, self.folder / f"{folder.name}.log"
        self.way.target = twin.port
        return twin

    def publish(self, node, quorum=True):
        self.count += 1
        key = f"PK-{self.count}"
        index = node.publish(key)["first"]
        if quorum:
            holders = eventually(
                lambda: [one for one in self.holders(node, index)] or None, f"{key} is held by a quorum", 60
            )
            assert len(holders) >= 2
            self.held[key] = index
        return key

    def holders(self, node, index):
        answer = node.get("/v1/receipts", member="pk", index=index)
        held = [one["member"] for one in answer["holders"] if one["held"]]
        return held if len(held) >= 2 else []

    def check(self, node):
        """Everybody holds everything that a quorum held, in its place, and nobody calls the log forked."""
        for other in (node, *(self.alliance[name] for name in OTHERS)):
            eventually(lambda: other.log_of("pk")["problem"] is None, f"{other.name} finds nothing wrong", 60)
            assert other.get("/v1/forks")["forks"] == []
        everywhere = lambda: len({other.log_of("pk")["root"] for other in (node, *map(self.alliance.__getitem__, OTHERS))}) == 1  # noqa: E731
        eventually(everywhere, "all hold one log of pk", 60)
        for name in OTHERS:
            for key in self.held:
                assert self.alliance[name].row("vasp-licences", key, "pk"), f"{name} lost {key}"


class Switch(Forwarder):
    """A way between two nodes that can be closed for a while."""

    is_open = True

    def _dial(self, near):
        return super()._dial(near) if self.is_open else (None, None)

    def set(self, is_open):
        self.is_open = is_open
        if not is_open:
            self.cut()


def nowhere():
    """A port at which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def as_a_snapshot(folder):
    """Makes a copied folder look as in a snapshot of the whole disk, where the database keeps its inode."""
    database = folder / "entente.sqlite"
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE own_incarnation SET file = ?", [os.stat(database).st_ino])
    connection.close()


def give_keys(source, folder):
    """The keys, which no backup holds."""
    for path in source.rglob("*.key"):
        to = folder / path.relative_to(source)
        to.parent.mkdir(exist_ok=True)
        shutil.copy(path, to)


def concerns(node):
    return {one["code"]: one["text"] for one in node.status()["concerns"]}


@pytest.fixture
def copies(workspace, cheap_keys):
    seed = int(os.environ.get("ENTENTE_TWIN_SEED") or random.randrange(1 << 32))
    print(f"ENTENTE_TWIN_SEED={seed}")
    made = Copies(workspace / f"twins-{seed}", cheap_keys, seed)
    made.alliance.start()
    made.alliance.connected()
    yield made
    made.alliance.stop()
    made.pk.kill()
    made.way.close()


@pytest.mark.timeout(3600)
def test_the_copy_that_started_later_goes_on(copies):
    """Copies of all ages, of a stopped or of a running node, are started while the first one publishes."""
    for round in range(ROUNDS):
        first = copies.pk
        for _ in range(copies.random.randrange(3)):
            copies.publish(first)
        if copies.random.random() < 0.5:
            # A copy of the folder of a node that was stopped for a moment.
            first.end()
            folder = copies.copy()
            first.start("--listen", f"127.0.0.1:{first.port}")
        else:
            # One of a running node, as its backup has it; nothing marks it.
            backup = copies.folder / f"{round}.tar"
            first.cli("backup", backup)
            folder = copies.folder / f"pk-backup-{round}"
            entente("restore", backup, "--data", folder, "--no-check")
            give_keys(first.folder, folder)
            if copies.random.random() < 0.5:
                (folder / "restored").unlink()
        for _ in range(copies.random.randrange(3)):
            copies.publish(first)
        stop = threading.Event()

        def publish_on(node=first):
            while not stop.is_set():
                try:
                    copies.publish(node, quorum=False)
                except (OSError, Refused):
                    time.sleep(0.01)

        publishing = threading.Thread(target=publish_on)
        publishing.start()
        twin = copies.twin_in(folder)
        try:
            time.sleep(copies.random.random() * 0.2)
            twin.start("--listen", f"127.0.0.1:{twin.port}")
            eventually(lambda: "superseded" in concerns(first), "the first copy stands down", 60)
        finally:
            stop.set()
            publishing.join()
        with pytest.raises(Refused) as error:
            first.publish("PK-NEVER")
        assert "another copy of this node was started later" in error.value.error["reason"]
        assert [one for one in first.status()["peers"] if one["state"] == "connected"] == []
        eventually(lambda: not {"starting", "restored"} & set(concerns(twin)), f"the later copy may publish: {concerns(twin)}", 60)
        if round % 5 == 0:
            said = subprocess.run(
                [program(), "status", "--data", first.folder], capture_output=True, text=True, env=environment()
            )
            assert said.returncode == 2 and "another copy of this node" in said.stdout
        first.end()
        copies.pk = twin
        copies.publish(twin)
        copies.check(twin)


@pytest.mark.timeout(3600)
def test_restores_at_any_moment(copies):
    """A backup of any age is restored; one of the others may be away meanwhile, and comes back."""
    backups = []
    for round in range(ROUNDS):
        node = copies.pk
        for _ in range(copies.random.randrange(3)):
            copies.publish(node)
        if not backups or copies.random.random() < 0.5:
            backups.append(copies.folder / f"{round}.tar")
            node.cli("backup", backups[-1])
        for _ in range(copies.random.randrange(3)):
            copies.publish(node, quorum=False)
        away = copies.alliance[copies.random.choice(OTHERS)] if copies.random.random() < 0.4 else None
        if away:
            away.end()
        node.kill() if copies.random.random() < 0.5 else node.end()
        folder = copies.folder / f"restored-{round}"
        entente("restore", copies.random.choice(backups), "--data", folder)
        give_keys(node.folder, folder)
        again = copies.twin_in(folder)
        again.start("--listen", f"127.0.0.1:{again.port}")
        if away:
            eventually(lambda: away.name in concerns(again).get("starting", ""), f"it waits for {away.name}", 60)
            with pytest.raises(Refused):
                again.publish("PK-TOO-EARLY")
            away.start()
        eventually(lambda: "starting" not in concerns(again), f"it may publish: {concerns(again)}", 60)
        copies.pk = again
        copies.publish(again)
        copies.check(again)


@pytest.mark.timeout(300)
def test_parted_twins(workspace, cheap_keys):
    """Two copies on two sides of a cut both publish. The earlier one gets no quorum there; when the network is whole again it is told and
    stands down, the fork is proven everywhere, and what the later one published stands."""
    made = Alliance(workspace / "parted", cheap_keys, ("pk", *OTHERS))
    pk, sv, us, imf = made
    ways = [Switch(node.port) for node in (sv, us, sv, us)]
    dead = nowhere()
    try:
        for node in (sv, us):
            node.launch("--peer", f"pk={dead}", "--peer", f"imf={dead}")
        through = lambda one, other: ("--peer", f"sv=127.0.0.1:{one.port}", "--peer", f"us=127.0.0.1:{other.port}")  # noqa: E731
        imf.launch(*through(*ways[:2]))
        pk.launch(*through(*ways[2:]))
        for node in made:
            node.answers()
        made.connected(seconds=60)
        shared = pk.publish("SHARED")["first"]
        pk.receipts("pk", shared, OTHERS)
        # Of the running node: a copy that is older than its last start is found out by the start's number.
        folder = made.folder / "pk-twin"
        pk.cli("backup", made.folder / "pk.tar")
        entente("restore", made.folder / "pk.tar", "--data", folder, "--no-check")
        give_keys(pk.folder, folder)
        (folder / "restored").unlink()
        as_a_snapshot(folder)

        for way in ways:
            way.set(False)
        eventually(lambda: all(one["member"] == "imf" for one in pk.status()["peers"] if one["state"] == "connected"), "pk is cut off")
        twin = Node(made, "pk", True, None)
        twin.folder, twin.log = folder, made.folder / "twin.log"
        twin.start("--listen", f"127.0.0.1:{twin.port}", "--peer", f"imf={dead}")
        later = twin.publish("LATER")["first"]
        twin.receipts("pk", later, ["sv", "us"])
        earlier = pk.publish("EARLIER")["first"]
        pk.receipts("pk", earlier, ["imf"])
        assert earlier == later
        held = [one["member"] for one in pk.get("/v1/receipts", member="pk", index=earlier)["holders"] if one["held"]]
        assert held == ["imf"], "no quorum on this side"

        for way in ways:
            way.set(True)
        eventually(lambda: "superseded" in concerns(pk), "the earlier copy stands down", 60)
        assert "superseded" not in concerns(twin)
        for node in (sv, us, imf, twin):
            eventually(lambda: node.get("/v1/forks")["forks"], f"{node.name} has the proof of the fork", 60)
        # The earlier copy's story had no quorum: whoever held it sets it aside, and takes the other one in.
        eventually(lambda: imf.row("vasp-licences", "LATER", "pk"), "imf holds what a quorum cosigned", 60)
        for node in (sv, us, imf):
            assert node.row("vasp-licences", "LATER", "pk") and not node.row("vasp-licences", "EARLIER", "pk")
            proof = made.folder / f"{node.name}.entente-proof"
            proof.write_bytes(node.prove("vasp-licences", "LATER", "pk"))
            entente("verify", proof, "--charter", made.charter, "--expect", "authorised")
        aside = json.loads(imf.cli("fork", "show", "pk", "--aside", "0", "--json").stdout)
        assert "EARLIER" in json.dumps(aside), "what was set aside can be looked at"
        twin.kill()
    finally:
        made.stop()
        for way in ways:
            way.close()
