"""Every kind of change of a charter at running nodes, by the commands of Docs/charter.md: roles, root keys, titles,
addresses, registers, quorum and threshold; what is refused, and why; and proofs of each version, verified by whoever
pinned any other."""

import base64
import itertools
import json
import shutil
import signal
import time

import pytest

from alliance import HOST, Alliance, Refused
from program import entente, eventually
from statements import base64url, from_base64url, instant
from test_charters import all_under, processes, propose, refused, version
from tunnel import Forwarder


def alliance_in(folder, keys):
    made = Alliance(folder, keys, ("pk", "sv", "us", "imf"))
    made.start()
    made.connected()
    # Files of charters, and proofs by the version under which they were made.
    made.files = {1: made.charter}
    made.proofs = {}
    # The root key with which each signs.
    made.roots = {node.name: "root-1" for node in made}
    return made


@pytest.fixture(scope="module")
def nodes(workspace, cheap_keys):
    """Four nodes whose charter goes from version to version; nothing of it is started again."""
    made = alliance_in(workspace / "changes", cheap_keys)
    before = processes(made)
    yield made
    after = processes(made)
    made.stop()
    assert after == before


@pytest.fixture(autouse=True)
def one_proof_of_each_version(request):
    """Before each test that has the nodes something is published and proven, if nothing was under this version."""
    if "nodes" in request.fixturenames:
        one_more_proof(request.getfixturevalue("nodes"))


def one_more_proof(nodes):
    number = version(nodes["us"])
    if number not in nodes.proofs:
        counts(nodes, "us", f"US-{number}")
        path = nodes.folder / f"{number}.entente-proof"
        path.write_bytes(nodes["pk"].prove("vasp-licences", f"US-{number}", "us"))
        nodes.proofs[number] = path


def adopt(nodes, path, at="us"):
    """Hands a charter to one node and waits until all are under it."""
    number = shown(path)["version"]
    nodes[at].cli("charter", "adopt", path)
    all_under(nodes, number)
    nodes.files[number] = path


def newest(nodes):
    return nodes.files[version(nodes["us"])]


def sign(nodes, path, *names, previous=None, roots=None):
    """Each signs where its root key is, without any node."""
    for name in names:
        entente(
            *("charter", "sign", path, "--previous", previous or newest(nodes)),
            *("--key", (roots or nodes.roots)[name], "--keys", nodes[name].keys))


def change(nodes, *options, by=("pk", "us"), at="us"):
    """Proposed, signed and adopted; returns what the proposal says in words."""
    path = nodes.folder / f"{version(nodes[at]) + 1}.charter"
    said = nodes[at].cli("charter", "propose", *options, "--out", path).stdout
    sign(nodes, path, *by)
    adopt(nodes, path, at)
    return said


def shown(path):
    return json.loads(entente("charter", "show", path, "--json").stdout)


def payload(path):
    return json.loads(from_base64url(json.loads(path.read_text())["payload"]))


def draft(path, content):
    """A charter of any content that nobody signed yet."""
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
    path.write_text(json.dumps({"payload": base64url(text.encode()), "signatures": []}))
    return path


def counts(nodes, name, key):
    """What one node publishes the others hold and show."""
    said = nodes[name].publish(key)
    for node in nodes.others(name):
        node.receipts(name, said["last"], [other.name for other in nodes.others(name)])
        assert node.row("vasp-licences", key, name)["status"] == "authorised"


def concerns(node):
    return {one["code"]: one["level"] for one in node.status()["concerns"]}


# What changes


def test_the_name_and_the_days(nodes):
    said = change(nodes, "--name", "Alliance of Tests", "--days", "400")
    assert "The alliance is called Alliance of Tests, no longer Test alliance." in said
    for node in nodes:
        assert node.status()["alliance"]["name"] == "Alliance of Tests"


def test_an_observer_becomes_a_regulator_and_an_observer_again(nodes, tmp_path):
    """Its word counts as before; its signature under a charter only as long as it is a regulator."""
    said = change(nodes, "--role", "imf=regulator", by=("pk", "sv", "us"))
    assert "IMF is a regulator, no longer an observer." in said
    assert shown(newest(nodes))["threshold"] == 3
    counts(nodes, "imf", "IMF-REGULATES")
    said = change(nodes, "--role", "imf=observer", "--threshold", "2", by=("sv", "us", "imf"))
    assert "IMF is an observer, no longer a regulator." in said
    counts(nodes, "imf", "IMF-OBSERVES")
    path = propose(nodes["pk"], tmp_path / "next.charter", "--days", "300")
    sign(nodes, path, "pk", "imf")
    assert "needs 2 regulators" in refused(nodes["pk"], path)


def new_root(nodes, name, folder):
    """A member's next root key, and its file with that key alone."""
    node, file = nodes[name], folder / f"{name}-new.member"
    key = f"root-{int(nodes.roots[name][-1]) + 1}"
    entente("keys", "new", key, "--kind", "root", "--keys", node.keys)
    entente("join", "request", "--keys", node.keys, "--root", key, "--out", file)
    return key, file


def test_a_root_key_changes(nodes, tmp_path):
    """The old key signs for the version before, the new one for its own, and from then on alone."""
    pk = nodes["pk"]
    key, file = new_root(nodes, "pk", tmp_path)
    path = nodes.folder / "root-pk.charter"
    said = pk.cli("charter", "propose", "--root-keys", file, "--out", path).stdout
    assert "Pakistan's root keys: gets root-2, loses root-1; 1 of 1 must sign." in said
    sign(nodes, path, "us", "pk")
    assert "needs 2 regulators of its own" in refused(nodes["sv"], path)
    sign(nodes, path, "pk", roots={"pk": key})
    adopt(nodes, path, "sv")
    nodes.roots["pk"] = key

    # Rosters are the new key's from here on.
    limit = ("staff", "limit", "omar:attestation", "--keys", pk.keys)
    assert pk.cli(*limit, "--sign-with", "root-1", check=False).returncode == 1
    pk.cli(*limit, "--sign-with", "root-2")
    counts(nodes, "pk", "PK-NEW-ROOT")
    # And charters.
    path = propose(pk, tmp_path / "next.charter", "--days", "350")
    sign(nodes, path, "us")
    old = entente("charter", "sign", path, "--keys", pk.keys, "--previous", newest(nodes), check=False)
    assert old.returncode == 1 and "is no root key of any member" in old.stderr
    sign(nodes, path, "pk")
    adopt(nodes, path)


def test_a_lost_root_key_is_replaced_by_the_others(nodes, tmp_path):
    """Without the old key: the other regulators are enough."""
    sv = nodes["sv"]
    (sv.keys / f"{nodes.roots['sv']}.key").unlink()
    key, file = new_root(nodes, "sv", tmp_path)
    change(nodes, "--root-keys", file)
    nodes.roots["sv"] = key
    sv.cli("staff", "limit", "omar:attestation", "--keys", sv.keys, "--sign-with", key)
    counts(nodes, "sv", "SV-NEW-ROOT")
    change(nodes, "--days", "500", by=("sv", "us"))


def test_a_member_is_called_otherwise(nodes, tmp_path):
    file = tmp_path / "us.member"
    entente("join", "request", "--keys", nodes["us"].keys, "--out", file)
    about = json.loads(file.read_text())
    file.write_text(json.dumps(about | {"title": "United States of America", "zone": "America/Chicago"}))
    said = change(nodes, "--update", file)
    assert "United States is called United States of America." in said
    assert "dates are in America/Chicago, no longer in America/New_York" in said
    assert "root keys" not in said and "certificates" not in said
    for node in nodes:
        assert node.log_of("us")["title"] == "United States of America"
    counts(nodes, "us", "US-RENAMED")


def test_registers(nodes):
    """A register that is shared no longer cannot be begun by another member; what was said in it stands."""
    sv, us = nodes["sv"], nodes["us"]

    def warn(node, key):
        statement = node.officer().attestation("warnings", key, "warned", legalName="Firm", competentAuthority="Test")
        said = node.submit([definition, statement])
        nodes["pk"].receipts(node.name, said["last"], ["pk", "imf"])
        return nodes["pk"].row("warnings", key, node.name)["status"]

    found = sv.get("/v1/context", register="warnings")["definition"]
    definition = sv.officer().definition("warnings", found["version"], found["descriptor"])
    assert warn(sv, "W-1") == "warned"
    said = change(
        nodes, "--register", "warnings=none", "--register", "agreements=joint:pk,sv", "--register", "recognitions=by:2")
    assert "The register warnings is no longer shared" in said
    assert "The register agreements is kept jointly by pk, sv" in said
    assert "The register recognitions is adopted by 2 others' endorsement" in said
    for node in nodes:
        assert "agreements (joint)" in node.cli("charter", "show").stdout
    definition = us.officer().definition("warnings", found["version"], found["descriptor"])
    with pytest.raises(Refused) as error:
        warn(us, "W-2")
    assert {one["code"] for one in error.value.error["refused"]} == {"definition-not-listed", "no-definition"}
    assert nodes["imf"].row("warnings", "W-1", "sv")["status"] == "warned"
    change(nodes, "--register", "warnings=each", "--register", "agreements=each")
    assert warn(us, "W-2") == "warned"


def test_quorum_and_threshold(nodes, tmp_path):
    """Of three others all have to hold a log, and all regulators have to sign, until the charter says otherwise."""
    us, imf = nodes["us"], nodes["imf"]
    said = change(nodes, "--quorum", "3", "--threshold", "3", by=("pk", "sv", "us"))
    assert "A log is final once 3 other members hold and checked it; so far 2." in said
    imf.process.send_signal(signal.SIGSTOP)
    try:
        last = us.publish("US-ALL")["last"]
        us.receipts("us", last, ["pk", "sv"])
        assert us.log_of("us")["quorum"] <= last
        with pytest.raises(Refused) as error:
            us.request("GET", "/v1/prove", register="vasp-licences", key="US-ALL", member="us")
        assert error.value.error["code"] == "not-yet"
    finally:
        imf.process.send_signal(signal.SIGCONT)
    assert us.prove("vasp-licences", "US-ALL", "us")
    path = propose(us, tmp_path / "next.charter", "--quorum", "2", "--threshold", "2")
    sign(nodes, path, "pk", "us")
    assert "needs 3 regulators" in refused(us, path)
    sign(nodes, path, "sv")
    adopt(nodes, path)
    eventually(lambda: us.log_of("us")["needed"] == 2, "two are enough again")


def test_a_member_moves(workspace, cheap_keys, tmp_path):
    """The nodes dial it where the new charter says; nothing is restarted."""
    names = ("pk", "sv", "us")
    with Forwarder(0) as old, Forwarder(0) as new:
        nodes = Alliance(
            workspace / "moves", cheap_keys, names, dial_out_only=("pk",),
            addresses={"sv": f"https://{HOST}:{old.port}"})
        old.target = new.target = nodes["sv"].port
        nodes.roots = {name: "root-1" for name in names}
        nodes.files = {1: nodes.charter}
        try:
            nodes.start()
            nodes.connected()
            before = processes(nodes)
            old.close()
            pk = nodes["pk"]
            eventually(lambda: pk.peer("sv")["state"] == "unreachable", "pk does not reach sv where it was")
            change(nodes, "--address", f"sv=https://{HOST}:{new.port}")
            eventually(lambda: pk.peer("sv")["state"] == "connected", "pk reaches sv where it is")
            assert new.tunnels and processes(nodes) == before
            said = nodes["sv"].publish("SV-MOVED")
            pk.receipts("sv", said["last"], ["pk", "us"])
        finally:
            nodes.stop()


# Signing


def test_copies_signed_apart_are_put_together(nodes, tmp_path):
    """In any order they make the same file; a copy of another charter is refused."""
    path = propose(nodes["us"], tmp_path / "draft.charter", "--days", "600")
    copies = {}
    for name in ("pk", "sv", "us"):
        copies[name] = shutil.copy(path, tmp_path / f"{name}.charter")
        sign(nodes, copies[name], name)
    made = []
    for number, order in enumerate(itertools.permutations(copies)):
        merged = shutil.copy(path, tmp_path / f"merged-{number}.charter")
        said = entente("charter", "merge", merged, *(copies[name] for name in order), "--previous", newest(nodes))
        made.append(merged.read_bytes())
    assert len(set(made)) == 1 and "3 of 2 needed regulators" in said.stdout
    other = propose(nodes["us"], tmp_path / "other.charter", "--days", "601")
    done = entente("charter", "merge", merged, other, "--previous", newest(nodes), check=False)
    assert done.returncode == 1 and "is another charter" in done.stderr and merged.read_bytes() == made[0]
    adopt(nodes, merged)


# What is refused


CHANGED_KEY = base64url(bytes(31) + b"\x09")
# By what is wrong: what the charter says otherwise than a good one would, by whom it is signed, and why it is refused.
BAD = {
    "one regulator signed": ({}, ["us"], "needs 2 regulators"),
    "an observer signed beside": ({}, ["us", "imf"], "needs 2 regulators"),
    "one key signed twice": ({}, ["us", "us"], "did:web:us.alliance.example#root-1 signed twice"),
    "one signature for another": ({}, ["us", "pk"], "does not verify"),
    "a version skipped": (lambda last: {"version": last["version"] + 2}, ["us", "pk"], "only version"),
    "an earlier version, of another branch": (
        {"version": 2, "previous": CHANGED_KEY}, ["us", "pk"], "is not known here"),
    "another first version": ({"version": 1, "previous": None}, ["us", "pk"], "another version 1"),
    "another version before it": ({"previous": CHANGED_KEY}, ["us", "pk"], "is not known here"),
    "a member left out": (lambda last: {"members": last["members"][:3]}, ["us", "pk"], "imf is left out"),
    "a member's short name changed": (
        lambda last: member(last, "imf", name="fund"), ["us", "pk"], "a short name stands in the names of registers"),
    "suspended without a cut": (
        lambda last: member(last, "imf", standing="suspended"), ["us", "pk"], "imf.alliance.example/log1 needs a cut"),
    "a cut before an earlier one": (
        {"cuts": [{"origin": "imf.alliance.example/log1", "size": 1, "root": CHANGED_KEY}]}, ["us", "pk"],
        "is cut at 1, before the cut of version"),
    "another key under an old name": (
        lambda last: member(last, "us", rootKeys=[root_key(last, "us", x=CHANGED_KEY)]), ["us", "pk"],
        "another root key has the name root-1"),
    "one key under two names": (
        lambda last: member(last, "us", rootKeys=[root_key(last, "us"), root_key(last, "us", "root-9")]), ["us", "pk"],
        "stands twice"),
    "one key for two members": (
        lambda last: member(last, "us", rootKeys=[root_key(last, "us"), root_key(last, "pk", "root-9")]), ["us", "pk"],
        "stands twice"),
}


def member(charter, whose, **changes):
    return {"members": [one | changes if one["name"] == whose else one for one in charter["members"]]}


def root_key(charter, whose, name=None, x=None):
    key = next(one["rootKeys"][0] for one in charter["members"] if one["name"] == whose)
    return key | {"name": name or key["name"], "key": key["key"] | {"x": x or key["key"]["x"]}}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_follow_is_refused_and_changes_nothing(nodes, tmp_path, case):
    us = nodes["us"]
    if not any("imf" in cut["origin"] for file in nodes.files.values() for cut in payload(file)["cuts"]):
        change(nodes, "--role", "imf=regulator", by=("pk", "sv", "us"))
        change(nodes, "--role", "imf=observer", "--threshold", "2", by=("sv", "us", "imf"))
    content, signers, reason = BAD[case]
    last, own = payload(newest(nodes)), bytes.fromhex(shown(newest(nodes))["digest"])
    good = last | {"version": last["version"] + 1, "previous": base64url(own), "cuts": []}
    path = draft(tmp_path / "bad.charter", good | (content(last) if callable(content) else content))
    for name in dict.fromkeys(signers):
        # Not every draft can be signed by the command, which is as well.
        entente("charter", "sign", path, "--key", nodes.roots[name], "--keys", nodes[name].keys, check=False)
    file = json.loads(path.read_text())
    if case == "one key signed twice":
        file["signatures"] *= 2
    if case == "one signature for another":
        file["signatures"][0]["signature"] = file["signatures"][1]["signature"]
    path.write_text(json.dumps(file))

    before = us.get("/v1/charters")
    answer = refused(us, path)
    assert reason in answer and len(answer.splitlines()) == 1, answer
    assert us.get("/v1/charters") == before


def test_one_that_has_expired_is_taken_only_if_it_is_said(nodes, tmp_path):
    """It governs all the same, and is renewed like any other; meanwhile nobody can tell about now."""
    us = nodes["us"]
    last, own = payload(newest(nodes)), bytes.fromhex(shown(newest(nodes))["digest"])
    dates = {"issued": instant(time.time() - 7 * 86_400), "expires": instant(time.time() - 86_400)}
    content = last | dates | {"version": last["version"] + 1, "previous": base64url(own), "cuts": []}
    path = draft(nodes.folder / "expired.charter", content)
    sign(nodes, path, "pk", "us")
    assert "it expired on" in refused(us, path)
    us.cli("charter", "adopt", path, "--even-expired")
    all_under(nodes, content["version"])
    nodes.files[content["version"]] = path
    for node in nodes:
        assert concerns(node)["charter-expired"] == "critical"
        assert node.cli("status", check=False).returncode == 2
    counts(nodes, "pk", "PK-EXPIRED")
    proof = tmp_path / "expired.entente-proof"
    proof.write_bytes(us.prove("vasp-licences", "PK-EXPIRED", "pk"))
    assert verify(nodes, proof).returncode == 2
    change(nodes, "--days", "450")
    assert "charter-expired" not in concerns(us)
    assert verify(nodes, proof).returncode == 0


def verify(nodes, proof, *arguments, files=None):
    charters = [part for file in files or nodes.files.values() for part in ("--charter", file)]
    return entente("verify", proof, *charters, *arguments, check=False)


# Two charters of one version


def contradict(nodes, folder, publishing=False):
    """Two versions that follow one, sv's signature under both, each handed to another node; all stay where they are.

    With `publishing`, pk says something under the first before anybody knows of the other.
    """
    number, previous = version(nodes["us"]), newest(nodes)
    name = nodes["us"].status()["alliance"]["name"]
    one = propose(nodes["us"], folder / "one.charter", "--name", f"{name} one")
    other = propose(nodes["us"], folder / "other.charter", "--name", f"{name} other")
    sign(nodes, one, "pk", "sv", previous=previous)
    sign(nodes, other, "us", "sv", previous=previous)
    nodes["pk"].cli("charter", "adopt", one)
    if publishing:
        all_under(nodes, number + 1)
        counts(nodes, "pk", "PK-UNDER-ONE")
    nodes["us"].cli("charter", "adopt", other)
    for node in nodes:
        eventually(lambda: concerns(node).get("charter-contested") == "critical", f"{node.name} sees both")
        assert version(node) == number
        assert node.status()["alliance"]["name"] == name
        held = [(item["version"], item["state"]) for item in node.get("/v1/charters")["charters"]]
        assert held[-3:] == [(number, "in-force")] + [(number + 1, "undecided")] * 2
    assert nodes["imf"].cli("status", check=False).returncode == 2
    assert nodes["imf"].cli("charter", "history").stdout.count("undecided") == 2
    return one, other


def settle(nodes, chosen, *options):
    """The version after names one of the two. The word of sv, which signed both, does not count for it."""
    number = shown(chosen)["version"]
    path = nodes.folder / f"{number + 1}.charter"
    nodes["us"].cli("charter", "propose", "--previous", chosen, "--days", "700", *options, "--out", path)
    sign(nodes, path, "sv", "us", previous=chosen)
    nodes["imf"].cli("charter", "adopt", path)
    assert version(nodes["imf"]) == number - 1
    # With pk's signature it settles the matter; nodes that have the charter already get the signature.
    sign(nodes, path, "pk", previous=chosen)
    nodes["sv"].cli("charter", "adopt", path)
    all_under(nodes, number + 1)
    nodes.files |= {number: shutil.copy(chosen, nodes.folder / f"{number}.charter"), number + 1: path}
    for node in nodes:
        assert "charter-contested" not in concerns(node)
        assert node.get("/v1/charters")["contested"] is False


def test_of_two_charters_of_one_version_nobody_follows_either(nodes, tmp_path):
    one, _ = contradict(nodes, tmp_path)
    name = shown(one)["alliance"]
    # The nodes go on under the version before.
    counts(nodes, "pk", "PK-CONTESTED")
    settle(nodes, one)
    assert {node.status()["alliance"]["name"] for node in nodes} == {name}
    counts(nodes, "sv", "SV-SETTLED")


def test_a_log_that_named_one_of_two_waits_until_they_are_decided(nodes, tmp_path):
    """The version that settles it states a cut; what the log said under the one that is passed over stands."""
    pk = nodes["pk"]
    size, root = pk.log_of("pk")["entries"], base64url(base64.b64decode(pk.log_of("pk")["root"]))
    _, other = contradict(nodes, tmp_path, publishing=True)
    with pytest.raises(Refused) as error:
        pk.publish("PK-WAITS")
    assert {one["code"] for one in error.value.error["refused"]} == {"charter-undecided"}
    counts(nodes, "us", "US-MEANWHILE")
    settle(nodes, other, "--cut-all")
    cuts = {cut["origin"]: cut for cut in payload(nodes.files[max(nodes.files)])["cuts"]}
    assert len(cuts) == len(list(nodes)) and cuts["pk.alliance.example/log1"]["size"] == size
    assert cuts["pk.alliance.example/log1"]["root"] == root
    counts(nodes, "pk", "PK-GOES-ON")
    for node in nodes:
        assert node.row("vasp-licences", "PK-UNDER-ONE", "pk")["status"] == "authorised"
        assert node.log_of("pk")["problem"] is None
    nodes.converged()


def test_whoever_signs_both_later_undoes_the_decision_at_all_nodes_alike(workspace, cheap_keys, tmp_path):
    """What is in force depends on all signatures that are known, whenever they came."""
    nodes = alliance_in(workspace / "undone", cheap_keys)
    try:
        one, other = contradict(nodes, tmp_path)
        settle(nodes, one)
        sign(nodes, other, "pk", previous=nodes.files[1])
        nodes["us"].cli("charter", "adopt", other)
        all_under(nodes, 1)
        for node in nodes:
            assert concerns(node)["charter-contested"] == "critical"
    finally:
        nodes.stop()


# Verifying


def test_whoever_pinned_any_version_verifies_proofs_of_any_other(nodes):
    if version(nodes["us"]) < 3:
        for days in ("410", "420"):
            change(nodes, "--days", days)
            one_more_proof(nodes)
    first, last = min(nodes.files), max(nodes.files)
    for number in (first, sorted(nodes.files)[len(nodes.files) // 2], last):
        digest = shown(nodes.files[number])["digest"]
        for made, proof in nodes.proofs.items():
            done = verify(nodes, proof, "--pinned", digest, "--expect", "authorised")
            assert done.returncode == 0, (number, made, done.stdout, done.stderr)
    # Of what was made under a newer charter than are at hand nobody can tell, and it is not called false.
    newest_proof = nodes.proofs[max(nodes.proofs)]
    done = verify(nodes, newest_proof, files=[nodes.files[first]])
    assert done.returncode == 2 and "get the newer" in done.stdout
    # Nor is a version believed that nothing leads to, or that is not the one pinned.
    done = verify(nodes, newest_proof, files=[nodes.files[first], nodes.files[last]])
    assert done.returncode == 1 and "version 2 is due before it" in done.stderr
    done = verify(nodes, newest_proof, "--pinned", "00" * 32)
    assert done.returncode == 1 and "the fingerprint that you trust is not among the files" in done.stderr
