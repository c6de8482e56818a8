"""Registers that are joined across members, at running nodes: endorsements, conflicts and how they end, joined answers."""

import hashlib
import json
import shlex

import pytest

from alliance import Alliance, member_id
from program import entente, eventually
from test_alliance import published_by
from test_charters import all_under

RECOGNISED = ("--status", "recognised", "--from", "2026-01-01")
AGREEMENT = ("--from", "2026-01-01", "--field", "title=Corridor", "--field", "kind=treaty", "--field", "parties=A|B")


@pytest.fixture(scope="module")
def nodes(workspace, cheap_keys):
    """Four nodes under a charter by which the regulators keep agreements jointly, and two others adopt a recognition."""
    made = Alliance(workspace / "joint", cheap_keys, ("pk", "sv", "us", "imf"))
    made.start()
    made.connected()
    change(made, "--register", "agreements=joint:pk,sv,us", "--register", "recognitions=by:2")
    yield made
    made.stop()


def change(nodes, *options):
    """A next version of the charter, signed by two regulators and adopted."""
    us = nodes["us"]
    number = us.status()["alliance"]["version"] + 1
    path, held = nodes.folder / f"{number}.charter", nodes.folder / f"{number - 1}.charter"
    us.cli("charter", "propose", *options, "--out", path)
    for name in ("pk", "us"):
        previous = held if held.exists() else nodes.charter
        entente("charter", "sign", path, "--previous", previous, "--keys", nodes[name].keys)
    us.cli("charter", "adopt", path)
    all_under(nodes, number)


def key_of(recogniser, member):
    return f"{recogniser}/{member}/vasp-licences"


def recognise(node, member, *more):
    """Publishes a recognition; returns its key and its index."""
    fields = (f"recogniser={node.name}", f"recognisedMember={member}", "recognisedRegister=vasp-licences")
    said = published_by(
        node, "entry", "recognitions", "--key", key_of(node.name, member), *RECOGNISED,
        *(part for one in fields for part in ("--field", one)), *more)  # fmt: skip
    return key_of(node.name, member), attestation_in(node, said)


def agree(node, key, status, *more):
    """Publishes an entry of a joint register; returns its index."""
    said = published_by(node, "entry", "agreements", "--key", key, "--status", status, *AGREEMENT, *more)
    return attestation_in(node, said)


def attestation_in(node, said):
    for index in range(said["first"], said["last"] + 1):
        if node.get("/v1/entry", index=index)["entry"]["kind"] == "attestation":
            return index
    raise AssertionError("nothing was attested")


def signed_by_ayesha(node, *arguments, check=True):
    return node.cli(*arguments, "--sign-with", "ayesha", "--keys", node.keys, "--json", check=check)


def spread(nodes, node, said):
    """Waits until every node holds what one published."""
    for other in nodes.others(node.name):
        if other.runs:
            other.receipts(node.name, said["last"], [other.name])


def endorse(nodes, node, *arguments):
    said = json.loads(signed_by_ayesha(node, "endorse", *arguments).stdout)
    spread(nodes, node, said)
    return said


def why(node, register, key):
    (one,) = json.loads(node.cli("why", register, key, "--json").stdout)["explanations"]
    return one


def holds(nodes, author, index):
    for node in nodes.others(author):
        if node.runs:
            node.receipts(author, index, [node.name])


# Endorsements


def test_a_recognition_is_adopted_and_un_adopted_by_the_command_that_why_names(nodes):
    pk, sv, us, imf = (nodes[name] for name in ("pk", "sv", "us", "imf"))
    key, index = recognise(pk, "sv")
    holds(nodes, "pk", index)
    assert why(us, "recognitions", key)["status"] is None
    (proposal,) = [change for change in why(us, "recognitions", key)["changes"] if "entente endorse" in change]
    assert "2 more members endorse" in proposal
    command = shlex.split(proposal[proposal.index("(entente") + 9 : -1])
    assert command == ["endorse", "recognitions", key, "--member", "pk", "--index", str(index)]
    # By register and key, and by the very words of the answer.
    endorse(nodes, sv, "recognitions", key, "--kind", "recognises")
    assert why(imf, "recognitions", key)["status"] is None
    endorse(nodes, us, *command[1:])
    for node in nodes:
        assert (why(node, "recognitions", key)["status"], why(node, "recognitions", key)["author"]) == ("recognised", "pk")
    # Once more changes nothing, in words and in JSON.
    size = us.log_of("us")["entries"]
    again = us.cli("endorse", "recognitions", key, "--sign-with", "ayesha", "--keys", us.keys)
    assert "adopts entry" in again.stdout and "nothing to do" in again.stdout
    assert json.loads(signed_by_ayesha(us, "endorse", "recognitions", key).stdout)["already"] is True
    assert us.log_of("us")["entries"] == size
    # The history has who endorsed what.
    told = json.loads(imf.cli("history", "recognitions", key, "--json").stdout)["entries"]
    assert [(one["member"], one["kind"], one["relation"]) for one in told] == [
        ("pk", "attestation", "first"), ("sv", "endorsement", "endorses"), ("us", "endorsement", "endorses")]  # fmt: skip
    assert all(one["others"][0]["member"] == "pk" and one["others"][0]["index"] == index for one in told[1:])
    # And back again.
    (back,) = [change for change in why(us, "recognitions", key)["changes"] if "--take-back" in change]
    said = json.loads(signed_by_ayesha(us, *shlex.split(back[back.index("(entente") + 9 : -1])).stdout)
    spread(nodes, us, said)
    for node in nodes:
        assert why(node, "recognitions", key)["status"] is None
    told = json.loads(imf.cli("history", "recognitions", key, "--member", "us", "--json").stdout)["entries"]
    assert [(one["kind"], one["relation"], one["inForce"]) for one in told] == [
        ("retraction", "takes-back", False), ("endorsement", "endorses", False)]  # fmt: skip
    assert "takes back entry" in imf.cli("history", "recognitions", key).stdout
    left = us.cli("endorse", "recognitions", key, "--take-back", "--sign-with", "ayesha", "--keys", us.keys, check=False)
    assert left.returncode == 1 and "nothing to take back" in left.stderr


def test_an_endorsement_can_be_planned_and_names_exactly_one_statement(nodes, tmp_path):
    pk, us = nodes["pk"], nodes["us"]
    key, index = recognise(pk, "us")
    holds(nodes, "pk", index)
    raw = us.get("/v1/entry", member="pk", index=index)["raw"]
    identity = hashlib.sha256(raw.encode()).hexdigest()
    plan = tmp_path / "e.plan"
    said = us.cli("endorse", "--identity", identity, "--kind", "notes", "--plan", plan).stdout
    assert "notes what did:web:pk.alliance.example states" in said and key in said and "Nothing is published" in said
    entente("sign", plan, "--key", "ayesha", "--keys", us.keys)
    us.cli("submit", plan)
    (one,) = us.get("/v1/endorsements", identity=identity)["statements"]
    assert [(by["member"], by["type"], by["signedBy"]) for by in one["endorsements"]] == [("us", "notes", "ayesha")]
    # From a note to consent, but not back without saying so.
    signed_by_ayesha(us, "endorse", "--identity", identity)
    weaker = signed_by_ayesha(us, "endorse", "recognitions", key, "--kind", "notes", check=False)
    assert weaker.returncode == 0 and json.loads(weaker.stdout)["already"]
    signed_by_ayesha(us, "endorse", "recognitions", key, "--take-back", "--note", "on second thoughts")
    assert us.get("/v1/endorsements", identity=identity)["statements"][0]["endorsements"] == []
    signed_by_ayesha(us, "endorse", "recognitions", key)
    weaker = signed_by_ayesha(us, "endorse", "recognitions", key, "--kind", "notes", check=False)
    assert weaker.returncode == 1 and "--take-back" in weaker.stderr
    # What replaces the statement is another one.
    published_by(pk, "entry", "recognitions", "--key", key, *RECOGNISED, "--field", "comments=corrected")
    eventually(
        lambda: not us.get("/v1/endorsements", identity=identity)["statements"][0]["inForce"], "us holds the correction")
    gone = signed_by_ayesha(us, "endorse", "--identity", identity, "--kind", "recognises", check=False)
    assert gone.returncode == 1 and "no longer in force" in gone.stderr


def test_what_cannot_be_endorsed_is_said(nodes):
    pk, sv, us = nodes["pk"], nodes["sv"], nodes["us"]
    key, index = recognise(pk, "imf")
    for node, key_index in ((pk, "T-REFUSE"), (sv, "T-REFUSE")):
        last = agree(node, key_index, "signed")
        holds(nodes, node.name, last)
    holds(nodes, "pk", index)
    for node, arguments, says in (
        (us, ("recognitions", "no/such/key"), "no other member states it"),
        (us, ("--identity", "00" * 32), "no log that this node holds"),
        (us, ("--member", "pk", "--index", "0"), "only these are endorsed"),
        (us, ("--member", "pk", "--index", "999999"), "there is no entry 999999"),
        (us, ("recognitions", key, "--member", "xx"), "no member is called so"),
        (us, ("recognitions", key, "--member", "sv"), "no other member states it"),
        (us, ("no-such", key), "there is no register no-such"),
        (us, ("warnings", "x", "--member", "pk", "--index", str(index)), "is about recognitions"),
        (pk, ("recognitions", key), "own entry"),
        (us, ("agreements", "T-REFUSE"), "2 entries of other members are in force"),
    ):
        done = signed_by_ayesha(node, "endorse", *arguments, check=False)
        assert done.returncode == 1 and says in done.stderr, (arguments, done.stderr)
        assert len(done.stderr.splitlines()) == 1
    endorse(nodes, us, "agreements", "T-REFUSE", "--member", "sv")


def test_a_suspended_member_cannot_endorse_and_what_it_endorsed_stands(nodes):
    pk, sv, us = nodes["pk"], nodes["sv"], nodes["us"]
    key, index = recognise(us, "pk")
    holds(nodes, "us", index)
    endorse(nodes, pk, "recognitions", key)
    endorse(nodes, sv, "recognitions", key)
    other, second = recognise(us, "imf")
    holds(nodes, "us", second)
    endorse(nodes, pk, "recognitions", other)
    assert why(pk, "recognitions", key)["status"] == "recognised"
    nodes.converged()
    change(nodes, "--standing", "sv=suspended")
    assert why(pk, "recognitions", key)["status"] == "recognised"
    refused = signed_by_ayesha(sv, "endorse", "recognitions", other, check=False)
    assert refused.returncode == 1 and "El Salvador is suspended" in refused.stderr
    # Whatever its node sends all the same has no effect.
    raw = pk.get("/v1/entry", member="us", index=second)["raw"]
    with pytest.raises(Exception, match="would not count"):
        sv.submit([
            sv.officer().endorsement(hashlib.sha256(raw.encode()).digest(), member_id("us"), "recognitions", other)])  # fmt: skip
    assert why(pk, "recognitions", other)["status"] is None
    nodes.converged()
    change(nodes, "--standing", "sv=active")
    endorse(nodes, sv, "recognitions", other)
    assert why(pk, "recognitions", other)["status"] == "recognised"
