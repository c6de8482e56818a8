"""An alliance of real nodes: made by the commands, run as processes on loopback, asked over their control sockets."""

import concurrent.futures
import http.client
import json
import os
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import urllib.parse

import pytest

from program import PASSPHRASE, Deadline, entente, environment, eventually, program
from statements import Officer

MEMBERS = ("pk", "sv", "us", "imf")
ABOUT = {
    "pk": ("Pakistan", "PK", "Asia/Karachi", "regulator"),
    "sv": ("El Salvador", "SV", "America/El_Salvador", "regulator"),
    "us": ("United States", "US", "America/New_York", "regulator"),
    "imf": ("IMF", "US", "America/New_York", "observer"),
    "jp": ("Japan", "JP", "Asia/Tokyo", "regulator"),
}
OFFICERS = ("ayesha", "omar")
HOST = "127.0.0.1"


def member_id(name):
    return f"did:web:{name}.alliance.example"


def origin(name):
    return f"{name}.alliance.example/log1"


def make_keys(folder, name):
    """Makes a member's first keys and those of its officers."""
    title, country, zone, role = ABOUT[name]
    entente(
        "keys",
        "new",
        "--all",
        "--keys",
        folder,
        "--id",
        member_id(name),
        "--name",
        name,
        "--title",
        title,
        "--country",
        country,
        "--zone",
        zone,
        "--role",
        role,
    )
    for officer in OFFICERS:
        entente("keys", "new", officer, "--keys", folder)
    return folder


def cheap_keys(source, folder):
    """A copy of a member's keys whose scrypt costs next to nothing, for tests that start nodes again and again."""
    shutil.copytree(source, folder)
    for path in folder.glob("*.key"):
        made = path.with_suffix(".new")
        subprocess.run(
            ["openssl", "pkcs8", "-topk8", "-scrypt", "-scrypt_N", "1024", "-scrypt_r", "8", "-scrypt_p", "1"]
            + ["-in", path, "-out", made, "-passin", "env:PASS", "-passout", "env:PASS"],
            check=True,
            env=os.environ | {"PASS": PASSPHRASE},
        )
        made.chmod(0o600)
        made.replace(path)
    return folder


_taken = set()


def free_port():
    """A port that nothing listens on, outside of the range from which the system takes outgoing connections'."""
    while True:
        port = random.randrange(20_000, 30_000)
        if port in _taken:
            continue
        with socket.socket() as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
        _taken.add(port)
        return port


def waiving(members):
    """The arguments of a node that publishes without these members' word."""
    return [part for member in members for part in ("--waive", member)]


def undo_newest_migration(folder):
    """A stopped node's database is as the version before the newest migration left it."""
    connection = sqlite3.connect(folder / "entente.sqlite")
    tables = ("settled_fork", "fork_head", "set_aside", "set_aside_entry")
    connection.executescript("".join(f"DROP TABLE {table};" for table in tables))
    undone = connection.execute("DELETE FROM grdb_migrations WHERE identifier LIKE '8:%'").rowcount
    last = connection.execute("SELECT max(CAST(identifier AS INTEGER)) FROM grdb_migrations").fetchone()[0]
    connection.commit()
    connection.close()
    assert (undone, last) == (1, 7), "another migration is the newest: this has to undo that one"


class SocketConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Refused(Exception):
    """The node answered with an error."""

    def __init__(self, status, body):
        self.status = status
        try:
            self.error = json.loads(body)["error"]
        except (ValueError, KeyError, TypeError):
            self.error = {"code": "?", "reason": body[:200].decode(errors="replace")}
        super().__init__(f"{status} {self.error}")


class Node:
    """A member's node: its folder, its process, its control socket."""

    known = []
    # Whether each process begins a session: the signals of a terminal reach the tests alone then.
    has_session = True

    def __init__(self, alliance, name, listens, address):
        self.alliance = alliance
        self.name = name
        self.title = ABOUT[name][0]
        self.keys = alliance.folder / f"{name}-keys"
        self.folder = alliance.folder / name
        self.port = free_port() if listens else None
        self.address = address or (f"https://{HOST}:{self.port}" if listens else None)
        self.process = None
        self.log = alliance.folder / f"{name}.log"
        self._marked = 0
        self._officers = {}
        Node.known.append(self)

    # Making

    def initialise(self, *arguments):
        listen = f"{HOST}:{self.port}" if self.port else "none"
        officers = [part for officer in OFFICERS for part in ("--officer", self.keys / f"{officer}.pub")]
        entente(
            "init",
            "--charter",
            self.alliance.charter,
            "--member",
            self.name,
            "--keys",
            self.keys,
            *officers,
            "--listen",
            listen,
            "--data",
            self.folder,
            *arguments,
        )

    # Running

    def launch(self, *arguments):
        """Starts the process without waiting for it."""
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [program(), "node", "--data", self.folder, *map(str, arguments)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment(),
                start_new_session=self.has_session,
            )

    def start(self, *arguments):
        self.launch(*arguments)
        self.answers()
        return self

    def answers(self, seconds=30):
        """Waits until the node answers on its control socket."""

        def ready():
            if self.process.poll() is not None:
                pytest.fail(f"{self.name}'s node ended with {self.process.returncode}\n{self.log_tail()}")
            try:
                return self.status()
            except (OSError, http.client.HTTPException):
                return None

        return eventually(ready, f"{self.name}'s node answers", seconds)

    @property
    def runs(self):
        return self.process is not None and self.process.poll() is None

    def end(self, number=signal.SIGTERM, seconds=10):
        """Tells the node to stop; returns its exit status and how long it took."""
        deadline = Deadline(seconds)
        self.process.send_signal(number)
        try:
            status = self.process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            pytest.fail(f"{self.name}'s node did not end within {seconds} s of {number.name}")
        return status, seconds - deadline.left

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    @classmethod
    def kill_all(cls):
        for node in cls.known:
            node.kill()

    # Logs

    def log_tail(self, lines=40):
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def mark_log(self):
        self._marked = self.log.stat().st_size if self.log.exists() else 0

    def new_log_lines(self, lines=60):
        """What was logged since the test began."""
        if not self.log.exists():
            return ""
        with open(self.log, "rb") as log:
            log.seek(self._marked)
            return "\n".join(log.read().decode(errors="replace").splitlines()[-lines:])

    # Asking

    @property
    def socket(self):
        return self.folder / "control.sock"

    def request(self, method, path, body=None, timeout=90, **query):
        pairs = [
            (key, str(one)) for key, value in query.items() for one in (value if isinstance(value, list) else [value])
        ]
        target = f"{path}?{urllib.parse.urlencode(pairs)}" if pairs else path
        connection = SocketConnection(self.socket, timeout)
        try:
            connection.request(method, target, body=body)
            response = connection.getresponse()
            answer = response.read()
        finally:
            connection.close()
        if response.status >= 300:
            raise Refused(response.status, answer)
        return answer

    def get(self, path, **query):
        return json.loads(self.request("GET", path, **query))

    def status(self):
        return json.loads(self.request("GET", "/v1/status", timeout=10))

    def log_of(self, member):
        """How this node holds a member's log."""
        return next(log for log in self.status()["logs"] if log["member"] == member)

    def rejections(self):
        return {one["reason"]: one["count"] for one in self.status()["rejections"]}

    def peer(self, member):
        return next(peer for peer in self.status()["peers"] if peer["member"] == member)

    def row(self, register, key, member):
        """What this node shows of a key; None where the member never said anything."""
        rows = self.get("/v1/rows", register=register, key=key, member=member)["rows"]
        return rows[0] if rows else None

    def receipts(self, member, index, wait, timeout=30):
        """Waits at this node until those members hold an entry."""
        deadline = Deadline(timeout)
        eventually(
            lambda: self.log_of(member)["entries"] > index, f"{self.name} holds {member}'s entry {index}", timeout
        )
        while True:
            answer = self.get(
                "/v1/receipts",
                member=member,
                index=index,
                wait=",".join(wait),
                timeout=max(1, min(30, int(deadline.left))),
            )
            held = {holder["member"] for holder in answer["holders"] if holder["held"]}
            if set(wait) <= held:
                return answer
            if not deadline.left:
                pytest.fail(
                    f"{member}'s entry {index}: not held by {set(wait) - held} within {timeout} s, as {self.name} knows"
                )

    def prove(self, register, key, member, seconds=20, **query):
        """A proof file's bytes, of the newest state: once this node knows that a quorum holds it."""

        def final():
            log = self.log_of(member)
            return log["quorum"] == log["entries"]

        eventually(final, f"{self.name} knows a quorum of {member}'s newest state", seconds)

        def made():
            try:
                return self.request("GET", "/v1/prove", register=register, key=key, member=member, **query)
            except Refused as refused:
                if refused.error["code"] != "not-yet":
                    raise
                return None

        return eventually(made, f"{self.name} proves {register} {key} of {member}", seconds)

    # Publishing

    def officer(self, name="ayesha"):
        if name not in self._officers:
            self._officers[name] = Officer(self.keys / f"{name}.key", member_id(self.name), name, self.alliance.digest)
        return self._officers[name]

    def submit(self, statements, timeout=60):
        body = json.dumps({"statements": statements}).encode()
        return json.loads(self.request("POST", "/v1/submit", body=body, timeout=timeout))

    def definition(self, register):
        """The statement that publishes a register's definition here, as a list: empty where it stands already."""
        found = self.get("/v1/context", register=register)["definition"]
        if found["published"]:
            return []
        return [self.officer().definition(register, found["version"], found["descriptor"])]

    def publish(self, *keys, register="vasp-licences", status="authorised", officer="ayesha"):
        """Publishes one entry for each key and returns the answer; its last is the state leaf."""
        signer = self.officer(officer)
        statements = self.definition(register)
        statements += [
            signer.attestation(register, key, status, legalName=f"Firm {key}", competentAuthority="Test")
            for key in keys
        ]
        return self.submit(statements)

    def cli(self, *arguments, **options):
        """Runs a command against this node."""
        return entente(*arguments, "--data", self.folder, **options)


class Alliance:
    """Members' nodes under one charter that all regulators signed."""

    def __init__(self, folder, keys, names, quorum=2, dial_out_only=(), init=None, strangers=(), addresses=None):
        """Makes the folder.

        keys: folders of keys by member, which are copied. dial_out_only: members whose nodes listen nowhere. init: more
        arguments of `entente init` by member. strangers: further members' files, of members that run no node of ours.
        addresses: where the charter says that members are reached, if not where they listen.
        """
        folder.mkdir(parents=True)
        self.folder = folder
        self.charter = folder / "alliance.charter"
        self.nodes = {name: Node(self, name, name not in dial_out_only, (addresses or {}).get(name)) for name in names}
        for name, node in self.nodes.items():
            shutil.copytree(keys[name], node.keys)
            file = node.keys / f"{name}.member"
            about = json.loads(file.read_text())
            about["addresses"] = [node.address] if node.address else []
            file.write_text(json.dumps(about))
        files = [node.keys / f"{name}.member" for name, node in self.nodes.items()]
        entente(
            "charter", "new", "--name", "Test alliance", "--quorum", quorum, "--out", self.charter, *files, *strangers
        )
        for name, node in self.nodes.items():
            if ABOUT[name][3] == "regulator":
                entente("charter", "sign", self.charter, "--keys", node.keys)
        shown = json.loads(entente("charter", "show", self.charter, "--json").stdout)
        self.digest = bytes.fromhex(shown["digest"])
        self.members = {member["name"]: member for member in shown["members"]}
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda node: node.initialise(*(init(self, node.name) if init else ())), self.nodes.values()))

    def __getitem__(self, name):
        return self.nodes[name]

    def __iter__(self):
        return iter(self.nodes.values())

    def others(self, name):
        return [node for node in self if node.name != name]

    def start(self, *names, without=()):
        """Starts nodes; without: members whose word they do not wait for before they publish."""
        chosen = [self.nodes[name] for name in names] if names else list(self)
        for node in chosen:
            node.launch(*waiving(name for name in without if name != node.name))
        for node in chosen:
            node.answers()
        return self

    def stop(self):
        for node in self:
            if node.runs:
                node.process.terminate()
        for node in self:
            try:
                if node.process:
                    node.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                node.kill()

    def connected(self, *names, seconds=30):
        """Waits until each of these nodes holds every log's beginning and sees the others."""
        chosen = [self.nodes[name] for name in names] if names else list(self)
        running = {node.name for node in self if node.runs}

        def state(node):
            status = node.status()
            up = {peer["member"] for peer in status["peers"] if peer["state"] in ("connected", "restricted")}
            begun = {log["member"] for log in status["logs"] if log["entries"]}
            return running - {node.name} <= up and running <= begun

        eventually(lambda: all(map(state, chosen)), "all nodes are connected and hold the first rosters", seconds)

    def converged(self, *names, seconds=30, cosigned=True):
        """Waits until these nodes hold the same of every log, and each cosigned every other's; returns the sizes."""
        chosen = [self.nodes[name] for name in names] if names else [node for node in self if node.runs]

        def agree():
            seen = [{log["member"]: log for log in node.status()["logs"]} for node in chosen]
            roots = [
                {member: (log["entries"], log["root"], log["head"]) for member, log in logs.items()} for logs in seen
            ]
            if any(one != roots[0] for one in roots):
                return None
            if cosigned:
                for logs in seen:
                    for member, log in logs.items():
                        due = {node.name for node in chosen} - {member}
                        if log["entries"] and not due <= {holder["member"] for holder in log["heldBy"]}:
                            return None
            return {member: size for member, (size, _, _) in roots[0].items()}

        try:
            return eventually(agree, "the nodes agree", seconds)
        except pytest.fail.Exception:
            lines = [
                f"{node.name:4} holds of {log['member']:4} {log['entries']:6} {log['root'][:8]} head {log['head']:6}"
                f" cosigned by {' '.join(sorted(holder['member'] for holder in log['heldBy']))}"
                f"{' PROBLEM ' + log['problem'] if log['problem'] else ''}"
                for node in chosen
                for log in node.status()["logs"]
            ]
            pytest.fail("\n".join([f"the nodes do not agree within {seconds} s:", *lines]), pytrace=False)
