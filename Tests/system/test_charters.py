"""Charters change while the alliance runs: a country joins, a member is suspended, returns, and is removed. Each test follows
Docs/charter.md, by its commands alone, and nothing is restarted."""

import json
import shutil

import pytest

from alliance import HOST, Alliance, Node, Refused, make_keys, cheap_keys as made_cheap
from program import entente, eventually


@pytest.fixture(scope="session")
def newcomer_keys(workspace):
    """Japan's keys, as its people make them."""
    return made_cheap(make_keys(workspace / "jp-made", "jp"), workspace / "cheap" / "jp")


@pytest.fixture
def alliance_of(workspace, cheap_keys, request):
    """Makes and starts an alliance of its own."""
    made = []

    def make(name, members, **options):
        alliance = Alliance(workspace / name, cheap_keys, members, **options)
        made.append(alliance)
        return alliance.start()

    yield make
    for alliance in made:
        alliance.stop()


def version(node):
    return node.status()["alliance"]["version"]


def all_under(nodes, number, seconds=20):
    for node in nodes:
        eventually(lambda: version(node) == number, f"{node.name} is under version {number}", seconds)


def propose(node, out, *changes):
    node.cli("charter", "propose", *changes, "--out", out)
    return out


def sign(path, *nodes, previous):
    """Each signs where its root key is, without any node."""
    for node in nodes:
        entente("charter", "sign", path, "--previous", previous, "--keys", node.keys)


def refused(node, path):
    """Why a node does not take a charter."""
    done = node.cli("charter", "adopt", path, check=False)
    assert done.returncode == 1, done.stdout
    return done.stderr


def processes(nodes):
    return [node.process.pid for node in nodes]


def test_a_fourth_country_joins_and_nothing_is_restarted(alliance_of, newcomer_keys, tmp_path):
    alliance = alliance_of("join", ("pk", "sv", "us"))
    alliance.connected()
    first = alliance.charter
    pk, sv, us = (alliance[name] for name in ("pk", "sv", "us"))
    for node in alliance:
        node.publish(f"{node.name.upper()}-1")
    before = processes(alliance)

    # Japan asks.
    jp = Node(alliance, "jp", True, None)
    shutil.copytree(newcomer_keys, jp.keys)
    request = tmp_path / "jp.member"
    entente("join", "request", "--keys", jp.keys, "--address", jp.address, "--out", request)

    # Pakistan proposes, and what would change can be read.
    second = propose(pk, tmp_path / "2.charter", "--admit", request)
    diff = entente("charter", "diff", second, "--previous", first)
    assert "Japan (did:web:jp.alliance.example) joins as a regulator" in diff.stdout
    changes = json.loads(entente("charter", "diff", second, "--previous", first, "--json").stdout)
    assert changes["signatures"][1]["needed"] == 3

    # Signed on copies, in any order, offline; too few are refused with the reason, and nothing changes.
    copy = tmp_path / "2-signed-by-us.charter"
    shutil.copy(second, copy)
    sign(second, pk, previous=first)
    assert "needs 2 regulators of version 1; 1 signed" in refused(sv, second)
    assert version(sv) == 1
    sign(second, sv, previous=first)
    assert "of its own" in refused(sv, second)
    sign(copy, us, previous=first)
    entente("charter", "merge", second, copy, "--previous", first)

    # One node takes it, the others hear of it.
    done = sv.cli("charter", "adopt", second)
    assert "In force: version 2" in done.stdout
    all_under(alliance, 2)
    assert "has this charter already" in us.cli("charter", "adopt", second).stdout
    history = json.loads(pk.cli("charter", "history", "--json", "--out", tmp_path / "charters").stdout)
    assert [one["state"] for one in history["charters"]] == ["followed", "in-force"]

    # Japan makes its node from the charters and holds everything.
    files = sorted((tmp_path / "charters").glob("*.charter"))
    assert [one.name for one in files] == ["1.charter", "2.charter"]
    entente(
        *("join", files[1], files[0], "--member", "jp", "--keys", jp.keys, "--officer", jp.keys / "ayesha.pub"),
        *("--listen", f"{HOST}:{jp.port}", "--data", jp.folder),
    )
    alliance.nodes["jp"] = jp
    jp.start()
    alliance.connected()
    for name in ("pk", "sv", "us"):
        jp.receipts(name, 1, ["jp"])
        assert jp.row("vasp-licences", f"{name.upper()}-1", name)["status"] == "authorised"

    # Its word counts everywhere, and a partner who pinned version 1 can tell, with both charters.
    said = jp.publish("JP-1")
    for node in (pk, sv, us):
        node.receipts("jp", said["first"], ["pk", "sv", "us"])
        assert node.row("vasp-licences", "JP-1", "jp")["status"] == "authorised"
    proof = tmp_path / "jp.entente-proof"
    proof.write_bytes(us.prove("vasp-licences", "JP-1", "jp"))
    verify = ("verify", proof, "--expect", "authorised", "--charter", first)
    assert entente(*verify, check=False).returncode == 1, "version 1 knows no Japan"
    entente(*verify, "--charter", second)
    digest = json.loads(entente("charter", "show", second, "--json").stdout)["digest"]
    entente(*verify, "--charter", second, "--pinned", digest)

    # What the others go on saying reaches it, under the new charter.
    said = pk.publish("PK-2")
    pk.receipts("pk", said["first"], ["sv", "us", "jp"])
    assert processes(alliance)[:3] == before
    alliance.converged()

    # A restart finds it all again.
    us.end()
    us.start()
    assert version(us) == 2
    assert us.row("vasp-licences", "JP-1", "jp")["status"] == "authorised"


def test_a_member_is_suspended_returns_and_is_removed(alliance_of, tmp_path):
    alliance = alliance_of("standing", ("pk", "sv", "us", "imf"))
    alliance.connected()
    pk, sv, us = (alliance[name] for name in ("pk", "sv", "us"))
    others = [node for node in alliance if node is not sv]
    before = processes(alliance)
    sv.publish("SV-EARLIER")
    alliance.converged()
    cut = next(one for one in pk.get("/v1/cuts")["cuts"] if one["member"] == "sv")
    assert cut["size"] == sv.log_of("sv")["entries"]
    # Said before anybody knows of the suspension, behind the cut.
    sv.publish("SV-LATE")
    alliance.converged()
    assert pk.row("vasp-licences", "SV-LATE", "sv")

    second = propose(
        pk, tmp_path / "2.charter", "--standing", "sv=suspended", "--cut", f"sv={cut['size']}:{cut['root']}")
    diff = pk.cli("charter", "diff", second)
    assert f"El Salvador is suspended: what its log says from entry {cut['size']} on does not count" in diff.stdout
    sign(second, pk, us, previous=alliance.charter)
    us.cli("charter", "adopt", second)
    all_under(alliance, 2)

    # The earlier statement stands, the later counts nowhere, at sv itself neither; and sv can say nothing new.
    for node in alliance:
        assert node.row("vasp-licences", "SV-EARLIER", "sv")["status"] == "authorised"
        assert node.row("vasp-licences", "SV-LATE", "sv") is None
    with pytest.raises(Refused) as error:
        sv.publish("SV-MORE")
    assert error.value.error["refused"][0]["code"] == "member-not-active"
    eventually(lambda: pk.peer("sv")["state"] == "connected", "a suspended member is still connected")
    # The others go on, with a quorum without it.
    said = pk.publish("PK-MEANWHILE")
    pk.receipts("pk", said["first"], ["us", "imf"])
    proof = tmp_path / "pk.entente-proof"
    proof.write_bytes(us.prove("vasp-licences", "PK-MEANWHILE", "pk"))
    entente("verify", proof, "--charter", alliance.charter, "--charter", second, "--expect", "authorised")

    # It returns: what it says from now on counts, what it said meanwhile does not.
    third = propose(pk, tmp_path / "3.charter", "--standing", "sv=active")
    sign(third, pk, us, previous=second)
    pk.cli("charter", "adopt", third)
    all_under(alliance, 3)
    said = sv.publish("SV-BACK")
    for node in alliance:
        node.receipts("sv", said["first"], ["pk", "us", "imf"])
        assert node.row("vasp-licences", "SV-BACK", "sv")["status"] == "authorised"
        assert node.row("vasp-licences", "SV-LATE", "sv") is None

    # It is removed: its session ends, it can no longer connect, and its word stands.
    fourth = propose(pk, tmp_path / "4.charter", "--standing", "sv=removed")
    sign(fourth, pk, us, previous=third)
    pk.cli("charter", "adopt", fourth)
    all_under(others, 4)
    for node in others:
        eventually(lambda: node.peer("sv")["state"] == "removed", f"{node.name} lets sv go")
        eventually(lambda: node.rejections().get("unknownAuthority", 0) > 0, f"{node.name} turns sv away", 45)
        assert node.row("vasp-licences", "SV-EARLIER", "sv")["status"] == "authorised"
        assert node.peer("sv")["state"] == "removed"
    assert processes(alliance) == before

    # An older charter, a skipped one, and one that is no charter are refused.
    assert "has this charter already" in pk.cli("charter", "adopt", third).stdout
    fifth = propose(pk, tmp_path / "5.charter", "--days", "100")
    sign(fifth, pk, us, previous=fourth)
    sixth = tmp_path / "6.charter"
    entente("charter", "propose", "--previous", fifth, "--days", "200", "--out", sixth)
    sign(sixth, pk, us, previous=fifth)
    assert "version 5 is due before it" in refused(us, sixth)
    us.cli("charter", "adopt", fifth)
    us.cli("charter", "adopt", sixth)
    all_under(others, 6)
    # The folder is in order.
    us.end()
    done = entente("fsck", "--data", us.folder, check=False)
    assert done.returncode == 0, done.stdout
