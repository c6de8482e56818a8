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


# Conflicts


def conflicts(node, *arguments):
    return json.loads(node.cli("conflicts", *arguments, "--json").stdout)["conflicts"]


def conflict_on(node, register, key, *arguments):
    return next((one for one in conflicts(node, register, *arguments) if one["key"] == key), None)


def apart(nodes, first, second):
    """What each of two members publishes while the other's node is down; returns what each said, after both are back."""
    (one, says), (other, says_too) = first, second
    for node in nodes.others(one.name):
        node.end()
    before = says()
    one.end()
    nodes.start(*(node.name for node in nodes.others(one.name)))
    nodes.connected(*(node.name for node in nodes.others(one.name)))
    after = says_too()
    nodes.start(one.name)
    nodes.connected()
    nodes.converged()
    return before, after


def test_two_members_cut_off_from_each_other_disagree_and_one_entry_ends_it_everywhere(nodes):
    pk, sv, us, imf = (nodes[name] for name in ("pk", "sv", "us", "imf"))
    key = "T-APART"
    ours, theirs = apart(
        nodes, (pk, lambda: agree(pk, key, "signed")), (sv, lambda: agree(sv, key, "lapsed", "--from", "2026-03-01")))
    (seen,) = {json.dumps(conflict_on(node, "agreements", key)) for node in nodes}
    seen = json.loads(seen)
    assert (seen["status"], seen["member"], seen["index"]) == ("lapsed", "sv", theirs)
    assert "2026-0" in seen["since"] and seen["why"] == "it is the most restrictive status"
    assert [(one["member"], one["status"], one["index"], one["signedBy"], one["standing"]) for one in seen["statements"]] == [
        ("sv", "lapsed", theirs, "ayesha", "speaks"), ("pk", "signed", ours, "ayesha", "speaks")]  # fmt: skip
    assert all(one["issuedAt"] for one in seen["statements"])
    shown = imf.cli("conflicts").stdout
    assert "El Salvador" in shown and "lapsed prevails" in shown and f"entente resolve agreements {key} --take NAME" in shown
    # Before the second side began, there was none.
    assert conflict_on(imf, "agreements", key, "--on", "2026-02-01") is None
    # A third member, whose entry is as restrictive as any side, needs nobody.
    done = us.cli("resolve", "agreements", key, "--take", "sv", "--sign-with", "ayesha", "--keys", us.keys)
    assert "Supersedes entry" in done.stdout and "Beware: before" in done.stdout and "Lacks" not in done.stdout
    us.receipts("us", us.log_of("us")["entries"] - 1, ["pk", "sv", "imf"])
    for node in nodes:
        assert conflict_on(node, "agreements", key) is None
        assert (why(node, "agreements", key)["status"], why(node, "agreements", key)["author"]) == ("lapsed", "us")
    again = signed_by_ayesha(us, "resolve", "agreements", key, "--take", "sv", check=False)
    assert again.returncode == 1 and "there is no conflict" in again.stderr
    # A correction of the new entry still stands over both sides, and undoing that and it gives them back.
    said = published_by(us, "entry", "agreements", "--key", key, "--status", "lapsed", "--field", "summary=ended")
    spread(nodes, us, said)
    assert why(pk, "agreements", key)["author"] == "us" and conflict_on(pk, "agreements", key) is None
    said = json.loads(signed_by_ayesha(us, "retract", "agreements", key).stdout)
    spread(nodes, us, said)
    for node in nodes:
        assert {one["member"] for one in conflict_on(node, "agreements", key)["statements"]} == {"pk", "sv"}


def test_a_less_restrictive_end_waits_for_the_stricter_author_s_endorsement(nodes):
    pk, sv, us, imf = (nodes[name] for name in ("pk", "sv", "us", "imf"))
    key = "T-MILDER"
    holds(nodes, "pk", agree(pk, key, "in-force"))
    holds(nodes, "sv", agree(sv, key, "draft"))
    assert conflict_on(imf, "agreements", key)["status"] == "in-force"
    done = us.cli("resolve", "agreements", key, "--status", "signed", "--field", "summary=agreed", "--sign-with", "ayesha",
                  "--keys", us.keys)  # fmt: skip
    (lacks,) = [line for line in done.stdout.splitlines() if line.startswith("Lacks")]
    assert "Pakistan endorses the new entry" in lacks and "El Salvador" not in lacks
    us.receipts("us", us.log_of("us")["entries"] - 1, ["pk", "sv", "imf"])
    for node in nodes:
        seen = conflict_on(node, "agreements", key)
        assert seen["status"] == "in-force" and [link["old"]["member"] for link in seen["unendorsed"]] == ["pk"]
        assert {one["member"]: one["standing"] for one in seen["statements"]} == {
            "pk": "speaks", "us": "speaks", "sv": "superseded"}  # fmt: skip
    assert "lacks the endorsement of Pakistan" in imf.cli("conflicts", "agreements").stdout
    command = shlex.split(lacks[lacks.index("entente") + 8 :])
    endorse(nodes, pk, *command[1:])
    for node in nodes:
        assert conflict_on(node, "agreements", key) is None
        assert why(node, "agreements", key)["status"] == "signed"
    said = json.loads(signed_by_ayesha(pk, "endorse", "agreements", key, "--take-back").stdout)
    spread(nodes, pk, said)
    assert conflict_on(imf, "agreements", key)["status"] == "in-force"


def test_the_second_of_two_plans_is_told_what_changed_under_it(nodes, tmp_path):
    pk, sv, us = nodes["pk"], nodes["sv"], nodes["us"]
    key = "T-PLANS"
    holds(nodes, "pk", agree(pk, key, "signed"))
    holds(nodes, "sv", agree(sv, key, "lapsed"))
    holds(nodes, "sv", agree(sv, "T-OTHER", "signed"))
    for node in (pk, us):
        node.cli("resolve", "agreements", key, "--take", "sv", "--plan", tmp_path / f"{node.name}.plan")
        entente("sign", tmp_path / f"{node.name}.plan", "--key", "ayesha", "--keys", node.keys)
    # What arrives on other keys does not matter; what arrives on this one does.
    holds(nodes, "sv", agree(sv, "T-OTHER", "in-force"))
    said = json.loads(us.cli("submit", tmp_path / "us.plan", "--json").stdout)
    spread(nodes, us, said)
    late = pk.cli("submit", tmp_path / "pk.plan", check=False)
    assert late.returncode == 1 and "since it was made" in late.stderr and "of us, attestation T-PLANS" in late.stderr
    assert len(late.stderr.splitlines()) == 1 and "T-OTHER" not in late.stderr
    assert why(pk, "agreements", key)["author"] == "us"
    said = json.loads(pk.cli("submit", tmp_path / "pk.plan", "--anyway", "--json").stdout)
    spread(nodes, pk, said)
    assert {one["member"] for one in conflict_on(us, "agreements", key)["statements"] if one["standing"] == "speaks"} == {"pk", "us"}


def test_a_conflict_of_adopted_entries_ends_when_endorsers_take_them_back(nodes):
    pk, sv, us, imf = (nodes[name] for name in ("pk", "sv", "us", "imf"))
    # Two authors cannot recognise under one key by the key's own parts, so that the second one signs past the command.
    key, index = recognise(pk, "us", "--field", "comments=first")
    holds(nodes, "pk", index)
    said = us.submit(us.definition("recognitions") + [us.officer().attestation(
        "recognitions", key, "ended", recogniser="pk", recognisedMember="us", recognisedRegister="vasp-licences")])  # fmt: skip
    spread(nodes, us, said)
    second = attestation_in(us, said)
    for by in (sv, imf):
        endorse(nodes, by, "recognitions", key, "--member", "pk", "--index", index)
        endorse(nodes, by, "recognitions", key, "--member", "us", "--index", second)
    for node in nodes:
        seen = conflict_on(node, "recognitions", key)
        assert (seen["status"], seen["member"], seen["needed"]) == ("ended", "us", 2)
    # Who has no part in it is told whose it is.
    refused = signed_by_ayesha(pk, "resolve", "recognitions", key, "--take", "pk", check=False)
    assert refused.returncode == 1 and "made and endorsed none of the other sides" in refused.stderr
    assert "El Salvador" in refused.stderr and "--take-back" in refused.stderr
    set_value = signed_by_ayesha(sv, "resolve", "recognitions", key, "--status", "ended", check=False)
    assert set_value.returncode == 1 and "joined by K" in set_value.stderr
    said = json.loads(signed_by_ayesha(sv, "resolve", "recognitions", key, "--take", "pk").stdout)
    spread(nodes, sv, said)
    for node in nodes:
        assert conflict_on(node, "recognitions", key) is None
        assert (why(node, "recognitions", key)["status"], why(node, "recognitions", key)["author"]) == ("recognised", "pk")


def test_a_member_s_conflict_with_itself_is_its_own_to_end(nodes):
    pk, us = nodes["pk"], nodes["us"]
    key = "OWN-1"
    fields = {"legalName": "Firm", "competentAuthority": "Test"}
    entries = [pk.officer().attestation("vasp-licences", key, status, valid_from="2026-01-01T00:00:00Z", **fields)
               for status in ("authorised", "suspended")]  # fmt: skip
    said = pk.submit(pk.definition("vasp-licences") + entries)
    spread(nodes, pk, said)
    seen = conflict_on(us, "vasp-licences", key)
    assert (seen["whose"], seen["status"], len(seen["statements"])) == ("pk", "suspended", 2)
    assert "Only Pakistan can end it" in us.cli("conflicts", "vasp-licences").stdout
    refused = signed_by_ayesha(us, "resolve", "vasp-licences", key, "--status", "suspended", check=False)
    assert refused.returncode == 1 and "nobody ever stated" in refused.stderr
    said = json.loads(signed_by_ayesha(pk, "resolve", "vasp-licences", key, "--status", "authorised").stdout)
    spread(nodes, pk, said)
    assert conflict_on(us, "vasp-licences", key) is None
    assert us.row("vasp-licences", key, "pk")["status"] == "authorised"


def test_many_conflicts_come_page_by_page_in_one_order(nodes):
    pk, sv, us = nodes["pk"], nodes["sv"], nodes["us"]
    names = [f"M-{number:04}" for number in range(1_200)]
    for node, status in ((pk, "signed"), (sv, "lapsed")):
        said = node.submit(
            node.definition("agreements")
            + [node.officer().attestation("agreements", name, status, valid_from="2026-01-01T00:00:00Z", agreement=name,
                                          title="T", kind="treaty", parties=["A", "B"]) for name in names])  # fmt: skip
        spread(nodes, node, said)
    found = conflicts(us, "agreements", "--limit", "5000")
    keys = [one["key"] for one in found]
    assert [key for key in keys if key.startswith("M-")] == names and keys == sorted(keys)
    assert found == conflicts(pk, "agreements", "--limit", "5000")
    # In pages of any size the same.
    paged, after = [], ""
    while after is not None:
        page = us.get("/v1/conflicts", register="agreements", limit=7, **({"after": after} if after else {}))
        assert len(page["conflicts"]) <= 7
        paged += page["conflicts"]
        after = page["next"]
    assert paged == found
    cut = json.loads(us.cli("conflicts", "--limit", "3", "--json").stdout)
    assert cut["cut"] is True and len(cut["conflicts"]) == 3
    assert "there may be more" in us.cli("conflicts", "--limit", "3").stdout


def test_what_cannot_be_resolved_is_said(nodes):
    pk, sv, us = nodes["pk"], nodes["sv"], nodes["us"]
    key = "T-SAID"
    holds(nodes, "pk", agree(pk, key, "signed"))
    holds(nodes, "sv", agree(sv, key, "lapsed"))
    for arguments, says in (
        ((key, "--take", "imf"), "has no side"), ((key, "--take", "xx"), "has no side"),
        (("T-NEVER", "--take", "pk"), "nobody ever stated it"), ((key, "--status", "splendid"), "has no such status"),
        ((key, "--status", "lapsed", "--from", "2999-01-01"), "lies in the future"),
        ((key, "--field", "no-such=1"), "has no such field"), ((key, "--field", "kind=whim"), "kind"),
    ):  # fmt: skip
        done = signed_by_ayesha(us, "resolve", "agreements", *arguments, check=False)
        assert done.returncode == 1 and says in done.stderr and len(done.stderr.splitlines()) == 1, (arguments, done.stderr)
    assert us.cli("conflicts", "no-such", check=False).returncode == 1
    assert "There is no conflict in warnings" in us.cli("conflicts", "warnings").stdout


# Joined answers


def test_what_is_shown_of_a_joint_register_is_what_holds_for_all(nodes):
    pk, sv, us, imf = (nodes[name] for name in ("pk", "sv", "us", "imf"))
    key = "T-SHOW"
    holds(nodes, "pk", agree(pk, key, "signed"))
    at = ",".join(f"{node.name}:{node.log_of(node.name)['entries']}" for node in nodes)
    holds(nodes, "sv", agree(sv, key, "lapsed", "--from", "2026-03-01"))
    (entry,) = json.loads(imf.cli("show", "agreements", key, "--json").stdout)["entries"]
    assert (entry["answer"], entry["status"], entry["member"], entry["conflict"]) == ("present", "lapsed", "sv", True)
    shown = imf.cli("show", "agreements", key).stdout
    assert "(joint): lapsed (conflict)" in shown and "lapsed prevails: it is the most restrictive status" in shown
    assert "Pakistan" in shown and "El Salvador" in shown
    # Each one's own word, a date before the second side began, and what was known before it came.
    assert [row["status"] for row in json.loads(imf.cli("show", "agreements", key, "--each", "--json").stdout)["rows"]] == [
        "signed", "lapsed"]  # fmt: skip
    for past in (("--on", "2026-02-01"), ("--known-at", at)):
        (entry,) = json.loads(us.cli("show", "agreements", key, *past, "--json").stdout)["entries"]
        assert (entry["status"], entry["conflict"]) == ("signed", False), past
    # Page by page: every key once, in one order, the same everywhere.
    page = json.loads(us.cli("show", "agreements", "--limit", "100000", "--json").stdout)["entries"]
    keys = [one["key"] for one in page]
    assert key in keys and keys == sorted(set(keys))
    assert page == json.loads(pk.cli("show", "agreements", "--limit", "100000", "--json").stdout)["entries"]
    paged, after = [], ""
    while after is not None:
        part = imf.get("/v1/joined", register="agreements", limit=100, **({"after": after} if after else {}))
        paged, after = paged + part["entries"], part["next"]
    assert paged == page
    assert "lapsed (conflict)" in us.cli("show", "agreements").stdout
    said = json.loads(signed_by_ayesha(sv, "retract", "agreements", key).stdout)
    spread(nodes, sv, said)
    said = json.loads(signed_by_ayesha(pk, "retract", "agreements", key).stdout)
    spread(nodes, pk, said)
    assert "(joint): taken back" in us.cli("show", "agreements", key).stdout
    assert "Nobody ever stated T-NOWHERE" in us.cli("show", "agreements", "T-NOWHERE").stdout


def test_what_is_shown_of_a_register_by_k_says_who_adopted_it(nodes):
    pk, sv, us = nodes["pk"], nodes["sv"], nodes["us"]
    key, index = recognise(sv, "us")
    holds(nodes, "sv", index)
    assert "(by 2): proposed only" in us.cli("show", "recognitions", key).stdout
    endorse(nodes, us, "recognitions", key)
    assert "1 of 2 endorse it (United States)" in pk.cli("show", "recognitions", key).stdout
    endorse(nodes, pk, "recognitions", key)
    shown = us.cli("show", "recognitions", key).stdout
    assert "(by 2): recognised" in shown and "adopted by Pakistan, United States" in " ".join(shown.split())
    assert "recognised" in us.cli("show", "recognitions").stdout
