"""Nodes that may renew their certificates by themselves: an alliance whose certificates have all ended comes back."""

import json

import pytest

from alliance import Alliance
from certificates import put, short_leaf
from program import eventually


@pytest.fixture(scope="module")
def nodes(workspace, cheap_keys):
    made = Alliance(workspace / "renewing", cheap_keys, ("pk", "sv", "us"))
    yield made
    made.stop()


def records(node):
    lines = node.cli("audit", "--json", "--kind", "certificate", "--limit", "0").stdout.splitlines()
    return [json.loads(line)["text"] for line in lines]


def test_an_alliance_whose_certificates_all_ended_recovers(nodes):
    for node in nodes:
        put(node, short_leaf(node, -60, begins=-86_400))
    # Two of three keep the authority's key where the node reaches it, by the flag and by the file.
    for name in ("sv", "us"):
        config = nodes[name].folder / "config.json"
        config.write_text(
            json.dumps(json.loads(config.read_text()) | {"authorityKey": str(nodes[name].keys / "authority.key")}))
    shown = json.loads(nodes["sv"].cli("config", "show", "--json").stdout)["authorityKey"]
    assert shown["value"].endswith("authority.key") and shown["source"].endswith("config.json")
    # None of them can reach another.
    nodes.start(without=("pk", "sv", "us"))
    for name in ("sv", "us"):
        node = nodes[name]
        eventually(lambda node=node: node.status()["certificate"]["warning"] is None, f"{name} renews by itself", 20)
        assert "this node renewed its certificate by itself" in node.log.read_text()
        assert any(text.startswith("the node renewed its certificate by itself") for text in records(node))
        shown = json.loads(node.cli("tls", "status", "--json", check=False).stdout)
        assert shown["daysLeft"] in (89, 90) and shown["roster"]["standing"] == "listed"
    pk = nodes["pk"]
    assert pk.status()["certificate"]["warning"] == "ended"
    assert pk.cli("tls", check=False).returncode == 2
    pk.cli("tls", "renew", "--keys", pk.keys)
    eventually(lambda: pk.status()["certificate"]["warning"] is None, "the node takes it up", 15)
    nodes.connected(seconds=60)
    answer = pk.publish("PK-RENEWED")
    pk.receipts("pk", answer["last"], ["sv", "us"])


def test_a_node_that_cannot_renew_says_why_and_goes_on(nodes):
    sv = nodes["sv"]
    if sv.runs:
        sv.end()
    put(sv, short_leaf(sv, 600, begins=-86_400))
    sv.mark_log()
    sv.start("--authority-key", nodes["us"].keys / "authority.key")
    eventually(lambda: "could not renew its certificate by itself" in sv.new_log_lines(), "the log says so", 15)
    assert "not the key of this node's authority" in sv.new_log_lines()
    assert sv.status()["certificate"]["warning"] == "endsSoon"
    assert any("could not renew" in text for text in records(sv))
    nodes.connected(seconds=60)
