"""`entente fsck` on data folders of real nodes: what it finds, what it repairs from running peers, and that the node
then goes on as if nothing had happened."""

import hashlib
import json
import shutil
import signal
import sqlite3

import pytest

from alliance import MEMBERS, Alliance
from program import entente


@pytest.fixture(scope="module")
def checked(workspace, member_keys):
    """An alliance in which Pakistan has published entries and a document; El Salvador's folder is the one to damage."""
    made = Alliance(workspace / "fsck", member_keys, MEMBERS)
    made.start()
    made.connected()
    pk = made["pk"]
    pk.publish(*[f"FSCK-{number}" for number in range(300)])
    text = made.folder / "act.md"
    text.write_text("# An act\n\nIn our own words.\n")
    pk.cli(
        "publish", "document", text, "--work", "/akn/pk/act/2026/fsck", "--date", "2026-11-21", "--title", "Fsck",
        "--sign-with", "ayesha", "--keys", pk.keys,
    )  # fmt: skip
    made.converged()
    made.digest_of_text = hashlib.sha256(text.read_bytes()).hexdigest()
    for node in made:
        eventually_held(node, made.digest_of_text)
    yield made
    made.stop()


def eventually_held(node, digest):
    from program import eventually

    eventually(lambda: node.status()["documents"]["wanted"] == 0, f"{node.name} wants no document")
    assert (node.folder / "documents" / digest[:2] / digest).exists()


def fsck(node, *arguments, check=False):
    done = entente("fsck", "--data", node.folder, "--json", *arguments, check=check, timeout=120)
    return done.returncode, json.loads(done.stdout) if done.stdout else done.stderr


def database(node):
    connection = sqlite3.connect(node.folder / "entente.sqlite")
    connection.execute("PRAGMA ignore_check_constraints = ON")
    return connection


def log_number(connection, member):
    return connection.execute("SELECT id FROM log WHERE origin LIKE ?", (f"{member}.%",)).fetchone()[0]


def flip(blob, position):
    changed = bytearray(blob)
    changed[position] ^= 0x10
    return bytes(changed)


def files(node):
    """Every file's digest, but for the lock and the database's index of its log, which any reader makes."""
    return {
        str(path.relative_to(node.folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(node.folder.rglob("*"))
        if path.is_file() and path.name not in ("lock", "entente.sqlite-shm")
    }


def test_a_running_node_is_left_alone(checked):
    status, said = fsck(checked["sv"])
    assert status == 1 and "in use by process" in said
    assert checked["sv"].status()


def test_every_folder_is_clean_after_sigkill(checked):
    """Nothing is damaged, and checking changes nothing, whatever the kill left in the database's log."""
    checked["pk"].publish("FSCK-KILL")
    for node in checked:
        node.kill()
    for node in checked:
        before = files(node)
        status, report = fsck(node)
        assert (status, report["clean"], report["damage"]) == (0, True, 0), report
        assert report["checked"]["entries"] > 300 and report["checked"]["statements"] > 300
        assert files(node) == before
        assert fsck(node, "--quick")[0] == 0
    checked.start()
    checked.converged()


def test_nothing_to_check(checked, tmp_path):
    done = entente("fsck", "--data", tmp_path, check=False)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def damage(node, digest):
    """An entry, a tile, a row, a document; and a leftover."""
    connection = database(node)
    log = log_number(connection, "pk")
    (entry,) = connection.execute("SELECT packed FROM entry WHERE id = ?", (log << 44 | 200,)).fetchone()
    connection.execute("UPDATE entry SET packed = ? WHERE id = ?", (flip(entry, 100), log << 44 | 200))
    connection.execute("DELETE FROM entry WHERE id = ?", (log << 44 | 210,))
    tile, hashes = connection.execute("SELECT id, hashes FROM tile WHERE id = ?", (log << 48 | 1,)).fetchone()
    connection.execute("UPDATE tile SET hashes = ? WHERE id = ?", (flip(hashes, 5), tile))
    connection.execute("DELETE FROM row WHERE key = CAST('FSCK-7' AS BLOB)")
    connection.commit()
    connection.close()
    document = node.folder / "documents" / digest[:2] / digest
    document.write_bytes(flip(document.read_bytes(), 3))
    (node.folder / "documents" / "incoming" / "new-leftover").write_text("half")


def test_damage_is_found_and_repaired_from_peers(checked, tmp_path):
    sv = checked["sv"]
    sv.end()
    kept = tmp_path / "kept"
    shutil.copytree(sv.folder, kept, ignore=shutil.ignore_patterns("control.sock*"))
    damage(sv, checked.digest_of_text)
    before = files(sv)
    status, report = fsck(sv)
    assert status == 2 and not report["clean"]
    found = {(one["code"], one.get("log", "")[:2], one.get("index")) for one in report["findings"]}
    assert ("entry-damaged", "pk", 200) in found and ("entry-missing", "pk", 210) in found
    assert report["counts"]["document-damaged"] == 1 and report["counts"]["file-temporary"] == 1
    assert all(one["meaning"] and one["remedy"] for one in report["findings"])
    assert files(sv) == before
    shown = entente("fsck", "--data", sv.folder, check=False)
    assert shown.returncode == 2 and "DAMAGED" in shown.stdout and "entry 200" in shown.stdout

    # Nobody is asked: what can be derived waits for the entries, and nothing is lost.
    status, report = fsck(sv, "--repair", "--offline")
    assert status == 2 and any("entries from 200" in line for line in report["repair"]["failed"])

    status, report = fsck(sv, "--repair")
    assert (status, report["clean"]) == (0, True), report
    assert not report["repair"]["failed"]
    assert not (sv.folder / "documents" / "incoming" / "new-leftover").exists()

    # Exactly what was there before.
    def contents(folder):
        connection = sqlite3.connect(f"file:{folder}/entente.sqlite?mode=ro", uri=True)
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: connection.execute(f'SELECT * FROM "{name}"').fetchall() for name in tables}

    assert contents(sv.folder) == contents(kept)
    assert fsck(sv)[0] == 0

    sv.start()
    said = checked["pk"].publish("FSCK-AFTER")
    checked["pk"].receipts("pk", said["last"], ["sv", "us", "imf"])


def test_an_own_log_that_lost_its_tail_is_fetched_back(checked):
    """The node's own log: entries that others hold come back; nothing is signed in between."""
    us = checked["us"]
    said = us.publish("OWN-1", "OWN-2")
    us.receipts("us", said["last"], ["pk", "sv"])
    checked.converged()
    us.end()
    connection = database(us)
    log = log_number(connection, "us")
    head = connection.execute("SELECT size, head_size, head, cosigned FROM log ORDER BY id").fetchall()
    connection.execute("DELETE FROM entry WHERE id >= ? AND id < ?", (log << 44 | said["first"], (log + 1) << 44))
    connection.commit()
    connection.close()
    status, report = fsck(us)
    assert status == 2 and report["counts"]["entry-missing"] == said["last"] - said["first"] + 2
    status, report = fsck(us, "--repair")
    assert (status, report["clean"]) == (0, True), report
    connection = database(us)
    assert connection.execute("SELECT size, head_size, head, cosigned FROM log ORDER BY id").fetchall() == head
    connection.close()
    us.start()
    us.publish("OWN-3")
    checked.converged()


def test_what_no_peer_gives_stays_damaged(checked):
    """All peers are down: the repair says whom it asked, and damage remains."""
    imf = checked["imf"]
    checked.stop()
    connection = database(imf)
    log = log_number(connection, "pk")
    connection.execute("UPDATE entry SET packed = x'00' WHERE id = ?", (log << 44 | 250,))
    connection.commit()
    connection.close()
    status, report = fsck(imf, "--repair")
    assert status == 2 and report["counts"]["entry-damaged"] == 1
    assert any("no peer gave it" in line and "pk:" in line for line in report["repair"]["failed"]), report["repair"]
    checked.start("pk")
    assert fsck(imf, "--repair")[0] == 0
    checked.start("sv", "us", "imf")
    checked.converged()


def test_ends_on_an_interrupt_and_leaves_the_folder(checked):
    """A check that is told to stop leaves nothing behind that a start would mind."""
    import subprocess

    from program import environment, program

    sv = checked["sv"]
    sv.end()
    before = files(sv)
    process = subprocess.Popen(
        [program(), "fsck", "--data", sv.folder],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment(),
    )
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=10) != 1
    assert files(sv) == before
    sv.start()
    checked.converged()
