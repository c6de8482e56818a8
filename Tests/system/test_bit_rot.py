"""One bit flips somewhere in a stopped node's folder: `entente fsck` says so, or the start refuses and says why, or nothing
that the node holds or says has changed. Nothing is signed over it, and what can be repaired comes back from the peers.

ENTENTE_TEST_SIZE=long flips 10,000 bits; $ENTENTE_ROT_FLIPS says how many, $ENTENTE_ROT_SEED takes the same ones again.
"""

import collections
import concurrent.futures
import contextlib
import http.client
import json
import os
import pathlib
import random
import shutil
import sqlite3
import subprocess
import tempfile

import pytest

import crashes
from alliance import Alliance, SocketConnection, waiving
from program import entente, environment, eventually, program

LONG = os.environ.get("ENTENTE_TEST_SIZE") == "long"
FLIPS = int(os.environ.get("ENTENTE_ROT_FLIPS") or (10_000 if LONG else 1_000))
# One of so many flips is also started from, or repaired.
STARTS, REPAIRS = 20, 40
NODE = "pk"
ALONE = waiving(name for name in crashes.NODES if name != NODE)
# What a check does not look at; a start does, or the next renewal.
UNCHECKED = ("keys/", "tls/", "config.json", "roster.jws", "audit.jsonl", "lock", "control.sock.lock")

pytestmark = pytest.mark.timeout(14_400 if LONG else 900)


class Base:
    """A folder as a node left it, and copies of it in which one bit differs."""

    def __init__(self, folder, node, title):
        self.folder, self.title = folder / title, title
        shutil.copytree(node.folder, self.folder, ignore=shutil.ignore_patterns("*.sock", "*-shm"))
        self.paths = sorted(
            str(path.relative_to(self.folder))
            for path in self.folder.rglob("*")
            if path.is_file() and path.stat().st_size
        )
        self.contents = contents(self.folder / "entente.sqlite")

    def choose(self, chance):
        """A file and a bit of it: as often by the byte as by the file."""
        sizes = [(self.folder / path).stat().st_size for path in self.paths]
        path = chance.choices(self.paths, sizes if chance.random() < 0.8 else None)[0]
        return path, chance.randrange(8 * (self.folder / path).stat().st_size)

    def flipped(self, target, path, bit, whole=False):
        """All but that file are links to the base, unless somebody is going to write."""
        def copy(source, made):
            if whole or source.endswith(("/lock", path)):
                shutil.copy(source, made)
            else:
                os.link(source, made)

        shutil.copytree(self.folder, target, copy_function=copy)
        content = bytearray((target / path).read_bytes())
        content[bit // 8] ^= 1 << bit % 8
        (target / path).write_bytes(content)
        return target


def contents(path):
    """All rows of a database, by table; None where it cannot be read. A copy is looked at: SQLite moves its log when it
    closes a database."""
    with tempfile.TemporaryDirectory() as folder:
        for file in (path, path.with_name(f"{path.name}-wal")):
            if file.exists():
                shutil.copy(file, folder)
        return rows(pathlib.Path(folder) / path.name)


def rows(path):
    connection = sqlite3.connect(path)
    connection.text_factory = bytes
    try:
        names = [name.decode() for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: connection.execute(f'SELECT * FROM "{name}"').fetchall() for name in names}
    except sqlite3.DatabaseError:
        return None
    finally:
        connection.close()


def run(*arguments):
    """A command that ends by itself, in time, and says why where it does not do what it was told."""
    done = entente(*arguments, check=False, timeout=60)
    assert done.returncode in (0, 1, 2), f"{arguments[0]} ended with {done.returncode}: {done.stderr[-500:]}"
    assert done.returncode != 1 or done.stderr.strip(), f"{arguments[0]} does not say why it failed"
    return done


class Rot:
    """Looks at one flip after the other."""

    def __init__(self, bases, seed, folder, statement):
        self.bases, self.seed, self.folder, self.statement = bases, seed, pathlib.Path(folder), statement
        self.found = collections.Counter()

    def flip(self, number):
        chance = random.Random(f"{self.seed} {number}")
        base = chance.choice(self.bases)
        path, bit = base.choose(chance)
        target = self.folder / f"f{number}"
        where = f"flip {number} of seed {self.seed}: {base.title}, {path}, bit {bit}"
        try:
            base.flipped(target, path, bit)
            kind = self._check(base, target, path)
            shutil.rmtree(target)
            if kind == "to start" or number % STARTS == 0:
                base.flipped(target, path, bit, whole=True)
                kind = self._start(base, target, path)
                shutil.rmtree(target)
            self.found[kind] += 1
        except (AssertionError, subprocess.TimeoutExpired, pytest.fail.Exception, sqlite3.Error) as error:
            return f"{where}: {error}"
        return None

    @staticmethod
    def _check(base, folder, path):
        done = run("fsck", "--json", "--data", folder)
        if done.returncode == 2:
            return "found by fsck"
        if done.returncode == 1:
            return "refused by fsck"
        if path.startswith(UNCHECKED):
            return "to start"
        if contents(folder / "entente.sqlite") == base.contents:
            return "harmless"
        assert path.endswith("-wal"), "something else is stored, and fsck is content"
        return "to start"

    def _start(self, base, folder, path):
        """A node without its peers: what it publishes stands behind what was there, or it publishes nothing."""
        before = codes(folder)
        log = folder.with_suffix(".log")
        with open(log, "wb") as output:
            process = subprocess.Popen(
                [program(), "node", "--data", folder, "--listen", "none", "--control-socket", folder / "s", *ALONE],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment(),
            )  # fmt: skip
        try:
            if not self._answers(process, folder):
                assert process.returncode == 1, f"the node ended with {process.returncode}: {tail(log)}"
                assert "entente: " in tail(log), f"the node does not say why it does not start: {tail(log)}"
                return "refused at the start"
            published = self._publish(folder)
        finally:
            process.terminate()
            process.wait(timeout=30)
        assert process.returncode in (0, 1), f"the node ended with {process.returncode}: {tail(log)}"
        self._compare(base, folder, published, path)
        # What is damaged is found; what else follows from that may show only once something is looked up again.
        assert before or not codes(folder), f"after a start: {codes(folder)}, and nothing before"
        return "started, and published" if published else "started, and published nothing"

    @staticmethod
    def _answers(process, folder):
        def state():
            if process.poll() is not None:
                return "ended"
            with contextlib.suppress(OSError, http.client.HTTPException):
                return "runs" if Rot._ask(folder, "GET", "/v1/status") else None

        return eventually(state, "the node answers or ends", 60) == "runs"

    @staticmethod
    def _ask(folder, method, path, body=None):
        connection = SocketConnection(folder / "s", 30)
        try:
            connection.request(method, path, body=body)
            response = connection.getresponse()
            answer = response.read()
            return answer if response.status < 300 else None
        finally:
            connection.close()

    def _publish(self, folder):
        # Without peers nobody brings back what was lost; the node says so at once, and would be asked in vain for ten seconds.
        if any("was published up to" in one["text"] for one in json.loads(self._ask(folder, "GET", "/v1/status"))["concerns"]):
            return False
        body = json.dumps({"statements": [self.statement]}).encode()
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self._ask(folder, "POST", "/v1/submit", body) is not None
        return False

    @staticmethod
    def _compare(base, folder, published, path):
        """Own entries: none is lost where something new was signed. What stood there stands, but for the flipped row."""
        made = contents(folder / "entente.sqlite")
        if made is None:
            assert not published
            return
        own = next(row[0] for row in base.contents["log"] if row[1].startswith(NODE.encode()))
        was = {key: packed for key, packed in base.contents["entry"] if key >> 44 == own}
        now = {key: packed for key, packed in made.get("entry", []) if key >> 44 == own}
        if published:
            differing = [key for key in was if now.get(key) != was[key]]
            assert len(differing) <= (0 if path.endswith("-wal") else 1), f"{len(differing)} entries are others"


def codes(folder):
    done = run("fsck", "--json", "--data", folder)
    return set(json.loads(done.stdout)["counts"]) if done.returncode == 2 else set()


def tail(log):
    return log.read_text(errors="replace")[-800:]


def share(bases, seed, numbers, folder, statement):
    rot = Rot(bases, seed, folder, statement)
    return [one for one in map(rot.flip, numbers) if one], rot.found


class Made:
    def __init__(self, folder, keys):
        self.alliance = Alliance(folder, keys, crashes.NODES)
        self.node = self.alliance[NODE]
        self.alliance.start()
        self.alliance.connected()
        for name in crashes.PUBLISHERS:
            self.alliance[name].publish(*[f"{name.upper()}-{number}" for number in range(20)])
            text = folder / f"{name}.md"
            text.write_text("# An act\n" + "Words.\n" * 500)
            self.alliance[name].cli(
                "publish", "document", text, "--work", f"/akn/{name}/act/2026/1", "--date", "2026-11-22",
                "--title", "Act", "--sign-with", "ayesha", "--keys", self.alliance[name].keys,
            )  # fmt: skip
        self.alliance.converged()
        for node in self.alliance:
            eventually(lambda: node.status()["documents"]["wanted"] == 0, f"{node.name} has all documents")
        self.node.end()
        bases = [Base(folder, self.node, "stopped")]
        self.node.start()
        for number in range(3):
            self.node.publish(f"LATE-{number}")
        self.alliance.converged()
        self.node.kill()
        bases.append(Base(folder, self.node, "killed"))
        self.bases, self.folder = bases, folder
        self.statement = self.node.officer().attestation(
            "vasp-licences", "AFTER", "authorised", legalName="After", competentAuthority="Test"
        )
        # What a flipped copy signs must not reach them.
        for name in ("sv", "imf"):
            self.alliance[name].end()


@pytest.fixture(scope="module")
def made(workspace, cheap_keys):
    folder = workspace / "rot"
    made = Made(folder, cheap_keys)
    yield made
    made.alliance.stop()


@pytest.fixture(scope="module")
def seed():
    chosen = int(os.environ.get("ENTENTE_ROT_SEED") or random.randrange(1 << 32))
    print(f"ENTENTE_ROT_SEED={chosen}")
    return chosen


def test_every_flipped_bit_is_noticed_or_harmless(made, seed):
    folder = made.folder / "flips"
    folder.mkdir(mode=0o700)
    jobs = [range(start, FLIPS, 4 * os.cpu_count()) for start in range(4 * os.cpu_count())]
    with concurrent.futures.ProcessPoolExecutor(os.cpu_count()) as pool:
        done = list(
            pool.map(share, *zip(*[(made.bases, seed, numbers, folder, made.statement) for numbers in jobs]))
        )
    found = sum((one for _, one in done), collections.Counter())
    print(dict(found))
    wrong = [line for lines, _ in done for line in lines]
    assert not wrong, f"{len(wrong)} of {FLIPS} flips:\n" + "\n".join(wrong[:20])
    # Much of a small database is room that nothing stands in.
    assert found["found by fsck"] > FLIPS // 20


def test_what_flipped_comes_back_from_the_peers(made, seed):
    """The peers run; after a repair every row is as it was, or the repair says that it could not."""
    made.alliance.start("sv", "imf")
    base, repaired = made.bases[0], 0
    for number in range(max(10, FLIPS // REPAIRS)):
        chance = random.Random(f"repair {seed} {number}")
        path = chance.choice(
            ["entente.sqlite"] * 4 + [one for one in base.paths if one.startswith("documents/") and "/incoming/" not in one]
        )
        bit = chance.randrange(8 * (base.folder / path).stat().st_size)
        folder = base.flipped(made.folder / "repaired", path, bit, whole=True)
        where = f"repair {number} of seed {seed}: {path}, bit {bit}"
        if run("fsck", "--data", folder).returncode == 2:
            done = run("fsck", "--repair", "--json", "--data", folder)
            if done.returncode == 0:
                repaired += 1
                other = different(contents(folder / "entente.sqlite"), base.contents)
                assert not other, f"{where}: other rows in {', '.join(other)}\n{done.stdout}"
                for one in base.paths:
                    if one.startswith("documents/"):
                        assert (folder / one).read_bytes() == (base.folder / one).read_bytes(), f"{where}: {one}"
            else:
                assert done.returncode == 1 or json.loads(done.stdout)["damage"], where
        shutil.rmtree(folder)
    print(f"{repaired} were repaired")
    assert repaired


def different(made, base):
    """The tables whose rows are others than before, each with some of them. Peers may have brought signatures that the copy
    had not; a receipt for a start that was damaged is let go, and made anew when it is asked for."""
    free = ("cosignature", "checkpoint", "first_quorum", "log")
    if made is None:
        return ["nothing that can be read"]
    receipts = {(log, note): receipt for log, note, receipt in base["incarnation"]}
    made = dict(made, incarnation=[
        (log, note, receipt or receipts.get((log, note))) for log, note, receipt in made["incarnation"]
    ])
    return [
        f"{name} ({[row for row in made.get(name, []) if row not in rows][:3]} for "
        f"{[row for row in rows if row not in made.get(name, [])][:3]})"
        for name, rows in base.items()
        if name not in free and made.get(name) != rows
    ]
