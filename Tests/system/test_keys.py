"""`entente keys list`: what each key in a folder may do, by a running node, by a charter, and by neither."""

import json

import pytest

from alliance import Alliance
from program import entente, environment, eventually


@pytest.fixture(scope="module")
def nodes(workspace, cheap_keys):
    made = Alliance(workspace / "keys-list", cheap_keys, ("pk", "sv", "us"))
    made.start("pk", without=("sv", "us"))
    eventually(lambda: made["pk"].log_of("pk")["entries"], "the first roster is published")
    yield made
    made.stop()


def listed(*arguments, **options):
    done = entente("keys", "list", "--json", *arguments, env=environment(ENTENTE_PASSPHRASE="not needed"), **options)
    answer = json.loads(done.stdout)
    return {key["name"]: key for key in answer["keys"]}, answer


def test_what_a_running_node_knows(nodes, tmp_path):
    pk = nodes["pk"]
    entente("keys", "new", "stray", "--keys", pk.keys)
    (pk.keys / "lost.key").write_bytes((pk.keys / "stray.key").read_bytes())
    keys, answer = listed("--keys", pk.keys, "--data", pk.folder)
    try:
        assert answer["charter"] == 1 and answer["roster"] == 0 and answer["problem"] is None
        assert answer["withoutPublicHalf"] == ["lost"]
        uses = {name: (key["state"], key["use"]) for name, key in keys.items()}
        assert uses == {
            "root-1": ("in-force", "signs charters and rosters as root-1 of Pakistan, 1 of 1 needed"),
            "log": ("in-force", "signs the log pk.alliance.example/log1 of Pakistan"),
            "replica": ("in-force", "cosigns other members' logs as pk.alliance.example/replica of Pakistan"),
            "authority": ("in-force", "issues the certificates of the nodes of Pakistan"),
            "node1": ("in-force", "TLS of node1 of Pakistan"),
            "ayesha": ("in-force", "publishes everything about every register as ayesha of Pakistan"),
            "omar": ("in-force", "publishes everything about every register as omar of Pakistan"),
            "stray": ("not-listed", "not in the charter or roster"),
        }
        assert keys["node1"]["certificateEnds"] == pk.status()["certificate"]["ends"]
        assert keys["authority"]["certificateEnds"] > keys["node1"]["certificateEnds"]
        table = entente("keys", "list", "--keys", pk.keys, "--data", pk.folder).stdout
        assert "(certificate)" in table and "has no lost.pub beside it" in table
        # An officer whose key was revoked may do nothing.
        pk.cli("staff", "revoke", "omar", "--sign-with", "root-1", "--keys", pk.keys)
        assert listed("--keys", pk.keys, "--data", pk.folder)[0]["omar"]["state"] == "not-listed"
    finally:
        for name in ("stray.key", "stray.pub", "lost.key"):
            (pk.keys / name).unlink()


def test_what_a_charter_knows(nodes):
    keys, answer = listed("--keys", nodes["sv"].keys, "--charter", nodes.charter)
    assert keys["root-1"]["state"] == "in-force" and keys["root-1"]["member"] == "sv"
    assert keys["ayesha"]["state"] == keys["node1"]["state"] == "unknown" and "roster" in answer["problem"]


def test_what_is_known_without_either(nodes, tmp_path):
    keys, answer = listed("--keys", nodes["sv"].keys, "--data", nodes["sv"].folder)
    assert {key["state"] for key in keys.values()} == {"unknown"}
    assert "no node answers" in answer["problem"] and answer["charter"] is None
    said = entente("keys", "list", "--keys", nodes["sv"].keys, "--data", tmp_path).stdout
    assert "signs charters and rosters" in said and "no node here" in said
