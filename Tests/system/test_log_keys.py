"""A member gets a new log key, and a new replica key: a new log that begins with the old one, while everything runs. Each test
follows Docs/charter.md."""

import base64
import json
import re
import shutil

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from alliance import Refused
from logs import EMPTY as EMPTY_ROOT
from logs import signature_line
from program import PASSPHRASE, entente, eventually
from test_charters import all_under, alliance_of, processes, propose, sign  # noqa: F401

ORIGIN = "pk.alliance.example/log2"
EMPTY = base64.urlsafe_b64encode(EMPTY_ROOT).decode().rstrip("=")


def new_key(node, name, kind, tmp_path):
    """Makes a key and puts the charter's half where propose finds it."""
    entente("keys", "new", name, "--kind", kind, "--keys", node.keys)
    return node.keys / f"{name}.pub"


def goes_on(alliance, origin=ORIGIN):
    """All nodes hold pk's new log, and what pk says there counts."""
    pk = alliance["pk"]
    for node in alliance:
        eventually(lambda: node.log_of("pk")["origin"] == origin, f"{node.name} knows the new log")
        eventually(lambda: node.row("vasp-licences", "PK-LATE", "pk"), f"{node.name} holds it", 45)
        assert node.row("vasp-licences", "PK-1", "pk")["status"] == "authorised"
    # What was said in the old log is published again first.
    eventually(lambda: not pk.definition("vasp-licences"), "pk's new log has the definition")
    said = pk.publish("PK-2")
    others = [node.name for node in alliance if node is not pk]
    for node in alliance:
        node.receipts("pk", said["first"], others)
        assert node.row("vasp-licences", "PK-2", "pk")["status"] == "authorised"
    return said


def test_a_new_log_key_while_everything_runs(alliance_of, tmp_path):
    alliance = alliance_of("new-log-key", ("pk", "sv", "us", "imf"))
    alliance.connected()
    pk, sv, us = (alliance[name] for name in ("pk", "sv", "us"))
    before = processes(alliance)
    pk.publish("PK-1")
    alliance.converged()
    old = tmp_path / "old.entente-proof"
    old.write_bytes(sv.prove("vasp-licences", "PK-1", "pk"))
    public = new_key(pk, "log-2", "log", tmp_path)
    second = propose(sv, tmp_path / "2.charter", "--log-key", f"pk={public}")
    # Acknowledged after the charter was proposed: behind its cut.
    late = pk.publish("PK-LATE")
    alliance.converged()
    sign(second, pk, sv, previous=alliance.charter)
    shutil.copy(pk.keys / "log-2.key", pk.folder / "keys" / "log-2.key")
    sv.cli("charter", "adopt", second)
    all_under(alliance, 2)
    goes_on(alliance)
    assert processes(alliance) == before

    # A partner verifies with both charters, and with the new one pinned; under the first alone it is another log.
    proof = tmp_path / "new.entente-proof"
    proof.write_bytes(us.prove("vasp-licences", "PK-LATE", "pk"))
    both = ("--charter", alliance.charter, "--charter", second)
    entente("verify", proof, *both, "--expect", "authorised")
    assert "not of Pakistan's log" in entente("verify", proof, "--charter", alliance.charter, check=False).stdout
    # A proof of the old log tells nothing any more to whoever knows the new one.
    assert "not of Pakistan's log" in entente("verify", old, *both, check=False).stdout

    # After restarts all of it stands, and both logs are in order.
    for node in (pk, us):
        node.end()
        done = entente("fsck", "--data", node.folder, check=False)
        assert done.returncode == 0, done.stdout
        node.start()
    alliance.connected()
    assert pk.log_of("pk")["origin"] == ORIGIN
    said = pk.publish("PK-3")
    assert said["first"] > late["first"]
    us.receipts("pk", said["first"], ["sv", "us", "imf"])


def test_the_new_key_comes_late(alliance_of, tmp_path):
    alliance = alliance_of("late-log-key", ("pk", "sv", "us"))
    alliance.connected()
    pk, sv = alliance["pk"], alliance["sv"]
    pk.publish("PK-1")
    pk.publish("PK-LATE")
    alliance.converged()
    public = new_key(pk, "log-2", "log", tmp_path)
    second = propose(sv, tmp_path / "2.charter", "--log-key", f"pk={public}")
    sign(second, pk, sv, previous=alliance.charter)
    sv.cli("charter", "adopt", second)
    all_under(alliance, 2)

    # Without the key the node goes on holding and checking, publishes nothing, and says what it needs.
    def concerns():
        return {one["code"]: one["text"] for one in pk.status()["concerns"]}

    eventually(lambda: f"names the log key {ORIGIN}" in concerns().get("charter-keys", ""), "pk says what it misses")
    with pytest.raises(Refused):
        pk.publish("PK-TOO-EARLY")
    assert sv.row("vasp-licences", "PK-1", "pk")["status"] == "authorised", "the old log speaks until then"
    said = sv.publish("SV-1")
    sv.receipts("sv", said["first"], ["pk", "us"])
    pk.end()
    pk.start()
    assert "charter-keys" in concerns()

    shutil.copy(pk.keys / "log-2.key", pk.folder / "keys" / "log-2.key")
    eventually(lambda: "charter-keys" not in concerns(), "pk found its key", 30)
    alliance.connected()
    goes_on(alliance)


def test_a_new_key_is_lost_before_its_log_began(alliance_of, tmp_path):
    """Another new key takes over where the log before was cut: nothing of what the member said is lost."""
    alliance = alliance_of("lost-log-key", ("pk", "sv", "us"))
    alliance.connected()
    pk, sv = alliance["pk"], alliance["sv"]
    pk.publish("PK-1")
    alliance.converged()
    second = propose(sv, tmp_path / "2.charter", "--log-key", f"pk={new_key(pk, 'log-2', 'log', tmp_path)}")
    pk.publish("PK-LATE")
    alliance.converged()
    sign(second, pk, sv, previous=alliance.charter)
    sv.cli("charter", "adopt", second)
    all_under(alliance, 2)
    third = propose(sv, tmp_path / "3.charter", "--log-key", f"pk={new_key(pk, 'log-3', 'log', tmp_path)}")
    # A cut before what the lost log begins with would drop all that the member said.
    wrong = propose(sv, tmp_path / "wrong.charter", "--standing", "pk=suspended", "--cut", "pk=0:" + EMPTY)
    sign(wrong, pk, sv, alliance["us"], previous=second)
    assert "begins with the" in sv.cli("charter", "adopt", wrong, check=False).stderr
    sign(third, pk, sv, previous=second)
    shutil.copy(pk.keys / "log-3.key", pk.folder / "keys" / "log-3.key")
    sv.cli("charter", "adopt", third)
    all_under(alliance, 3)
    eventually(lambda: pk.log_of("pk")["origin"].endswith("/log3"), "pk goes on under the third key")
    for node in alliance:
        for key in ("PK-1", "PK-LATE"):
            eventually(lambda: node.row("vasp-licences", key, "pk"), f"{node.name} holds what pk said", 45)
    said = pk.publish("PK-2")
    sv.receipts("pk", said["first"], ["sv", "us"])
    for node in alliance:
        node.end()
        done = entente("fsck", "--data", node.folder, check=False)
        assert done.returncode == 0, done.stdout


def test_a_new_replica_key(alliance_of, tmp_path):
    alliance = alliance_of("replica-key", ("pk", "sv", "us"))
    alliance.connected()
    pk, sv = alliance["pk"], alliance["sv"]
    new_key(pk, "replica-2", "replica", tmp_path)
    file = tmp_path / "pk.member"
    entente("join", "request", "--keys", pk.keys, "--replica", "replica-2", "--address", pk.address, "--out", file)
    second = propose(sv, tmp_path / "2.charter", "--update", file)
    sign(second, pk, sv, previous=alliance.charter)
    shutil.copy(pk.keys / "replica-2.key", pk.folder / "keys" / "replica-2.key")
    sv.cli("charter", "adopt", second)
    all_under(alliance, 2)
    said = sv.publish("SV-1")
    for node in alliance:
        node.receipts("sv", said["first"], ["pk", "us"])
    proof = tmp_path / "sv.entente-proof"
    proof.write_bytes(alliance["us"].prove("vasp-licences", "SV-1", "sv"))
    entente("verify", proof, "--charter", alliance.charter, "--charter", second, "--expect", "authorised")


def test_a_stolen_log_key_alone(alliance_of, tmp_path):
    """Whoever has it can sign checkpoints. It has no officer's key to say something false with, and no TLS key to tell a node;
    a partner wants a quorum; and a charter ends the key."""
    alliance = alliance_of("stolen-log-key", ("pk", "sv", "us"))
    alliance.connected()
    pk, sv = alliance["pk"], alliance["sv"]
    pk.publish("PK-1")
    pk.publish("PK-LATE")
    alliance.converged()
    genuine = sv.prove("vasp-licences", "PK-1", "pk").decode()
    log = json.loads(genuine)["log"]
    stolen = load_pem_private_key((pk.keys / "log.key").read_bytes(), PASSPHRASE.encode())
    head, _, note = log.partition("\n\n")
    text = note.partition("\n\n")[0] + "\n"
    own = note.partition("\n\n")[2].splitlines(keepends=True)[0]
    origin = text.splitlines()[0]
    assert signature_line(origin, stolen, text.encode()).decode() == own, "the thief signs as the node does"

    def partner_says(signed, *charters):
        proof = tmp_path / "forged.entente-proof"
        before, after = (json.dumps(one, ensure_ascii=False) for one in (log, f"{head}\n\n{signed}"))
        assert before in genuine
        proof.write_text(genuine.replace(before, after))
        return entente("verify", proof, *charters, check=False)

    charter = ("--charter", alliance.charter)
    assert partner_says(note, *charter).returncode == 0, "the genuine one"
    alone = partner_says(f"{text}\n{own}", *charter)
    assert alone.returncode == 1 and "Only 0 of 2 needed other members hold and checked it" in alone.stdout
    # A later, empty story of the same log, that forgets the licence.
    later = re.sub(r"\n\d+\n", "\n1000\n", text, count=1)
    signed = signature_line(origin, stolen, later.encode()).decode()
    assert partner_says(f"{later}\n{signed}", *charter).returncode == 1

    # The member gets another key; what the old one signs is of no log any more.
    public = new_key(pk, "log-2", "log", tmp_path)
    second = propose(sv, tmp_path / "2.charter", "--log-key", f"pk={public}")
    sign(second, sv, alliance["us"], previous=alliance.charter)
    shutil.copy(pk.keys / "log-2.key", pk.folder / "keys" / "log-2.key")
    pk.cli("charter", "adopt", second)
    all_under(alliance, 2)
    goes_on(alliance)
    after = partner_says(note, *charter, "--charter", second)
    assert after.returncode == 1 and "not of Pakistan's log" in after.stdout
