"""A member's officers and nodes come, change and go: by the commands, at running nodes, without a restart."""

import json
import signal

import pytest

from alliance import MEMBERS, Alliance
from program import entente, eventually

HEADER = "key,status,validFrom,agreement,title,kind,parties\n"


@pytest.fixture(scope="module")
def nodes(workspace, member_keys):
    made = Alliance(workspace / "staff", member_keys, MEMBERS[:3])
    made.start()
    made.connected()
    yield made
    made.stop()


def staff(node, *arguments, **options):
    return node.cli("staff", *arguments, **options)


def roster(node):
    return json.loads(staff(node, "list", "--json").stdout)


def officers(node):
    return {one["name"]: one for one in roster(node)["officers"]}


def publish(node, cwd, key, number, keys=None, check=True):
    """Publishes one agreement, signed by an officer's key."""
    (cwd / "one.csv").write_text(
        HEADER + f"{number},signed,2026-01-01,{number},Agreement {number},treaty,Pakistan|Other\n")
    node.cli("import", "agreements", "one.csv", "--plan", "one.plan", cwd=cwd)
    try:
        signed = entente("sign", "one.plan", "--key", key, "--keys", keys or node.keys, cwd=cwd, check=check)
        return signed if signed.returncode else node.cli("submit", "one.plan", cwd=cwd, check=check)
    finally:
        (cwd / "one.plan").unlink()


def test_an_officer_comes_is_limited_and_goes(nodes, tmp_path):
    pk = nodes["pk"]
    entente("keys", "new", "sana", "--keys", tmp_path / "keys")
    before = roster(pk)["ordinal"]
    said = staff(pk, "add", tmp_path / "keys" / "sana.pub", "--sign-with", "root-1", "--keys", pk.keys).stdout
    assert "sana becomes an officer" in said and "Published 1 change" in said
    assert roster(pk)["ordinal"] == before + 1
    publish(pk, tmp_path, "sana", "S-1", keys=tmp_path / "keys")
    # A plan that was made before is refused once the officer may no longer do that.
    (tmp_path / "late.csv").write_text(HEADER + "S-2,signed,2026-01-01,S-2,Late,treaty,Pakistan|Other\n")
    pk.cli("import", "agreements", "late.csv", "--plan", "late.plan", cwd=tmp_path)
    entente("sign", "late.plan", "--key", "sana", "--keys", tmp_path / "keys", cwd=tmp_path)
    staff(pk, "limit", "sana:attestation:warnings", "--sign-with", "root-1", "--keys", pk.keys)
    assert officers(pk)["sana"]["registers"] == ["warnings"]
    refused = pk.cli("submit", "late.plan", cwd=tmp_path, check=False)
    assert refused.returncode == 1 and "would not count" in refused.stderr
    staff(pk, "revoke", "sana", "--sign-with", "root-1", "--keys", pk.keys)
    assert "sana" not in officers(pk)
    assert pk.cli("submit", "late.plan", cwd=tmp_path, check=False).returncode == 1
    # What was signed before stands, here and at the others.
    last = pk.log_of("pk")["entries"] - 1
    sv = nodes["sv"]
    sv.receipts("pk", last, ["sv", "us"])
    for node in (pk, sv):
        assert node.row("agreements", "S-1", "pk")["answer"] == "present"
        assert node.row("agreements", "S-2", "pk") is None


def test_a_change_is_planned_signed_elsewhere_and_submitted(nodes, tmp_path):
    sv = nodes["sv"]
    before = roster(sv)
    said = staff(sv, "two-officers", "agreements", "--plan", "two.plan", cwd=tmp_path).stdout
    assert "agreements asks for two officers from here on" in said and "Nothing is published" in said
    assert roster(sv) == before
    assert sv.cli("submit", "two.plan", cwd=tmp_path, check=False).returncode == 1
    # An officer's key signs no roster.
    wrong = entente("sign", "two.plan", "--key", "ayesha", "--keys", sv.keys, cwd=tmp_path, check=False)
    assert wrong.returncode == 1
    shown = entente("sign", "two.plan", "--key", "root-1", "--keys", sv.keys, cwd=tmp_path).stdout
    assert "agreements asks for two officers" in shown and "entente submit two.plan" in shown
    sv.cli("submit", "two.plan", cwd=tmp_path)
    again = json.loads(sv.cli("submit", "two.plan", "--json", cwd=tmp_path).stdout)
    assert again["already"]
    assert roster(sv)["twoOfficers"] == ["agreements"] and roster(sv)["ordinal"] == before["ordinal"] + 1
    alone = publish(sv, tmp_path, "ayesha", "T-1", check=False)
    assert alone.returncode == 1 and "two officers" in alone.stderr
    # A plan of a roster that another one overtook is refused whole.
    staff(sv, "limit", "omar:attestation", "--plan", "late.plan", "--anyway", cwd=tmp_path)
    entente("sign", "late.plan", "--key", "root-1", "--keys", sv.keys, cwd=tmp_path)
    staff(sv, "two-officers", "agreements", "--off", "--sign-with", "root-1", "--keys", sv.keys)
    late = sv.cli("submit", "late.plan", cwd=tmp_path, check=False)
    assert late.returncode == 1 and "roster" in late.stderr
    publish(sv, tmp_path, "ayesha", "T-1")


def test_what_nobody_could_do_is_asked_about(nodes):
    us = nodes["us"]
    refused = staff(us, "revoke", "ayesha", "omar", "--sign-with", "root-1", "--keys", us.keys, check=False)
    assert refused.returncode == 1 and "no officer is left" in refused.stderr and "--anyway" in refused.stderr
    for arguments in [
        ("revoke", "nobody"), ("limit", "nobody"), ("add", us.keys / "ayesha.pub"), ("add", us.keys / "root-1.pub"),
        ("two-officers", "No-Register"), ("two-officers", "agreements", "--off"), ("limit", "omar:roster"),
    ]:
        done = staff(us, *arguments, "--sign-with", "root-1", "--keys", us.keys, check=False)
        assert done.returncode == 1 and len(done.stderr.strip().splitlines()) == 1, arguments
    assert roster(us)["ordinal"] == 0


def test_a_node_key_that_was_stolen_is_replaced(nodes, tmp_path):
    """The thief has the node's TLS key; its certificate still runs. Nobody lets it connect once they hold the roster."""
    us, pk = nodes["us"], nodes["pk"]
    entente("keys", "new", "node1-b", "--kind", "node", "--keys", tmp_path / "keys")
    listed = json.loads(us.cli("node", "list", "--json").stdout)
    old = listed["nodes"][0]["keys"]
    said = us.cli(
        "node", "add", "node1", "--key", tmp_path / "keys" / "node1-b.pub", "--replace", "--sign-with", "root-1",
        "--keys", us.keys).stdout
    assert "may no longer use the key" in said and "may not connect any more" in said
    after = json.loads(us.cli("node", "list", "--json").stdout)
    assert after["revoked"] == old and after["nodes"][0]["keys"] != old
    # The connections of the old key end, in both directions, and it does not come back.
    for node in (pk, nodes["sv"]):
        eventually(lambda node=node: node.peer("us")["state"] == "unreachable", f"{node.name} refuses the old key", 30)
        assert node.rejections().get("revoked", 0) > 0
    # The owner's node changes over without a restart, and is let in again by all.
    process = us.process.pid
    entente(
        "tls", "renew", "--certificate", us.folder / "tls" / "node.pem", "--key",
        tmp_path / "keys" / "node1-b.pub", "--out", tmp_path / "node.pem", "--keys", us.keys)
    (tmp_path / "keys" / "node1-b.key").rename(us.folder / "keys" / "node.key")
    (tmp_path / "node.pem").rename(us.folder / "tls" / "node.pem")
    us.process.send_signal(signal.SIGHUP)
    eventually(lambda: us.status()["certificate"]["key"] == after["nodes"][0]["keys"][0], "the new key is in use", 20)
    for node in (pk, nodes["sv"]):
        eventually(lambda node=node: node.peer("us")["state"] == "connected", f"{node.name} takes the new key", 60)
    assert us.process.pid == process
    index = publish_at(us, tmp_path)
    us.receipts("us", index, ["pk", "sv"])


def publish_at(node, cwd):
    publish(node, cwd, "ayesha", "K-1")
    return node.log_of(node.name)["entries"] - 1


def audit(node, *arguments, **options):
    return node.cli("audit", "--json", *arguments, **options)


def test_everything_is_on_the_audit_record(nodes, tmp_path):
    sv = nodes["sv"]
    publish(sv, tmp_path, "ayesha", "U-1")
    (tmp_path / "bad.csv").write_text(HEADER + "U-2,signed,2026-01-01,U-2,Late,treaty,Pakistan|Other\n")
    sv.cli("import", "agreements", "bad.csv", "--plan", "bad.plan", cwd=tmp_path)
    entente("sign", "bad.plan", "--key", "omar", "--keys", sv.keys, cwd=tmp_path)
    staff(sv, "limit", "omar:document", "--sign-with", "root-1", "--keys", sv.keys)
    assert sv.cli("submit", "bad.plan", cwd=tmp_path, check=False).returncode == 1
    records = [json.loads(line) for line in audit(sv, "--limit", "0").stdout.splitlines()]
    assert [one["sequence"] for one in records] == list(range(1, len(records) + 1))
    assert records[0]["kind"] == "started"
    assert any(one["kind"] == "published" and one["details"]["signedBy"] == ["ayesha"] for one in records)
    rosters = [one["details"]["ordinal"] for one in records if one["kind"] == "roster"]
    assert rosters == list(range(roster(sv)["ordinal"] + 1))
    assert records[-1]["kind"] == "refused" and records[-1]["details"]["signedBy"] == ["omar"]
    # The digest of today is there tomorrow, and whoever changes a line is found out.
    said = sv.cli("audit").stdout
    digest = said.split("Newest digest: ")[1].strip()
    publish(sv, tmp_path, "ayesha", "U-3")
    sv.cli("audit", "--digest", digest)
    changed = tmp_path / "audit.jsonl"
    changed.write_text((sv.folder / "audit.jsonl").read_text().replace("ayesha", "nobody", 1))
    found = sv.cli("audit", "--file", changed, check=False)
    assert found.returncode == 1 and "was changed" in found.stderr
    changed.write_text("".join((sv.folder / "audit.jsonl").read_text().splitlines(True)[:3]))
    cut = sv.cli("audit", "--file", changed, "--digest", digest, check=False)
    assert cut.returncode == 1 and "taken out" in cut.stderr
