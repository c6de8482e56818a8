"""A node whose clock is wrong, by an hour or by ten years, either way. Nothing is ordered by a clock: all nodes hold and
show the same, whoever looks at the status is told, and once the clock is right everything is cosigned and proven, without
a restart."""

import pathlib
import struct
import subprocess

import pytest
from cryptography.hazmat.primitives import serialization

from alliance import Alliance, waiving
from certificates import Authority
from program import entente, eventually
from test_certificates import DAY, put, short_leaf

HOUR, YEARS = 3_600, 10 * 365 * DAY
MEMBERS = ("pk", "sv", "us")
OFTEN = ("--exchange-interval", 2)


@pytest.fixture(scope="session")
def library(workspace):
    """What gives a process another clock: see clock.c."""
    made = workspace / "clock.so"
    source = pathlib.Path(__file__).with_name("clock.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-Wall", "-o", made, source], check=True)
    return made


class WrongClock:
    """The clock of one node, which may change while the node runs."""

    def __init__(self, node, library):
        self.node, self.file = node, node.alliance.folder / f"{node.name}.clock"
        self.settings = {"LD_PRELOAD": str(library), "WRONG_CLOCK": str(self.file)}
        self.file.write_bytes(bytes(8))

    def set(self, seconds):
        with open(self.file, "r+b") as file:
            file.write(struct.pack("q", seconds))

    def start(self, *arguments):
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.settings.items():
                patch.setenv(name, value)
            self.node.launch(*arguments)
        self.node.answers()


@pytest.fixture
def nodes(workspace, cheap_keys, request):
    made = Alliance(workspace / f"clocks-{request.node.callspec.id}", cheap_keys, MEMBERS)
    for node in made:
        # Certificates that an hour does not make invalid.
        authority = Authority.of(node.keys).again().certificate
        (node.folder / "tls" / "authority.pem").write_bytes(authority.public_bytes(serialization.Encoding.PEM))
        put(node, short_leaf(node, 60 * DAY, begins=-DAY))
    yield made
    made.stop()


def view(node, *keys):
    """What a node holds of every log and shows of these keys, whoever says it."""
    logs = {log["member"]: (log["entries"], log["root"]) for log in node.status()["logs"]}
    # Of a day, for what speaks now depends on when that is.
    question = {"register": "vasp-licences", "on": "2100-01-01T00:00:00Z"}
    return logs, {
        (member, key): node.get("/v1/rows", key=key, member=member, **question)["rows"]
        for member in MEMBERS for key in keys
    }


def publish(nodes, key):
    """Each says something; all hold all of it and show the same."""
    for node in nodes:
        node.publish(key)
    nodes.converged(cosigned=False)
    shown = [view(node, "RIGHT", "WRONG", "ALONE", "AGAIN") for node in nodes]
    assert shown[0] == shown[1] == shown[2]
    assert all([row["status"] for row in shown[0][1][member, key]] == ["authorised"] for member in MEMBERS)


def concerns(node):
    return {one["code"]: one["text"] for one in node.status()["concerns"]}


@pytest.mark.parametrize(
    "wrong", [HOUR, -HOUR, YEARS, -YEARS], ids=["hour-ahead", "hour-behind", "years-ahead", "years-behind"])
def test_a_wrong_clock_changes_no_state_and_no_order(nodes, library, wrong, tmp_path):
    pk, sv, us = nodes
    clock = WrongClock(sv, library)
    for node in (pk, us):
        node.launch(*OFTEN)
    clock.start(*OFTEN)
    for node in (pk, us):
        node.answers()
    nodes.connected()
    publish(nodes, "RIGHT")

    # While it runs, the clock goes wrong.
    clock.set(wrong)
    publish(nodes, "WRONG")
    assert "from most peers'; is it right?" in concerns(sv)["clock"]
    assert sv.cli("status", check=False).returncode == 2

    # It starts with the wrong clock. Ten years are more than certificates last: it believes nobody and goes on alone.
    sv.end()
    clock.start(*OFTEN, *(waiving(("pk", "us")) if abs(wrong) == YEARS else ()))
    if abs(wrong) == HOUR:
        nodes.connected()
        assert f"El Salvador ({'+' if wrong > 0 else '-'}3" in concerns(pk)["peer-clock"]
    else:
        eventually(lambda: pk.peer("sv")["state"] == "unreachable", "pk does not reach it")
        assert ("certificate-ended" if wrong > 0 else "certificate-not-yet") in concerns(sv)
    sv.publish("ALONE")

    # It is right again.
    clock.set(0)
    nodes.connected(seconds=60)
    nodes.converged(seconds=60)
    assert not {"clock", "certificate-ended", "certificate-not-yet", "charter-expired"} & set(concerns(sv))
    publish(nodes, "AGAIN")
    for node in nodes:
        assert node.row("vasp-licences", "ALONE", "sv")["status"] == "authorised"
        for member in MEMBERS:
            proof = tmp_path / f"{node.name}-{member}.entente-proof"
            proof.write_bytes(node.prove("vasp-licences", "WRONG", member))
            entente("verify", proof, "--charter", nodes.charter, "--expect", "authorised")
    sv.end()
    assert entente("fsck", "--data", sv.folder, check=False).returncode == 0
