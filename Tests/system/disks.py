"""What a disk may hold after the power went: rebuilt from a log of calls that recorder.c wrote.

The model. A file's bytes are safe up to where its last fsync or fdatasync began; a folder's names, up to where the last
fsync of that folder began. Of what came later:
- names: as a journal would have it, all changes of names up to some moment (`ordered`), or up to another moment for each
  folder, where a file that is moved between folders may stand in both, never in none;
- a file's length: as after some of the calls, in their order. Bytes within it that never came are zeros;
- a file's bytes: each sector, of 512 or 4,096 bytes, as after some of the calls that touched it; the last one may be torn.
SQLite's index of its log (-shm) lives in memory and is left out.
"""

import collections
import json
import os
import pathlib
import stat
import struct
import subprocess

HEADER = struct.Struct("<IBBHIIQQ")
IGNORED = ("-shm",)


def build(folder):
    """The library of recorder.c."""
    made = folder / "recorder.so"
    source = pathlib.Path(__file__).with_name("recorder.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-Wall", "-o", made, source], check=True)
    return made


class Recording:
    """The log of one or several processes, and what was noted in it from outside."""

    def __init__(self, library, path, prefix, delay=0):
        self.path, self.prefix = path, str(prefix)
        self.settings = {
            "LD_PRELOAD": str(library), "RECORD_LOG": str(path), "RECORD_PREFIX": self.prefix,
            "RECORD_SYNC_DELAY": str(delay),
        }  # fmt: skip
        self._log = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def mark(self, **what):
        """Notes that something has been seen from outside: whatever the disk holds from here on must agree."""
        data = json.dumps(what).encode()
        os.write(self._log, HEADER.pack(len(data), ord("A"), 0, 0, os.getpid(), 0, 0, 0) + data)

    def calls(self):
        """Kind, flag, process, mode, file, offset, name and data of each call."""
        data = memoryview(self.path.read_bytes())
        at = 0
        while at < len(data):
            length, kind, flag, first, process, mode, file, offset = HEADER.unpack_from(data, at)
            at += HEADER.size
            name = bytes(data[at : at + first]).decode()
            yield Call(chr(kind), flag, process, mode, file, offset, name, data[at + first : at + length])
            at += length


Call = collections.namedtuple("Call", "kind flag process mode file offset name data")


class File:
    def __init__(self, mode, content=b""):
        self.mode, self.safe, self.pending = mode, bytearray(content), []

    def settle(self, before):
        """What came before that moment is safe."""
        rest = [change for change in self.pending if change[0] >= before]
        for _, offset, data in self.pending[: len(self.pending) - len(rest)]:
            _apply(self.safe, offset, data)
        self.pending = rest

    def newest(self):
        content = bytearray(self.safe)
        for _, offset, data in self.pending:
            _apply(content, offset, data)
        return content

    def after_loss(self, random, chance, sector):
        """The bytes that are there, where `chance` is that of a sector to be as new as possible."""
        content, kept = bytearray(self.safe), len(self.pending)
        if chance < 1:
            kept = random.choice((0, kept, random.randint(0, kept)))
        # Of a file that could not be cut yet, what is beyond has its old bytes and no new ones.
        limit = None
        sectors = {}
        for number, (_, offset, data) in enumerate(self.pending):
            if data is None:
                if number < kept:
                    self._write(content, sectors, random, chance, sector)
                    sectors = {}
                    _apply(content, offset, None)
                elif offset < len(content):
                    limit = offset if limit is None else min(limit, offset)
                continue
            end = offset + len(data)
            if number < kept and end > len(content):
                content.extend(bytes(end - len(content)))
            while offset < end:
                part = min(end, (offset // sector + 1) * sector)
                if limit is None or part <= limit:
                    piece = data[len(data) - (end - offset) : len(data) - (end - part)]
                    sectors.setdefault(offset // sector, []).append((offset, piece))
                offset = part
        self._write(content, sectors, random, chance, sector)
        return content

    @staticmethod
    def _write(content, sectors, random, chance, sector):
        size = len(content)
        for pieces in sectors.values():
            count = len(pieces) if random.random() < chance else random.randint(0, len(pieces))
            for number, (offset, data) in enumerate(pieces[:count]):
                if chance < 1 and number == count - 1 and random.random() < 0.1:
                    data = data[: random.randrange(len(data))]
                content[offset : offset + len(data)] = data
        del content[size:]


def _apply(content, offset, data):
    if data is None:
        del content[offset:]
        content.extend(bytes(offset - len(content)))
        return
    if offset > len(content):
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(data)] = data


class Folder:
    def __init__(self, mode):
        self.mode, self.safe, self.names, self.pending = mode, {}, {}, []

    def change(self, moment, name, node, twin=None):
        """Another thing has the name, or none; `twin` is the folder from which it was moved at the same moment."""
        self.pending.append((moment, name, node, twin))
        self._set(self.names, name, node)

    def settle(self, before):
        while self.pending and self.pending[0][0] < before:
            _, name, node, _ = self.pending.pop(0)
            self._set(self.safe, name, node)

    def until(self, moment):
        names = dict(self.safe)
        for when, name, node, _ in self.pending:
            if when < moment:
                self._set(names, name, node)
        return names

    @staticmethod
    def _set(names, name, node):
        if node is None:
            names.pop(name, None)
        else:
            names[name] = node


class Disk:
    """Everything below one folder, as the calls so far leave it, and as a loss of power might."""

    def __init__(self, top):
        self.top, self.root = str(top), Folder(0o700)
        self.moment = 0
        self._nodes, self._syncs = {}, {}
        # Up to here a journal that keeps the order of all names is on the disk.
        self._journal = 0

    def load(self, path, inode, into=None, above=""):
        """Takes over what stands in a copy of a folder, as safe; `inode` gives the number that a path had."""
        if into is None:
            into = self._nodes[inode(".")] = self.root
        for entry in os.scandir(path):
            status, name = entry.stat(follow_symlinks=False), f"{above}{entry.name}"
            if stat.S_ISDIR(status.st_mode):
                node = Folder(status.st_mode)
                self.load(entry.path, inode, node, f"{name}/")
            elif stat.S_ISREG(status.st_mode) and not entry.name.endswith(IGNORED):
                node = File(status.st_mode, pathlib.Path(entry.path).read_bytes())
            else:
                continue
            self._nodes[inode(name)] = node
            into.safe[entry.name] = into.names[entry.name] = node

    # What happens

    def play(self, call):
        """Takes one call of the log; one of another folder is passed over."""
        self.moment += 1
        if call.name and not self._is_here(call.name) and call.kind not in "RL":
            return
        getattr(self, f"_{call.kind}")(call)

    def _is_here(self, path):
        return os.path.normpath(path).startswith(self.top + "/")

    def _place(self, path):
        """The folder of a path, and the name in it."""
        *above, name = os.path.relpath(os.path.normpath(path), self.top).split("/")
        folder = self.root
        for one in above:
            folder = folder.names[one]
        return folder, name

    def _A(self, call):
        pass

    def _O(self, call):
        folder, name = self._place(call.name)
        if call.flag & 1:
            self._nodes[call.file] = File(call.mode)
            folder.change(self.moment, name, self._nodes[call.file])
        elif call.flag & 2:
            self._nodes[call.file].pending.append((self.moment, 0, None))

    def _W(self, call):
        if node := self._nodes.get(call.file):
            node.pending.append((self.moment, call.offset, call.data))

    def _T(self, call):
        if node := self._nodes.get(call.file):
            node.pending.append((self.moment, call.offset, None))

    def _C(self, call):
        if node := self._nodes.get(call.file):
            node.mode = call.mode

    def _B(self, call):
        self._syncs[call.process, call.offset] = self.moment

    def _S(self, call):
        began = self._syncs.pop((call.process, call.offset))
        if node := self._nodes.get(call.file):
            node.settle(began)
            if isinstance(node, Folder):
                self._journal = max(self._journal, began)

    def _M(self, call):
        for path, node in self.walk(lambda folder: folder.names):
            if node is self._nodes.get(call.file) and not path.endswith(IGNORED):
                raise AssertionError(f"{path} is written through memory, which no log can tell")

    def _D(self, call):
        folder, name = self._place(call.name)
        self._nodes[call.file] = Folder(call.mode)
        folder.change(self.moment, name, self._nodes[call.file])

    def _U(self, call):
        folder, name = self._place(call.name)
        if name in folder.names:
            folder.change(self.moment, name, None)

    def _L(self, call):
        self._name(call, None)

    def _R(self, call):
        self._name(call, self._place(call.name))

    def _name(self, call, origin):
        target = bytes(call.data).decode()
        here = [self._is_here(path) for path in (call.name, target)]
        if not any(here):
            return
        assert all(here), f"{call.name} goes to {target}"
        node = self._nodes.get(call.file)
        if node is None:
            return
        folder, name = self._place(target)
        folder.change(self.moment, name, node, origin and origin[0])
        if origin:
            origin[0].change(self.moment, origin[1], None)

    # What is there

    def walk(self, names, folder=None, path=""):
        """Paths and nodes, a folder before what is in it."""
        for name, node in sorted(names(folder or self.root).items()):
            yield f"{path}{name}", node
            if isinstance(node, Folder):
                yield from self.walk(names, node, f"{path}{name}/")

    def path(self, file):
        """Where the file of that number is now; empty where it is nowhere."""
        wanted = self._nodes.get(file)
        return next((path for path, node in self.walk(lambda folder: folder.names) if node is wanted), "")

    def newest(self):
        """Files as they stand, by path."""
        return {
            path: bytes(node.newest())
            for path, node in self.walk(lambda folder: folder.names)
            if isinstance(node, File) and not path.endswith(IGNORED)
        }

    def after_loss(self, random):
        """What stands after a loss of power now, as paths with bytes, or None for a folder, and modes."""
        names = self._names_after_loss(random)
        sector = random.choice((512, 4_096))
        chance = random.choice((0.0, 0.1, 0.5, 0.9, 1.0))
        found = []
        for path, node in self.walk(lambda folder: names[id(folder)]):
            if isinstance(node, Folder):
                found.append((path, None, node.mode))
            elif not path.endswith(IGNORED):
                # Now and then one file has nothing new, or all.
                own = random.choice((chance, chance, chance, 0.0, 1.0))
                found.append((path, node.after_loss(random, own, sector), node.mode))
        return found

    def _names_after_loss(self, random):
        folders = [self.root]
        seen = {id(self.root)}
        for folder in folders:
            inside = [*folder.safe.values(), *(node for _, _, node, _ in folder.pending)]
            for node in inside:
                if isinstance(node, Folder) and id(node) not in seen:
                    seen.add(id(node))
                    folders.append(node)
        end = self.moment + 1
        moments = sorted({end, *(change[0] for folder in folders for change in folder.pending)})
        if random.random() < 0.5:
            cut = random.choice([moment for moment in moments if moment >= self._journal] or [end])
            cuts = {id(folder): cut for folder in folders}
        else:
            cuts = {id(f): random.choice([end, *(change[0] for change in f.pending)]) for f in folders}
        # What was moved away is where it was moved to.
        moved = [(f, *change) for f in folders for change in f.pending if change[3] is not None and change[3] is not f]
        for _ in folders:
            for folder, moment, _, _, twin in moved:
                if cuts[id(twin)] > moment or all(when != moment for when, *_ in twin.pending):
                    cuts[id(folder)] = max(cuts[id(folder)], moment + 1)
        return {id(folder): folder.until(cuts[id(folder)]) for folder in folders}


def write(found, folder):
    """Makes real files of it."""
    for path, content, mode in found:
        target = f"{folder}/{path}"
        if content is None:
            os.mkdir(target)
        else:
            with open(os.open(target, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
                file.write(content)
        os.chmod(target, stat.S_IMODE(mode) | 0o600)
