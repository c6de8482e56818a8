"""Real nodes whose disk is recorded, and what must hold of it after the power went at any moment."""

import contextlib
import http.client
import json
import pathlib
import random
import shutil
import sqlite3
import subprocess
import threading

import pytest

import disks
from alliance import Refused
from program import entente, environment, program

NODE, OTHER, OBSERVER = "pk", "sv", "imf"
# Microseconds that a sync takes longer: what leaves a node too early is then seen by the others before it is safe.
SYNC_DELAY = 15_000


class Recorded:
    """One recording: of everything below `top`, where the node's folder is `name`."""

    def __init__(self, title, library, folder, top, name=NODE):
        self.title, self.top, self.name = title, top, name
        top.mkdir(parents=True, exist_ok=True)
        self.base = folder / f"{title}.base"
        shutil.copytree(top, self.base, ignore=shutil.ignore_patterns("*.sock"))
        self.inodes = {
            str(path.relative_to(top)): path.lstat().st_ino for path in (top, *top.rglob("*"))
        }
        self.log = disks.Recording(library, folder / f"{title}.calls", top, SYNC_DELAY)

    @contextlib.contextmanager
    def environment(self):
        """Programs that are started here are recorded."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.log.settings.items():
                patch.setenv(name, value)
            yield

    def disk(self):
        """The disk as it was when the recording began."""
        made = disks.Disk(self.top)
        made.load(self.base, lambda path: self.inodes[path])
        return made

    def finish(self):
        """Keeps how the folder is now, and finds that the calls lead there."""
        self.final = self.base.with_suffix(".final")
        shutil.copytree(self.top, self.final, ignore=shutil.ignore_patterns("*.sock"))
        disk, self.calls = self.disk(), 0
        for call in self.log.calls():
            disk.play(call)
            self.calls += 1
        made = disk.newest()
        found = {
            str(path.relative_to(self.final)): path.read_bytes()
            for path in self.final.rglob("*")
            if path.is_file() and not path.name.endswith(disks.IGNORED)
        }
        assert made.keys() == found.keys(), f"{self.title}: {sorted(made.keys() ^ found.keys())}"
        for path, content in found.items():
            assert made[path] == content, f"{self.title}: not every call that wrote {path} was seen"


class Watch:
    """Looks at all nodes again and again, and notes what the recorded one told them, or itself says to hold."""

    def __init__(self, recorded, nodes, known=()):
        self.recorded = recorded
        self.known = {}
        for (what, member), size in dict(known).items():
            self.note(what, member, size)
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(node,)) for node in nodes]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, node):
        while not self._stop.is_set():
            with contextlib.suppress(OSError, ValueError, http.client.HTTPException, Refused):
                for log in node.status()["logs"]:
                    self._note(node.name, log)
            self._stop.wait(0.002)

    def _note(self, teller, log):
        member = log["member"]
        signed = any(holder["member"] == NODE for holder in log["heldBy"])
        if NODE in (teller, member):
            self.note("entries", member, log["entries"])
            self.note("head", member, log["head"])
        if signed:
            self.note("entries", member, log["head"])
            self.note("cosigned", member, log["head"])

    def note(self, what, member, size):
        """The node holds so much of that member's log, and may not forget it."""
        if size > self.known.get((what, member), 0):
            self.known[what, member] = size
            self.recorded.log.mark(what=what, member=member, size=size)


class Points:
    """Moments of one recording, the disks that they leave, and what is wrong with those."""

    UNCHANGED = ("config.json", "charter", "roster.jws", "tls/authority.pem", "keys/log.key", "keys/replica.key")

    def __init__(self, recorded, seed):
        self.recorded, self.seed = recorded, seed
        if recorded.name:
            final = recorded.final / recorded.name
            self.final = self._contents(final / "entente.sqlite")
            self.files = {path: (final / path).read_bytes() for path in self.UNCHANGED}

    def choose(self, count):
        """Half of them anywhere, half beside a call that makes something safe, or changes names."""
        chosen = random.Random(f"{self.seed} {self.recorded.title}")
        kinds = [call.kind for call in self.recorded.log.calls()]
        turns = [number for number, kind in enumerate(kinds) if kind in "BSRULDA"]
        return sorted(
            chosen.randrange(len(kinds) + 1) if one % 2 else min(len(kinds), chosen.choice(turns) + chosen.randrange(2))
            for one in range(count)
        )

    def check(self, numbered, folder, starts, lies):
        """Checks some moments, in their order; gives what is wrong, in words. A disk that lies never syncs the database."""
        wrong, disk, played = [], self.recorded.disk(), 0
        expected = {}
        calls = self.recorded.log.calls()
        for number, point in numbered:
            while played < point:
                call = next(calls)
                if not (lies and call.kind == "S" and disk.path(call.file).endswith("-wal")):
                    disk.play(call)
                if call.kind == "A":
                    self._expect(expected, json.loads(bytes(call.data)))
                played += 1
            chance = random.Random(f"{self.seed} {self.recorded.title} {number}")
            found = disk.after_loss(chance)
            target = pathlib.Path(folder) / f"{self.recorded.title}-{number}"
            target.mkdir(mode=0o700)
            disks.write(found, target)
            try:
                if self._check(target, expected) and starts(number):
                    self._start(target, expected)
            except (AssertionError, pytest.fail.Exception, sqlite3.Error, subprocess.TimeoutExpired) as error:
                wrong.append(f"{self.recorded.title}, moment {point}, seed {self.seed}, number {number}: {error}")
                continue
            shutil.rmtree(target)
        return wrong

    @staticmethod
    def _expect(expected, mark):
        if "size" in mark:
            expected[mark["what"], mark["member"]] = mark["size"]
        else:
            expected[mark["what"]] = mark.get("value", True)

    # What must hold

    def _check(self, top, expected):
        """Tells whether there is a node's folder."""
        if not self.recorded.name:
            self._check_archive(top, expected)
            return False
        folder = top / self.recorded.name
        if not folder.exists():
            assert "made" not in expected, "the folder is gone"
            return False
        for path, content in self.files.items():
            made = folder / path
            assert made.exists(), f"{path} is gone"
            assert made.read_bytes() == content, f"{path} is damaged"
        done = entente("fsck", "--json", "--data", folder, check=False)
        if done.returncode == 1 and "nothing was stored here yet" in done.stderr:
            assert not any(isinstance(what, tuple) for what in expected), f"there is no database, and {expected}"
            return True
        if done.returncode == 1 and "start the node, which brings it up to date" in done.stderr:
            self._start(top, expected)
            done = entente("fsck", "--json", "--data", folder, check=False)
        assert done.returncode == 0, f"fsck ends with {done.returncode}: {' '.join(done.stdout.split())[:600]}{done.stderr}"
        self._compare(folder, expected)
        return True

    def _check_archive(self, top, expected):
        file = top / "pk.tar"
        assert file.exists() or "archive" not in expected, "the backup is gone"
        assert not file.exists() or file.read_bytes() == (self.recorded.final / "pk.tar").read_bytes(), "it is not whole"

    def _compare(self, folder, expected):
        logs, entries = self._contents(folder / "entente.sqlite")
        for log, content in entries.items():
            assert self.final[1].get(log) == content, f"entry {log & (1 << 44) - 1} of log {log >> 44} is another one"
        for what, size in expected.items():
            if isinstance(what, tuple):
                kind, member = what
                held = logs.get(member, {}).get(kind, 0)
                assert held >= size, f"{kind} of {member}: {held}, and it had told of {size}"
        for digest in expected.get("documents", []):
            assert (folder / "documents" / digest[:2] / digest).exists(), f"document {digest} is gone"
        assert logs.get("charter", {}).get("version", 1) >= expected.get("charter", 1), "a charter is gone"
        # A copy from a backup, which others are ahead of, has to know of that.
        if (elsewhere := expected.get("elsewhere")) and not (folder / "restored").exists():
            assert logs[NODE]["entries"] >= elsewhere, "the folder came out of a backup, and does not say so"

    @staticmethod
    def _contents(path):
        connection = sqlite3.connect(path)
        try:
            logs = {
                origin.partition(".")[0]: {"entries": size, "head": head, "cosigned": cosigned}
                for origin, size, head, cosigned in connection.execute(
                    "SELECT origin, size, head_size, cosigned FROM log"
                )
            }
            logs["charter"] = {"version": connection.execute("SELECT max(version) FROM charter").fetchone()[0] or 1}
            return logs, dict(connection.execute("SELECT id, packed FROM entry"))
        except sqlite3.OperationalError as error:
            # The file was made, and nothing else yet.
            if "no such table" not in str(error):
                raise
            return {}, {}
        finally:
            connection.close()

    def _start(self, top, expected):
        """A real node comes up on it by itself, and holds what it held."""
        folder = top / self.recorded.name
        log = open(top / "start.log", "wb")
        arguments = ["--listen", "none", "--control-socket", top / "s"]
        process = subprocess.Popen(
            [program(), "node", "--data", folder, *map(str, arguments)],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment(),
        )  # fmt: skip
        try:
            status = self._status(process, top)
            for one in status["logs"]:
                held, member = one["entries"], one["member"]
                assert held >= expected.get(("entries", member), 0), f"a started node holds {held} of {member}"
                assert not (one["problem"] or "").startswith(("counting", "the log signed")), one["problem"]
        finally:
            process.terminate()
            process.wait(timeout=20)
        said = (top / "start.log").read_text()[-2_000:]
        assert process.returncode == 0, f"the node ended with {process.returncode}: {said}"
        assert entente("fsck", "--data", folder, check=False).returncode == 0, "fsck after a start"
        entente("audit", "--data", folder)

    @staticmethod
    def _status(process, top):
        from alliance import SocketConnection
        from program import eventually

        def answer():
            assert process.poll() is None, f"the node does not start: {(top / 'start.log').read_text()[-2_000:]}"
            with contextlib.suppress(OSError, http.client.HTTPException):
                connection = SocketConnection(top / "s", 10)
                connection.request("GET", "/v1/status")
                return json.loads(connection.getresponse().read())

        return eventually(answer, "a node on what the disk holds answers", 60)


def share(recorded, seed, numbered, folder, every, lies):
    """For a process of its own: `every` so many moments, a real node is started."""
    return Points(recorded, seed).check(numbered, folder, lambda number: number % every == 0, lies)
