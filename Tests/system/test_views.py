"""What nodes answer beyond one log's present: past states, histories, explanations, declarations."""

import datetime
import hashlib
import json
import time

from program import entente, eventually
from statements import instant
from test_alliance import published_by

RECOGNITION = "pk/sv/vasp-licences"
RECOGNISED = tuple(
    part
    for field in ("recogniser=pk", "recognisedMember=sv", "recognisedRegister=vasp-licences")
    for part in ("--field", field)
)


def rows(node, *arguments):
    return json.loads(node.cli("show", *arguments, "--json").stdout)


def final(node, member):
    """Waits until the node knows a quorum of a member's newest state, and returns its size."""

    def settled():
        log = node.log_of(member)
        return log["entries"] if log["quorum"] == log["entries"] else None

    return eventually(settled, f"{node.name} knows a quorum of {member}'s newest state")


def identity(node, member, index):
    return hashlib.sha256(node.get("/v1/entry", member=member, index=index)["raw"].encode()).digest()


# What was known


def test_a_past_state_is_answered_by_time_and_by_sizes_at_every_node(alliance):
    pk, us = alliance["pk"], alliance["us"]
    base = ("entry", "vasp-licences", "--key", "VIEW-1", "--field", "competentAuthority=PDAA")
    said = published_by(pk, *base, "--status", "authorised", "--from", "2026-01-01", "--field", "legalName=First")
    us.receipts("pk", said["last"], ["sv", "us", "imf"])
    before = final(us, "pk")
    # Cosignatures carry whole seconds: what comes next is to be held in a later one.
    known = int(time.time())
    eventually(lambda: int(time.time()) > known, "the next second")
    said = published_by(pk, *base, "--status", "suspended", "--from", "2026-02-01", "--field", "legalName=Second")
    published_by(pk, "entry", "vasp-licences", "--key", "VIEW-2", "--status", "authorised", "--from", "2026-01-01",
                 "--field", "competentAuthority=PDAA", "--field", "legalName=Other")  # fmt: skip
    us.receipts("pk", said["last"], ["sv", "us", "imf"])
    final(us, "pk")
    at = instant(known)
    ask = ("vasp-licences", "VIEW-1", "--member", "pk", "--on", "2026-03-01")
    assert [row["status"] for row in rows(us, *ask)["rows"]] == ["suspended"]
    past = rows(us, *ask, "--known-at", at)
    assert [(row["status"], row["fields"]["legalName"]) for row in past["rows"]] == [("authorised", "First")]
    (log,) = past["known"]["logs"]
    assert log["entries"] == before and log["heldSince"] <= at and past["known"]["sizes"] == f"pk:{before}"
    # The sizes have the same answer at every node, and the whole register is that of then.
    for node in alliance:
        exact = rows(node, *ask, "--known-at", past["known"]["sizes"])
        assert exact["rows"] == past["rows"], node.name
    keys = [row["key"] for row in rows(us, "vasp-licences", "--member", "pk", "--known-at", at, "--limit", "10000")["rows"]]
    assert "VIEW-1" in keys and "VIEW-2" not in keys
    shown = us.cli("show", *ask, "--known-at", at).stdout
    assert "is authorised" in shown and f"--known-at pk:{before}" in shown and "held by a quorum since" in shown


def test_what_cannot_be_known_is_said(alliance):
    us = alliance["us"]
    for when, says in (
        ("2999-01-01", "is still to come"), ("2001-01-01", "the first known quorum was at"), ("soon", "--known-at soon"),
        ("pk:99999999", "this node holds"), ("xx:1", "no member is called xx"),
    ):  # fmt: skip
        done = us.cli("show", "vasp-licences", "--known-at", when, check=False)
        assert done.returncode == 1 and says in done.stderr, done.stderr


# Histories


def test_a_key_s_history_across_members_and_registers(alliance, tmp_path):
    pk, sv, us = alliance["pk"], alliance["sv"], alliance["us"]
    base = ("--key", "VIEW-3", "--from", "2026-01-01", "--field", "competentAuthority=A")
    published_by(pk, "entry", "vasp-licences", *base, "--status", "authorised", "--field", "legalName=Indus")
    published_by(pk, "entry", "vasp-licences", *base, "--status", "authorised", "--field", "legalName=Indus Ltd")
    published_by(pk, "entry", "warnings", *base, "--status", "warned", "--field", "domains=view3.example")
    said = published_by(pk, "entry", "vasp-licences", "--key", "VIEW-3", "--status", "revoked", "--from", "2026-06-01")
    theirs = published_by(sv, "entry", "vasp-licences", *base, "--status", "authorised", "--field", "legalName=Río")
    us.receipts("pk", said["last"], ["us"])
    us.receipts("sv", theirs["last"], ["us"])
    entries = json.loads(us.cli("history", "VIEW-3", "--json").stdout)["entries"]
    assert [(one["register"], one["member"], one["relation"]) for one in entries] == [
        ("vasp-licences", "pk", "follows"), ("vasp-licences", "pk", "replaces"), ("vasp-licences", "pk", "first"),
        ("vasp-licences", "sv", "first"), ("warnings", "pk", "first"),
    ]  # fmt: skip
    assert entries[1]["differences"] == [{"field": "legalName", "before": "Indus", "after": "Indus Ltd"}]
    assert entries[1]["others"] == [{"member": "pk", "index": entries[2]["index"], "identity": entries[2]["identity"]}]
    assert [one["field"] for one in entries[0]["differences"]] == ["status", "validFrom"]
    assert [one["inForce"] for one in entries] == [True, True, False, True, True]
    shown = us.cli("history", "VIEW-3").stdout
    assert "legalName: Indus → Indus Ltd" in shown and "status: authorised → revoked" in shown
    assert "Pakistan, warnings:" in shown and "El Salvador, vasp-licences:" in shown
    narrow = us.cli("history", "VIEW-3", "--register", "warnings", "--member", "pk").stdout
    assert "warned" in narrow and "El Salvador" not in narrow and "revoked" not in narrow
    assert "Nobody ever stated no-such in any register" in us.cli("history", "no-such").stdout


# Explanations


def test_why_a_status_is_what_it_is(alliance):
    pk, us = alliance["pk"], alliance["us"]
    base = ("entry", "vasp-licences", "--key", "VIEW-4")
    fields = ("--field", "competentAuthority=PDAA", "--field", "legalName=Jhelum")
    published_by(pk, *base, "--status", "authorised", "--from", "2026-01-01", *fields)
    said = published_by(pk, *base, "--status", "revoked", "--from", "2999-01-01")
    us.receipts("pk", said["last"], ["us"])
    (one,) = json.loads(us.cli("why", "vasp-licences", "VIEW-4", "--json").stdout)["explanations"]
    assert (one["member"], one["status"], one["permitsBusiness"], one["conflict"]) == ("pk", "authorised", True, False)
    assert any("2999-01-01" in change and "revoked" in change for change in one["changes"])
    (later,) = json.loads(us.cli("why", "vasp-licences", "VIEW-4", "--on", "2999-01-02", "--json").stdout)["explanations"]
    assert later["status"] == "revoked"
    shown = us.cli("why", "vasp-licences", "VIEW-4").stdout
    assert "each authority's word stands for itself" in shown and "What would change it:" in shown
    assert "Nobody ever stated no-such" in us.cli("why", "vasp-licences", "no-such").stdout


def test_a_recognition_takes_effect_once_another_member_endorses_it(alliance):
    pk, sv, us = alliance["pk"], alliance["sv"], alliance["us"]
    said = published_by(
        pk, "entry", "recognitions", "--key", RECOGNITION, "--status", "recognised", "--from", "2026-01-01", *RECOGNISED)
    index = said["first"]
    while us.get("/v1/entry", member="pk", index=index, timeout=30)["entry"]["kind"] != "attestation":
        index += 1
    key = us.get("/v1/entry", member="pk", index=index)["entry"]["key"]

    def why(node):
        (one,) = json.loads(node.cli("why", "recognitions", key, "--json").stdout)["explanations"]
        return one

    us.receipts("pk", said["last"], ["sv", "us"])
    assert why(us)["status"] is None
    assert any("proposed only" in finding for step in why(us)["steps"] for finding in step["findings"])
    about = (identity(us, "pk", index), "did:web:pk.alliance.example", "recognitions", key)
    noted = sv.submit([sv.officer().endorsement(*about, kind="notes")])
    us.receipts("sv", noted["last"], ["us"])
    assert why(us)["status"] is None
    endorsed = sv.submit([sv.officer().endorsement(*about)])
    for node in (us, pk):
        node.receipts("sv", endorsed["last"], ["us"])
        assert (why(node)["status"], why(node)["author"]) == ("recognised", "pk")
    sv.cli("retract", "--index", endorsed["first"], "--sign-with", "ayesha", "--keys", sv.keys)
    eventually(lambda: why(us)["status"] is None, "the endorsement is taken back")


# Declarations


def test_a_register_is_declared_complete_and_the_declaration_lapses(alliance, tmp_path):
    pk, us = alliance["pk"], alliance["us"]

    def standing(node, register):
        found = [one for one in node.status()["declarations"] if (one["member"], one["register"]) == ("pk", register)]
        return found[0] if found else None

    def codes(node):
        return {one["code"] for one in node.status()["concerns"]}

    def declare(until, check=True):
        return pk.cli(
            "declare-complete", "cbdc-pilots", "--until", until, "--sign-with", "ayesha", "--keys", pk.keys, "--json", check=check)

    def day(days):
        return (datetime.date.today() + datetime.timedelta(days=days)).isoformat()

    assert "in the past" in declare("2001-01-01", check=False).stderr
    said = json.loads(declare(day(100)).stdout)
    us.receipts("pk", said["last"], ["us"])
    for node in (pk, us):
        one = standing(node, "cbdc-pilots")
        assert (one["declared"], one["rows"], one["state"]) == (0, 0, "current")
    assert not codes(pk) & {"declaration-lapses", "declaration-outdated"}
    assert "cbdc-pilots" in pk.cli("status", check=False).stdout and "cbdc-pilots" not in us.cli("status", check=False).stdout
    said = json.loads(declare(day(10)).stdout)
    us.receipts("pk", said["last"], ["us"])
    assert standing(us, "cbdc-pilots")["state"] == "lapses" and "declaration-lapses" in codes(pk)
    assert "declaration-lapses" not in codes(us)
    assert "lapses soon" in us.cli("status", check=False).stdout
    assert "declare-complete cbdc-pilots" in pk.cli("status", check=False).stdout
    # For the tests that come after this one, nothing needs attention.
    declare(day(1000))
    assert not codes(pk) & {"declaration-lapses", "declaration-outdated"}


# Round trips


def test_json_lines_and_a_data_package_are_read_back(alliance, tmp_path):
    pk = alliance["pk"]
    published_by(
        pk, "entry", "vasp-licences", "--key", "VIEW-5", "--status", "authorised", "--from", "2026-01-01",
        "--field", "competentAuthority=PDAA", "--field", "legalName=دریا, \"x\"", "--field", "services=a|j")  # fmt: skip
    for name in ("v.csv", "v.jsonl", "package"):
        pk.cli("export", "vasp-licences", "--out", tmp_path / name, "--partial")
    for name in ("v.csv", "v.jsonl", "package", "package/datapackage.json"):
        done = pk.cli("import", "vasp-licences", tmp_path / name, "--plan", tmp_path / "no.plan")
        assert "nothing to publish" in done.stdout and not (tmp_path / "no.plan").exists(), name
    table = tmp_path / "package/vasp-licences.csv"
    table.write_bytes(table.read_bytes() + b"\r\n")
    done = pk.cli("import", "vasp-licences", tmp_path / "package", "--plan", tmp_path / "no.plan", check=False)
    assert done.returncode == 1 and "SHA-256 is another" in done.stderr
