"""One key is stolen, and nothing else: what the thief can do, what not, and what ends it. The threat model has a line of
each; the recovery follows Docs/operations.md and Docs/charter.md."""

import copy
import json
import struct

import pytest

import logs
import wire
from alliance import Alliance, Refused, member_id, origin
from certificates import Identity
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from program import entente, eventually
from statements import Officer, Speaker, base64url, from_base64url, load_key
from stranger import Stranger
from test_charters import all_under, propose, refused
from test_staff import officers, staff


@pytest.fixture(scope="module")
def nodes(workspace, cheap_keys):
    """Three real members, and one that is played and passes on what the thief gives it."""
    folder = workspace / "thefts-files"
    folder.mkdir()
    accomplice = Stranger(folder, "m1")
    made = Alliance(workspace / "thefts", cheap_keys, ("pk", "sv", "us"), strangers=[accomplice.file])
    made.start()
    made.connected()
    made.accomplice = accomplice.join(made)
    for node in made:
        node.publish("BEFORE")
    made.converged()
    yield made
    made.stop()


def why(node, statements):
    """For what reasons a node publishes none of these."""
    with pytest.raises(Refused) as error:
        node.submit(statements)
    return {one["code"] for one in error.value.error["refused"]}


def shown(nodes, key, member, register="vasp-licences"):
    """What each node shows of a key."""
    return [node.row(register, key, member) for node in nodes]


# An officer's key


def test_an_officers_key(nodes, tmp_path):
    """Who has it and reaches the node speaks for the member where one officer is enough, until a roster ends that."""
    sv, pk = nodes["sv"], nodes["pk"]
    thief = Officer(sv.keys / "ayesha.key", member_id("sv"), "ayesha", nodes.digest)
    lie = thief.attestation("vasp-licences", "LIE", "authorised", legalName="Thief Ltd", competentAuthority="None")
    # No peer takes a statement: it counts in the member's log, which is written at the member's node.
    last = sv.submit([lie])["last"]
    pk.receipts("sv", last, ["pk", "us"])
    assert [row["status"] for row in shown(nodes, "LIE", "sv")] == ["authorised"] * 3
    # It makes no officers, speaks for nobody else, and not alone where two are asked for.
    first = from_base64url((sv.folder / "roster.jws").read_text().split(".")[1])
    following = {"ordinal": 1, "previous": base64url(logs.sha256(first)), "twoOfficers": ["warnings"]}
    assert why(sv, [thief.sign("roster", json.loads(first) | following)]) == {"key-not-in-force"}
    fields = {"legalName": "Thief Ltd", "competentAuthority": "None"}
    assert why(pk, [thief.attestation("vasp-licences", "LIE-2", "authorised", **fields)]) == {"other-member"}
    root = ("--sign-with", "root-1", "--keys", sv.keys)
    staff(sv, "two-officers", "vasp-licences", *root)
    more = [thief.attestation("vasp-licences", key, "authorised", **fields) for key in ("LIE-3", "LIE-4")]
    assert why(sv, more) == {"second-officer-missing"}
    staff(sv, "two-officers", "vasp-licences", "--off", *root)

    # The page: revoke at once, enter a new key, look through what it signed, take back what is false.
    staff(sv, "revoke", "ayesha", *root)
    assert why(sv, more) == {"key-not-in-force"}
    entente("keys", "new", "ayesha", "--keys", tmp_path / "new")
    staff(sv, "add", tmp_path / "new" / "ayesha.pub", *root)
    assert why(sv, more) == {"bad-signature"}
    assert "LIE" in sv.cli("entries").stdout
    new = ("--sign-with", "ayesha", "--keys", tmp_path / "new")
    sv.cli("retract", "vasp-licences", "LIE", "--note", "stolen key", *new)
    nodes.converged()
    assert [row["answer"] for row in shown(nodes, "LIE", "sv")] == ["retracted"] * 3
    assert [row["status"] for row in shown(nodes, "BEFORE", "sv")] == ["authorised"] * 3
    assert "ayesha" in officers(sv)


# A node's TLS key


def test_a_tls_key(nodes, tmp_path):
    """Who has it connects as that member and reads what members read; it signs no head and no statement."""
    us, pk = nodes["us"], nodes["pk"]
    files = [us.folder / "tls" / name for name in ("node.pem", "authority.pem")]
    certificate, authority = (x509.load_pem_x509_certificate(file.read_bytes()) for file in files)
    thief = copy.copy(nodes.accomplice)
    thief.id, thief.origin = member_id("us"), origin("us")
    thief.identity = Identity(tmp_path / "stolen", certificate, load_key(us.keys / "node1.key"), authority)
    trusted = pk.folder / "tls" / "authority.pem"
    status, checkpoint = wire.request(pk.port, thief.identity, trusted, "GET", f"/logs/{origin('us')}/checkpoint")
    assert status == 200 and checkpoint.startswith(origin("us").encode())
    held = pk.log_of("us")
    # A head that its own key signs.
    forged = story(nodes, pk, "us", Ed25519PrivateKey.generate())
    nobody(forged, nodes, "us", "TLS-LIE")
    before = pk.rejections().get("badSignature", 0)
    # There is one session a member; here the true node is away.
    us.end()
    eventually(lambda: pk.peer("us")["state"] != "connected", "us has gone")
    with thief.session(pk) as session:
        session.send(wire.head(forged.head()))
        eventually(lambda: pk.rejections().get("badSignature", 0) > before, "pk refuses the head", 10)
    us.start()
    nodes.connected()
    assert (pk.log_of("us")["entries"], pk.log_of("us")["root"]) == (held["entries"], held["root"])
    # Once the roster revokes the key it gets nothing more.
    entente("keys", "new", "node1-b", "--kind", "node", "--keys", tmp_path / "keys")
    us.cli(
        *("node", "add", "node1", "--key", tmp_path / "keys" / "node1-b.pub", "--replace"),
        *("--sign-with", "root-1", "--keys", us.keys))
    eventually(lambda: pk.log_of("us")["entries"] > held["entries"], "pk holds the roster")
    count = pk.rejections().get("revoked", 0)
    with pytest.raises((OSError, wire.http.client.HTTPException)):
        wire.request(pk.port, thief.identity, trusted, "GET", f"/logs/{origin('us')}/checkpoint")
    eventually(lambda: pk.rejections().get("revoked", 0) > count, "pk counts it", 10)
    # The node changes over and is let in again.
    entente(
        *("tls", "renew", "--certificate", us.folder / "tls" / "node.pem", "--out", tmp_path / "node.pem"),
        *("--key", tmp_path / "keys" / "node1-b.pub", "--keys", us.keys))
    (tmp_path / "keys" / "node1-b.key").rename(us.folder / "keys" / "node.key")
    (tmp_path / "node.pem").rename(us.folder / "tls" / "node.pem")
    eventually(lambda: pk.peer("us")["state"] == "connected", "pk takes the new key", 60)


# A root key, where two are needed


def test_a_root_key_where_two_must_sign(nodes, tmp_path):
    """One of two signs no roster, and does not make the member a signer of a charter; the others let it go."""
    pk, sv, us = nodes["pk"], nodes["sv"], nodes["us"]

    def keys_are(number, names, signers):
        request = tmp_path / f"pk-{number}.member"
        roots = [part for name in names for part in ("--root", name)]
        entente("join", "request", "--keys", pk.keys, *roots, "--root-threshold", "2", "--out", request)
        path = propose(us, tmp_path / f"{number}.charter", "--root-keys", request)
        previous = tmp_path / f"{number}-previous.charter"
        previous.write_bytes(us.request("GET", "/v1/charter"))
        for node, key in signers:
            entente("charter", "sign", path, "--previous", previous, "--key", key, "--keys", node.keys)
        us.cli("charter", "adopt", path)
        all_under(nodes, number)
        return path

    for name in ("root-2", "root-3"):
        entente("keys", "new", name, "--kind", "root", "--keys", pk.keys)
    second = keys_are(2, ["root-1", "root-2"], [(sv, "root-1"), (us, "root-1")])

    # The thief has root-1.
    assert staff(pk, "revoke", "omar", "--sign-with", "root-1", "--keys", pk.keys, check=False).returncode == 1
    staff(pk, "revoke", "omar", "--plan", "theft.plan", cwd=tmp_path)
    entente("sign", "theft.plan", "--key", "root-1", "--keys", pk.keys, cwd=tmp_path)
    assert pk.cli("submit", "theft.plan", cwd=tmp_path, check=False).returncode == 1
    assert "omar" in officers(pk)
    path = propose(us, tmp_path / "theft.charter", "--standing", "sv=suspended")
    entente("charter", "sign", path, "--previous", second, "--key", "root-1", "--keys", pk.keys)
    entente("charter", "sign", path, "--previous", second, "--key", "root-1", "--keys", us.keys)
    assert "needs 2 regulators of version 2; 1 signed" in refused(us, path)
    # With the second key the member speaks.
    entente("sign", "theft.plan", "--key", "root-2", "--keys", pk.keys, cwd=tmp_path)
    pk.cli("submit", "theft.plan", cwd=tmp_path)
    assert "omar" not in officers(pk)

    # The page: a new list of root keys; neither the stolen key is needed nor the member's word.
    keys_are(3, ["root-2", "root-3"], [(sv, "root-1"), (us, "root-1")])
    staff(pk, "add", pk.keys / "omar.pub", "--plan", "omar.plan", cwd=tmp_path)
    stolen = entente("sign", "omar.plan", "--key", "root-1", "--keys", pk.keys, cwd=tmp_path, check=False)
    if stolen.returncode == 0:
        entente("sign", "omar.plan", "--key", "root-2", "--keys", pk.keys, cwd=tmp_path)
        assert pk.cli("submit", "omar.plan", cwd=tmp_path, check=False).returncode == 1
    (tmp_path / "omar.plan").unlink()
    staff(pk, "add", pk.keys / "omar.pub", "--plan", "omar.plan", cwd=tmp_path)
    for key in ("root-2", "root-3"):
        entente("sign", "omar.plan", "--key", key, "--keys", pk.keys, cwd=tmp_path)
    pk.cli("submit", "omar.plan", cwd=tmp_path)
    assert "omar" in officers(pk)
    pk.publish("PK-AFTER-THEFT")
    nodes.converged()


# A log key


def story(nodes, node, member, key):
    """A member's log as everybody has it, to be gone on with by a key."""
    size = node.log_of(member)["entries"]
    accomplice = nodes.accomplice
    status, body = wire.request(
        node.port, accomplice.identity, node.folder / "tls" / "authority.pem", "GET",
        f"/logs/{origin(member)}/tile/entries/000.p/{size}")
    assert status == 200
    log = logs.Log(origin(member), key, nodes.digest)
    while body:
        length = struct.unpack(">H", body[:2])[0]
        log.entries.append(body[2 : 2 + length])
        body = body[2 + length :]
    assert log.size == size and logs.base64text(log.root()) == node.log_of(member)["root"]
    return log


def nobody(log, nodes, member, key):
    """Adds a statement that no officer signed, and the leaf that is true then: the one before, at another place."""
    leaf = log.entries[-1].decode().split("\n")
    liar = Speaker(Ed25519PrivateKey.generate(), member_id(member), "omar", nodes.digest)
    lie = liar.attestation("vasp-licences", key, "authorised", legalName="Thief Ltd", competentAuthority="None")
    log.entries.append(lie.encode())
    leaf[1] = str(log.size)
    log.entries.append("\n".join(leaf).encode())
    return log


def test_a_log_key(nodes):
    """Who has it makes the log longer, by what counts nowhere; the owner takes that over and goes on. A second story gets no
    cosignature, and ends the log: everybody has the proof, the owner too."""
    pk, sv, us = nodes["pk"], nodes["sv"], nodes["us"]
    key = load_key(sv.keys / "log.key")
    true = story(nodes, pk, "sv", key)
    longer = nobody(true.copy(), nodes, "sv", "LOG-LIE")
    thief = copy.copy(nodes.accomplice)
    thief.origin = origin("sv")
    with thief.session(pk) as session:
        assert thief.offer(pk, session, longer.head(), lambda start: longer.range(start)) == 204
        for node in (pk, us):
            eventually(lambda: node.log_of("sv")["entries"] == longer.size, f"{node.name} holds the longer log")
            assert node.row("vasp-licences", "LOG-LIE", "sv") is None
        # Its owner notices, signs nothing that could contradict it, and goes on behind it.
        eventually(lambda: sv.log_of("sv")["entries"] >= longer.size, "the owner takes it over")
        said = sv.publish("SV-GOES-ON", officer="omar")
        assert said["first"] >= longer.size
        pk.receipts("sv", said["last"], ["pk", "us"])
        assert shown(nodes, "SV-GOES-ON", "sv")[0]["status"] == "authorised"
        # Another story.
        other = nobody(true.copy(), nodes, "sv", "OTHER-LIE")
        session.send(wire.head(other.head()))
        eventually(lambda: pk.log_of("sv")["problem"], "pk sees that both cannot be true")
    assert "two heads that cannot both be true" in pk.log_of("sv")["problem"]
    eventually(lambda: "forked" in str(sv.status()["concerns"]) or sv.log_of("sv")["problem"], "the owner is told")
    with pytest.raises(Refused) as error:
        sv.publish("SV-STOPPED", officer="omar")
    assert "own log is forked" in error.value.error["reason"]
    assert pk.row("vasp-licences", "OTHER-LIE", "sv") is None
    assert shown(nodes, "BEFORE", "sv")[0]["status"] == "authorised"
    # Nothing of it touches what others say.
    said = pk.publish("PK-GOES-ON")
    pk.receipts("pk", said["last"], ["us"])
