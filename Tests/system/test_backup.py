"""`entente backup` and `entente restore` with real nodes: a backup under load, what is restored from it, hostile archives,
interrupted backups, full disks, and the system's own tar."""

import contextlib
import hashlib
import io
import json
import os
import random
import shutil
import signal
import subprocess
import tarfile
import threading
import time

import pytest

from alliance import MEMBERS, Alliance
from program import entente, environment, eventually, program


@pytest.fixture(scope="module")
def kept(workspace, cheap_keys):
    """An alliance in which Pakistan has published entries and a document that everybody holds."""
    made = Alliance(workspace / "bk", cheap_keys, MEMBERS)
    made.start()
    made.connected()
    pk = made["pk"]
    pk.publish(*[f"KEPT-{number}" for number in range(200)])
    text = made.folder / "act.md"
    text.write_text("# An act\n\nIn our own words.\n" * 1_000)
    pk.cli(
        "publish", "document", text, "--work", "/akn/pk/act/2026/kept", "--date", "2026-11-22", "--title", "Kept",
        "--sign-with", "ayesha", "--keys", pk.keys,
    )  # fmt: skip
    made.converged()
    made.digest_of_text = hashlib.sha256(text.read_bytes()).hexdigest()
    for node in made:
        eventually(lambda node=node: node.status()["documents"]["wanted"] == 0, f"{node.name} wants no document")
    yield made
    made.stop()


@pytest.fixture(scope="module")
def archive(kept, workspace):
    """A good backup of El Salvador's running node, without keys."""
    file = workspace / "good.tar"
    entente("backup", file, "--data", kept["sv"].folder)
    return file


def refused(*arguments, **options):
    """Runs a command that must fail with one line, and returns that."""
    done = entente(*arguments, check=False, **options)
    assert done.returncode == 1 and done.stderr.count("\n") == 1, (done.returncode, done.stdout, done.stderr)
    return done.stderr


def listing(folder):
    return sorted(path.name for path in folder.iterdir())


@contextlib.contextmanager
def publishing(node):
    """Officers publish at a node until the block ends; gives what was acknowledged, by index."""
    stop, acknowledged = threading.Event(), {}

    def run():
        number = 0
        while not stop.is_set():
            key = f"LOAD-{time.monotonic_ns()}-{number}"
            number += 1
            statement = node.officer().attestation(
                "vasp-licences", key, "authorised", legalName=key, competentAuthority="Test"
            )
            acknowledged[node.submit([statement])["first"]] = key

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield acknowledged
    finally:
        stop.set()
        thread.join()


# The way there and back


def test_a_node_under_load_comes_back_as_it_was(kept, workspace):
    pk = kept["pk"]
    folder = workspace / "came-back"
    file = workspace / "load.tar"
    before = pk.log_of("pk")["entries"]
    with publishing(pk) as acknowledged:
        eventually(lambda: len(acknowledged) > 20, "20 publications")
        sure = max(acknowledged)
        told = json.loads(entente("backup", file, "--data", pk.folder, "--with-keys", "--json").stdout)
        after = max(acknowledged)
        eventually(lambda: max(acknowledged) > after, "publishing goes on")
    assert told["running"] is True and told["keys"] is True and told["notIncluded"] == []
    assert told["member"] == "pk" and told["size"] == file.stat().st_size
    assert file.stat().st_mode & 0o777 == 0o600
    size = {log["origin"]: log["size"] for log in told["logs"]}[told["origin"]]
    assert sure < size and before < size

    restored = json.loads(entente("restore", file, "--data", folder, "--json").stdout)
    assert restored["checked"] is True and restored["missing"] == []
    mark = json.loads((folder / "restored").read_text())
    assert mark == {
        "entente-restored": 1, "member": "pk", "origin": told["origin"], "size": size, "time": told["time"],
    }  # fmt: skip
    assert folder.stat().st_mode & 0o777 == 0o700
    assert not (folder / "manifest.json").exists()
    assert entente("fsck", "--data", folder).stdout.endswith("clean\n")
    for name in ("config.json", "charter", "roster.jws", "tls/node.pem", "tls/authority.pem", "keys/log.key"):
        assert (folder / name).read_bytes() == (pk.folder / name).read_bytes(), name
    assert (pk.folder / "audit.jsonl").read_bytes().startswith((folder / "audit.jsonl").read_bytes())
    document = f"documents/{kept.digest_of_text[:2]}/{kept.digest_of_text}"
    assert (folder / document).read_bytes() == (pk.folder / document).read_bytes()

    # The node of this member ends for good; the restored one takes its place, and takes the newer entries back.
    pk.end()
    shutil.rmtree(pk.folder)
    folder.rename(pk.folder)
    pk.start()
    assert pk.log_of("pk")["entries"] >= size
    for index, key in acknowledged.items():
        if index < size:
            assert key in json.dumps(pk.get("/v1/entry", member="pk", index=index)), (index, key)
    assert pk.status()["documents"]["wanted"] == 0
    kept.connected()
    newest = max(acknowledged)
    eventually(lambda: not (pk.folder / "restored").exists(), "pk heard everybody, and holds what they hold", 40)
    assert pk.log_of("pk")["entries"] > newest
    said = pk.publish("PK-AFTER-RESTORE")
    assert said["first"] > newest
    for node in kept:
        eventually(lambda: node.log_of("pk")["entries"] > said["last"], f"{node.name} holds it")
        assert node.log_of("pk")["problem"] is None


def test_a_stopped_node(kept, workspace):
    sv = kept["sv"]
    file = workspace / "stopped.tar"
    sv.kill()
    told = entente("backup", file, "--data", sv.folder).stdout
    assert "Not in it: the private keys" in told and "charter version 1" in told
    folder = workspace / "stopped-back"
    said = entente("restore", file, "--data", folder).stdout
    assert "keys/log.key, keys/replica.key, keys/node.key" in said and "asks every other member" in said
    assert listing(folder / "keys") == []
    assert entente("fsck", "--data", folder, "--json").returncode == 0
    sv.start()
    kept.connected()
    # Without its keys the restored node says in one line what is missing.
    done = entente("node", "--data", folder, check=False)
    assert done.returncode == 1 and "log.key" in done.stderr


def test_tar_reads_it(archive, tmp_path):
    names = subprocess.run(["tar", "tf", archive], check=True, capture_output=True, text=True).stdout.split("\n")
    assert names[:2] == ["manifest.json", "restored"] and "entente.sqlite" in names
    assert not any(name.startswith("keys") for name in names)
    subprocess.run(["tar", "xf", archive, "-C", tmp_path], check=True)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert [file["path"] for file in manifest["files"]] == names[1:-1]
    for file in manifest["files"]:
        content = (tmp_path / file["path"]).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (file["size"], file["sha256"])
    # What tar made is a node's folder too, with the mark that it was restored.
    assert entente("fsck", "--quick", "--data", tmp_path).returncode == 0


def test_packed_again_by_tar(archive, tmp_path):
    """An archive that went through another tool, in the same order, is as good."""
    with tarfile.open(archive) as whole:
        names = whole.getnames()
        whole.extractall(tmp_path / "out", filter="data")
    again = tmp_path / "again.tar"
    subprocess.run(["tar", "-C", tmp_path / "out", "--format=ustar", "-cf", again, *names], check=True)
    entente("restore", again, "--data", tmp_path / "back")


# What is refused before anything is done


def test_nothing_is_overwritten(kept, archive, tmp_path):
    file = tmp_path / "there.tar"
    file.write_text("mine")
    node = kept["us"].folder
    assert "--overwrite" in refused("backup", file, "--data", node)
    assert file.read_text() == "mine"
    entente("backup", file, "--data", node, "--overwrite")
    assert tarfile.is_tarfile(file) and listing(tmp_path) == ["there.tar"]
    full = tmp_path / "full"
    full.mkdir()
    (full / "x").write_text("mine")
    assert "not empty" in refused("restore", archive, "--data", full)
    assert listing(full) == ["x"] and listing(tmp_path) == ["full", "there.tar"]
    (full / "x").unlink()
    entente("restore", archive, "--data", full)


def test_places_that_cannot_be(kept, tmp_path):
    node = kept["us"].folder
    assert "node's own folder" in refused("backup", node / "b.tar", "--data", node)
    assert "no such folder" in refused("backup", tmp_path / "no" / "b.tar", "--data", node)
    assert "a folder stands there" in refused("backup", tmp_path, "--data", node)
    other = tmp_path / "b.tar.partial"
    other.mkdir()
    (other / "mine").write_text("mine")
    assert "not left by a backup" in refused("backup", tmp_path / "b.tar", "--data", node)
    assert listing(other) == ["mine"]
    assert "no such file" in refused("restore", tmp_path / "none.tar", "--data", tmp_path / "x")


def test_damage_is_not_backed_up(kept, tmp_path):
    us = kept["us"]
    document = us.folder / "documents" / kept.digest_of_text[:2] / kept.digest_of_text
    good = document.read_bytes()
    for bad in (good[:-1], good[:-1] + b"?"):
        document.write_bytes(bad)
        assert "damaged" in refused("backup", tmp_path / "b.tar", "--data", us.folder)
        assert listing(tmp_path) == []
    document.write_bytes(good)


# Hostile archives


def members(archive):
    with tarfile.open(archive) as whole:
        return [(info, whole.extractfile(info).read()) for info in whole]


def packed(parts, end=b"\0" * 1_024):
    made = io.BytesIO()
    for info, content in parts:
        made.write(info.tobuf(tarfile.USTAR_FORMAT))
        made.write(content + b"\0" * (-len(content) % 512))
    return made.getvalue() + end


def file_of(name, content, kind=tarfile.REGTYPE, size=None, link=""):
    info = tarfile.TarInfo(name)
    info.size = len(content) if size is None else size
    info.type, info.linkname = kind, link
    return info, content


def with_manifest(parts, change):
    manifest = json.loads(parts[0][1])
    change(manifest)
    return [file_of("manifest.json", json.dumps(manifest).encode()), *parts[1:]]


def listed(parts, name, content):
    """With one more file, that the manifest lists."""
    digest = hashlib.sha256(content).hexdigest()
    entry = {"path": name, "size": len(content), "sha256": digest}
    return with_manifest(parts, lambda manifest: manifest["files"].append(entry)) + [file_of(name, content)]


def replaced(parts, name, make):
    return [make(info, content) if info.name == name else (info, content) for info, content in parts]


def flipped(info, content):
    return info, content[:-2] + bytes([content[-2] ^ 4]) + content[-1:]


HOSTILE = {
    "absolute path": (lambda parts: listed(parts, "/tmp/entente-evil", b"x"), "no file of a node's folder"),
    "way out": (lambda parts: listed(parts, "tls/../../evil", b"x"), "no file of a node's folder"),
    "dot dot": (lambda parts: listed(parts, "tls/..", b"x"), "no file of a node's folder"),
    "hidden": (lambda parts: listed(parts, "tls/.bashrc", b"x"), "no file of a node's folder"),
    "unknown file": (lambda parts: listed(parts, "lock", b"x"), "no file of a node's folder"),
    "keys unsaid": (lambda parts: listed(parts, "keys/log.key", b"x"), "says that there are none"),
    "twice": (lambda parts: listed(parts, "charter", b"x"), "stands there twice"),
    "not in the manifest": (lambda parts: [*parts, file_of("tls/x.pem", b"x")], "is not in the manifest"),
    "unlisted way out": (lambda parts: [*parts, file_of("../evil", b"x")], "is not in the manifest"),
    "other order": (lambda parts: [*parts[:1], *parts[:0:-1]], "stands where the manifest has"),
    "one is missing": (lambda parts: parts[:-1], "is not in it"),
    "a link": (
        lambda parts: replaced(parts, "charter", lambda *_: file_of("charter", b"", tarfile.SYMTYPE, link="/etc/passwd")),
        "a link, a folder or a device",
    ),
    "a hard link": (
        lambda parts: replaced(parts, "charter", lambda *_: file_of("charter", b"", tarfile.LNKTYPE, link="/etc/passwd")),
        "a link, a folder or a device",
    ),
    "a device": (lambda parts: [*parts, file_of("tls/x.pem", b"", tarfile.CHRTYPE)], "a link, a folder or a device"),
    "a folder": (lambda parts: [*parts, file_of("tls", b"", tarfile.DIRTYPE)], "a link, a folder or a device"),
    "a long name": (lambda parts: [*parts, file_of("x", b"y", tarfile.GNUTYPE_LONGNAME)], "a link, a folder or a device"),
    "pax path": (lambda parts: [*parts, file_of("x", b"15 path=../evi\n", b"x")], "extended header"),
    "pax size": (lambda parts: [*parts, file_of("x", b"10 size=1\n", b"x")], "extended header"),
    "other size": (
        lambda parts: replaced(parts, "roster.jws", lambda info, content: file_of(info.name, content + b"\n")),
        "by the manifest",
    ),
    "huge size": (
        lambda parts: replaced(parts, "roster.jws", lambda info, content: file_of(info.name, content, size=1 << 32)),
        "by the manifest",
    ),
    "damaged database": (lambda parts: replaced(parts, "entente.sqlite", flipped), "entente.sqlite is damaged"),
    "damaged document": (lambda parts: [*parts[:-1], flipped(*parts[-1])], "is damaged: its SHA-256"),
    "no manifest": (lambda parts: parts[1:], "first file is not manifest.json"),
    "empty": (lambda parts: [], "first file is not manifest.json"),
    "newer form": (
        lambda parts: with_manifest(parts, lambda manifest: manifest.update({"entente-backup": 2})),
        "cannot read; use a newer one",
    ),
    "unknown member": (lambda parts: with_manifest(parts, lambda m: m.update(more=1)), "more is not a member known"),
    "not JSON": (lambda parts: [file_of("manifest.json", b"{"), *parts[1:]], "manifest.json"),
    "negative size": (
        lambda parts: with_manifest(parts, lambda manifest: manifest["files"][0].update(size=-1)), "files[0].size",
    ),
    "no database": (
        lambda parts: with_manifest(
            parts, lambda m: m.update(files=[f for f in m["files"] if f["path"] != "entente.sqlite"])
        ),
        "entente.sqlite is not in it",
    ),
    "no mark": (
        lambda parts: with_manifest(parts, lambda m: m.update(files=[f for f in m["files"] if f["path"] != "restored"])),
        "restored is not in it",
    ),
    "other logs": (
        lambda parts: with_manifest(
            parts, lambda manifest: [log.update(size=log["size"] + 1) for log in manifest["logs"][:1]]
        ),
        "its database holds other logs",
    ),
    "other mark": (lambda parts: with_manifest(parts, lambda m: m.update(time="2020-01-01T00:00:00Z")), "does not fit"),
    "other member": (lambda parts: with_manifest(parts, lambda manifest: manifest.update(member="pk")), "does not fit"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_archives(archive, tmp_path, name):
    change, reason = HOSTILE[name]
    file = tmp_path / "bad.tar"
    file.write_bytes(packed(change(members(archive))))
    assert reason in refused("restore", file, "--data", tmp_path / "node")
    assert listing(tmp_path) == ["bad.tar"]


def test_broken_archives(archive, tmp_path):
    """Cut anywhere, with something behind its end, or with one bit of it turned."""
    good = archive.read_bytes()
    file = tmp_path / "bad.tar"
    chosen = random.Random(5)
    cuts = {0, 1, 511, 512, 513, len(good) - 1, len(good) - 512, len(good) - 1_024}
    cuts |= {chosen.randrange(len(good)) for _ in range(12)}
    for cut in sorted(cuts):
        file.write_bytes(good[:cut])
        said = refused("restore", file, "--data", tmp_path / "node")
        assert "ends too early" in said, (cut, said)
    for more in (b"\0" * 511 + b"x", b"more", b"\0" * 20_480):
        file.write_bytes(good + more)
        assert "behind its end" in refused("restore", file, "--data", tmp_path / "node")
    for _ in range(30):
        position = chosen.randrange(len(good))
        changed = bytearray(good)
        changed[position] ^= 1 << chosen.randrange(8)
        file.write_bytes(changed)
        done = entente("restore", file, "--data", tmp_path / "node", check=False)
        assert done.returncode == 1 and done.stderr.count("\n") == 1, (position, done.stderr)
    assert listing(tmp_path) == ["bad.tar"]
    file.write_bytes(os.urandom(4_096))
    assert "this is no backup" in refused("restore", file, "--data", tmp_path / "node")


# Interrupted, and without room


def test_killed_at_any_moment(kept, tmp_path):
    """No half file ever has the name; the next run removes what was left, and succeeds."""
    node = kept["us"].folder
    file = tmp_path / "b.tar"
    began = time.monotonic()
    entente("backup", file, "--data", node)
    whole = time.monotonic() - began
    good = file.stat().st_size
    file.unlink()
    chosen, killed = random.Random(7), 0
    for _ in range(25):
        process = subprocess.Popen(
            [program(), "backup", file, "--data", node], env=environment(),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        time.sleep(chosen.uniform(0, whole))
        process.send_signal(chosen.choice([signal.SIGKILL, signal.SIGINT]))
        killed += process.wait() != 0
        if file.exists():
            assert file.stat().st_size >= good and tarfile.open(file).getnames()[0] == "manifest.json"
            file.unlink()
    assert killed > 5
    entente("backup", file, "--data", node)
    assert listing(tmp_path) == ["b.tar"]
    entente("restore", file, "--data", tmp_path / "back")
    # The node goes on, and nothing of its copies is left in its folder.
    incoming = node / "documents" / "incoming"
    eventually(lambda: not [name for name in listing(incoming) if name.startswith("new-")], "no copy is left")
    assert kept["us"].status()


def test_two_at_once(kept, tmp_path):
    node = kept["us"].folder
    started = [
        subprocess.Popen(
            [program(), "backup", tmp_path / f"{name}.tar", "--data", node], env=environment(), text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )
        for name in ("a", "a", "b")
    ]  # fmt: skip
    said = [process.communicate(timeout=60)[1] for process in started]
    assert any(process.returncode == 0 for process in started), said
    for process, line in zip(started, said, strict=True):
        assert process.returncode == 0 or any(
            part in line for part in ("another backup", "such a file already", "File exists")
        ), line
    assert not [name for name in listing(tmp_path) if not name.endswith(".tar")]


def test_a_full_disk(kept, archive, tmp_path):
    """One line says that there is no room, and nothing is left there."""
    room = tmp_path / "room"
    room.mkdir()
    script = 'mount -t tmpfs -o size="$1" none "$2" || exit 77; shift 2; "$@"; s=$?; ls -A "$0" >&2; exit $s'
    size = archive.stat().st_size
    for part in (0.02, 0.5, 1.3):
        for arguments in (
            ["backup", room / "b.tar", "--data", kept["us"].folder],
            ["restore", archive, "--data", room / "node"],
        ):
            if arguments[0] == "restore" and part > 1:
                continue
            done = subprocess.run(
                ["unshare", "-rm", "sh", "-c", script, room, str(int(size * part)), room, program(), *arguments],
                env=environment(), capture_output=True, text=True,
            )  # fmt: skip
            if done.returncode == 77 or "unshare" in done.stderr:
                pytest.skip("this system lets nobody mount a small disk")
            assert done.returncode == 1 and done.stderr.count("\n") == 1, done.stderr
            assert "No space left" in done.stderr or "full" in done.stderr, done.stderr
