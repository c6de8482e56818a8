"""Nodes that are killed (SIGKILL) while they work, and what must hold afterwards."""

import base64
import concurrent.futures
import contextlib
import http.client
import json
import random
import struct
import subprocess
import threading
import time

import logs
import wire
from alliance import Refused, origin
from certificates import Identity
from program import entente, environment, gone, program
from statements import base64url, from_base64url

PUBLISHERS = ("pk", "sv")
# Holds what the others publish; its database is thrown away now and then, so that it fetches everything again.
FOLLOWER = "imf"
NODES = (*PUBLISHERS, FOLLOWER)
# What a round does to the node that it kills, and how often of a hundred.
KINDS = {"publish": 40, "import": 15, "cold-sync": 15, "start": 15, "two": 15}
THREADS = 6
ROWS = 600
CATCH_UP = 60


class Chain:
    """One log as it was seen first: the root at every size. Whatever is seen later must be on the same chain."""

    def __init__(self, member):
        self.member = member
        self.hashes, self.roots = [], [logs.EMPTY]
        # Roots of the full subtrees that the leaves so far make, the largest first, with their sizes.
        self._peaks = []

    @property
    def size(self):
        return len(self.hashes)

    def add(self, entry):
        self.hashes.append(logs.leaf_hash(entry))
        peaks = self._peaks
        peaks.append((1, self.hashes[-1]))
        while len(peaks) > 1 and peaks[-2][0] == peaks[-1][0]:
            (count, left), (_, right) = peaks[-2:]
            peaks[-2:] = [(2 * count, logs.sha256(b"\x01", left, right))]
        root = peaks[-1][1]
        for _, left in reversed(peaks[:-1]):
            root = logs.sha256(b"\x01", left, root)
        self.roots.append(root)


class Peer:
    """Asks a node as another member's node would, over a connection that lasts as long as the node."""

    def __init__(self, node, identity):
        self.node = node
        self._context = wire.context(identity, node.folder / "tls" / "authority.pem")
        self._connection = None

    def get(self, path):
        """The answer's body; asks again once where the connection has gone since the last question."""
        for last in (False, True):
            if self._connection is None:
                self._connection = http.client.HTTPSConnection(
                    "127.0.0.1", self.node.port, context=self._context, timeout=30
                )
            try:
                self._connection.request("GET", path)
                response = self._connection.getresponse()
                body = response.read()
                assert response.status == 200, (path, response.status, body)
                return body
            except (OSError, http.client.HTTPException):
                self._connection.close()
                self._connection = None
                if last:
                    raise

    def entries(self, member, start, size, root):
        """The entries from `start` up to a head that the node holds."""
        while start < size:
            body = self.get(f"/peer/v1/range/{origin(member)}?from={start}&head={size}&root={base64url(root)}")
            start, bundle = self._bundle(body)
            yield from bundle

    @staticmethod
    def _bundle(body):
        fields = wire.Fields(body)
        _, end = fields.integer(), fields.integer()
        for _ in range(2):
            fields.take(32 * fields.count())
        packed, entries = fields.text(), []
        while packed:
            (length,) = struct.unpack(">H", packed[:2])
            entries.append(packed[2 : 2 + length])
            packed = packed[2 + length :]
        return end, entries


class Harness:
    """Three nodes, what was acknowledged, what was seen of their logs, and the rounds."""

    def __init__(self, folder, alliance, seed):
        self.folder, self.alliance, self.seed = folder, alliance, seed
        self.random = random.Random(seed)
        self.chains = {name: Chain(name) for name in NODES}
        identity = Identity.member(folder / "probe", alliance[FOLLOWER])
        self.peers = {name: Peer(alliance[name], identity) for name in NODES}
        # What a node said that it holds, by node and log: it never holds less later.
        self.held = {}
        # Acknowledged publications that are still to be looked for: index and bytes by log; and heads: size and root.
        self.acknowledged = {name: [] for name in PUBLISHERS}
        self.heads = {name: [] for name in PUBLISHERS}
        self._lock = threading.Lock()
        self._number = 0
        self.kills = self.checked = self.imported = self.fscks = 0
        # Seconds until all held the same again, and after which kind of round.
        self.slowest = (0.0, "")
        self._kind = ""
        self.kinds = dict.fromkeys(KINDS, 0)

    # Load

    def statement(self, name):
        with self._lock:
            self._number += 1
            number = self._number
        key = f"{name.upper()}-{self.seed}-{number}"
        officer = self.alliance[name].officer()
        return officer.attestation("vasp-licences", key, "authorised", legalName=key, competentAuthority="Test")

    def _publish_until(self, name, stop):
        """Publishes one statement after the other until told to stop, or until the node is gone."""
        node = self.alliance[name]
        while not stop.is_set():
            statement = self.statement(name)
            try:
                answer = node.submit([statement], timeout=30)
            except (OSError, ValueError, http.client.HTTPException):
                return
            except Refused as refused:
                # The others that have to record its start were killed too, or hold more of its log than it does yet.
                if "this node has started" in refused.error["reason"] or "taken back" in refused.error["reason"]:
                    stop.wait(0.05)
                    continue
                # A node that is being killed may still say that it could not write.
                if node.runs:
                    raise AssertionError(f"{name} refused a good statement: {refused}") from refused
                return
            with self._lock:
                self.acknowledged[name].append((answer["first"], statement.encode()))
                if "root" in answer:
                    self.heads[name].append((answer["size"], base64.b64decode(answer["root"])))

    @contextlib.contextmanager
    def publishing(self, *names):
        """Several officers publish at each of these nodes, until the block ends."""
        stop = threading.Event()
        with concurrent.futures.ThreadPoolExecutor(THREADS * len(names)) as pool:
            running = [pool.submit(self._publish_until, name, stop) for name in names for _ in range(THREADS)]
            try:
                yield
            finally:
                stop.set()
                for one in running:
                    one.result()

    def _wait(self, most):
        """A moment nobody chose: the only place where time alone decides, since a kill may come at any time."""
        time.sleep(self.random.uniform(0, most))

    # Rounds

    def round(self):
        kind = self.random.choices(list(KINDS), KINDS.values())[0]
        self.kinds[kind] += 1
        self._kind = kind
        {
            "publish": self._kill_while_publishing,
            "import": self._kill_while_importing,
            "cold-sync": self._kill_while_syncing,
            "start": self._kill_while_starting,
            "two": self._kill_two,
        }[kind]()

    def _kill(self, name):
        self.alliance[name].kill()
        self.kills += 1

    def _kill_while_publishing(self):
        victim = self.random.choice(NODES)
        with self.publishing(*PUBLISHERS):
            self._wait(0.25)
            self._kill(victim)
        self._back(victim)

    def _kill_two(self):
        victims = self.random.sample(NODES, 2)
        with self.publishing(*PUBLISHERS):
            self._wait(0.25)
            for name in victims:
                self.alliance[name].process.kill()
            for name in victims:
                self._kill(name)
        self._back(*victims)

    def _kill_while_starting(self):
        """Dead before, or just after, it is ready: recovery itself is interrupted."""
        victim = self.random.choice(NODES)
        with self.publishing(*PUBLISHERS):
            self._wait(0.1)
            self.alliance[victim].kill()
        self.alliance[victim].launch()
        self._wait(0.2)
        self._kill(victim)
        self._back(victim)

    def _kill_while_syncing(self):
        """The follower has lost its database, and is killed while it fetches everything again."""
        node = self.alliance[FOLLOWER]
        node.end()
        for path in node.folder.glob("entente.sqlite*"):
            path.unlink()
        for name in NODES:
            self.held.pop((FOLLOWER, name), None)
        with self.publishing(*PUBLISHERS):
            node.launch()
            self._wait(1.0)
            self._kill(FOLLOWER)
        self._back(FOLLOWER)

    def _kill_while_importing(self):
        """An officer's file, by the commands. Submitting the plan again ends it, and nothing stands twice."""
        victim = self.random.choice(PUBLISHERS)
        other = next(name for name in PUBLISHERS if name != victim)
        node, number = self.alliance[victim], self.kinds["import"]
        keys = [f"{victim.upper()}-{number}-{row}" for row in range(ROWS)]
        file, plan = self.folder / f"import-{number}.csv", self.folder / f"import-{number}.plan"
        rows = [f"{key},signed,2026-01-01,{key},Agreement {key},treaty,Pakistan|Other\n" for key in keys]
        file.write_text("key,status,validFrom,agreement,title,kind,parties\n" + "".join(rows))
        node.cli("import", "agreements", file, "--plan", plan)
        entente("sign", plan, "--key", "ayesha", "--keys", node.keys)
        submit = [program(), "submit", plan, "--anyway", "--data", node.folder]
        with self.publishing(other):
            process = subprocess.Popen(
                submit, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                env=environment(),
            )
            self._wait(0.25)
            self._kill(victim)
            whole = process.wait(timeout=30) == 0
        before = self._back(victim, settle=False)
        if whole:
            self._imported(victim, keys, before)
        node.cli("submit", plan, "--anyway")
        self._imported(victim, keys, before)
        self._settled()
        self.imported += len(keys)
        file.unlink()
        plan.unlink()

    def _imported(self, name, keys, start):
        """Every row of a file stands in the log, once."""
        status = self.alliance[name].log_of(name)
        size, root = status["entries"], base64.b64decode(status["root"])
        found = []
        for entry in self.peers[name].entries(name, start, size, root):
            parts = entry.split(b".")
            if len(parts) == 3:
                subject = json.loads(from_base64url(parts[1].decode())).get("credentialSubject", {})
                if subject.get("register") == "agreements":
                    found.append(subject["key"])
        assert sorted(found) == sorted(keys), f"{len(found)} rows of {len(keys)}, {len(set(found))} different"

    # Checks

    def _back(self, *victims, settle=True):
        """Starts the victims again, and checks them as they come; returns what was known of the first one's log."""
        before = self.chains[victims[0]].size
        for name in victims:
            self.alliance[name].launch()
        for name in victims:
            self.alliance[name].answers()
            self.check(name)
        self.check_acknowledged()
        if settle:
            self._settled()
        return before

    def check(self, name, settled=False):
        """What a node holds is on the chain that everybody saw, and not less than before."""
        for log in self.alliance[name].status()["logs"]:
            member, size, root = log["member"], log["entries"], base64.b64decode(log["root"])
            # While others are down, entries that somebody told of may be out of reach; never once all are back.
            missing = not settled and (log["problem"] or "").endswith("no peer can be asked now")
            assert missing or log["problem"] is None, f"{name}, log of {member}: {log['problem']}"
            chain = self.chains[member]
            assert size >= self.held.get((name, member), 0), f"{name} lost entries of {member}'s log"
            if name == member:
                # What anybody ever had of this log was durable here before it was told. A node whose database was taken
                # away has nothing in its first moments, and then what it published at its first start, or all.
                is_new = name == FOLLOWER and (name, member) not in self.held and size == 0
                assert is_new or size >= chain.size, f"{name}'s own log went back from {chain.size} to {size}"
            self.held[name, member] = size
            for entry in self.peers[name].entries(member, chain.size, size, root):
                chain.add(entry)
            assert chain.roots[size] == root, f"a fork: {name} has another tree of {member}'s log at {size}"
            if log["head"]:
                self._check_head(name, member)

    def _check_head(self, name, member):
        _, size, root = self.peers[name].get(f"/logs/{origin(member)}/checkpoint").split(b"\n")[:3]
        chain = self.chains[member]
        # It may be newer than what was asked for a moment ago.
        if int(size) <= chain.size:
            assert chain.roots[int(size)] == base64.b64decode(root), f"a fork: {name} has another head of {member}'s log"

    def check_acknowledged(self, *names):
        for name in names or PUBLISHERS:
            chain, entries, heads = self.chains[name], self.acknowledged[name], self.heads[name]
            if max((index for index, _ in entries), default=-1) >= chain.size:
                self.check(name)
            for index, entry in entries:
                assert index < chain.size, f"{name} acknowledged entry {index}, and it is lost"
                assert chain.hashes[index] == logs.leaf_hash(entry), f"{name}'s entry {index} is another one"
            for size, root in heads:
                assert chain.roots[size] == root, f"a fork: {name} acknowledged another tree at {size}"
            self.checked += len(entries)
            self.acknowledged[name], self.heads[name] = [], []

    def _settled(self):
        """All hold the same, within the deadline."""
        began = time.monotonic()

        def differing():
            seen = [
                {log["member"]: (log["entries"], log["root"]) for log in node.status()["logs"]} for node in self.alliance
            ]
            return [] if all(one == seen[0] for one in seen) else seen

        gone(differing, f"the nodes differ (seed {self.seed}, {self.kills} kills)", CATCH_UP)
        self.slowest = max(self.slowest, (time.monotonic() - began, self._kind))
        for name in NODES:
            self.check(name, settled=True)
            rejections = self.alliance[name].rejections()
            assert not rejections.keys() & {"contradictoryHead", "inconsistentHead", "wrongRoot"}, (name, rejections)

    def fsck(self):
        """Kills all at once, and has every folder checked from the entries up."""
        for node in self.alliance:
            node.process.kill()
        for name in NODES:
            self._kill(name)
        for node in self.alliance:
            done = entente("fsck", "--data", node.folder, check=False, timeout=300)
            assert done.returncode == 0, f"fsck of {node.name} (seed {self.seed}):\n{done.stdout}{done.stderr}"
            self.fscks += 1
        self._back(*NODES)

    def summary(self):
        sizes = ", ".join(f"{name} {chain.size}" for name, chain in self.chains.items())
        return (
            f"seed {self.seed}: {self.kills} kills ({', '.join(f'{k} {n}' for k, n in self.kinds.items())}), "
            f"{self.checked} acknowledged publications and {self.imported} imported rows, 0 lost, 0 forks, "
            f"{self.fscks} fscks clean, slowest catch-up {self.slowest[0]:.1f} s ({self.slowest[1]}), entries: {sizes}"
        )
