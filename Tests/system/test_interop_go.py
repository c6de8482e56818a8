"""Go's own transparency log packages (golang.org/x/mod/sumdb) verify a log that a node serves."""

import base64
import json
import os
import pathlib
import shutil
import subprocess

import pytest

import alliance as alliances
import logs
import wire
from certificates import Identity

# Where Debian's package golang-golang-x-mod-dev puts its sources; a GOPATH, so that nothing is fetched.
GOPATH = os.environ.get("ENTENTE_TEST_GOPATH", "/usr/share/gocode")
SOURCE = pathlib.Path(__file__).parent / "go" / "logcheck"

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def logcheck(workspace):
    """The Go program, built."""
    if not shutil.which("go"):
        pytest.skip("Go is not installed: Network/install-packages golang-go golang-golang-x-mod-dev")
    if not os.path.isdir(f"{GOPATH}/src/golang.org/x/mod/sumdb/tlog"):
        pytest.skip(f"golang.org/x/mod is not in {GOPATH}: Network/install-packages golang-golang-x-mod-dev")
    path = workspace / "logcheck"
    environment = os.environ | {
        "GO111MODULE": "off",
        "GOPATH": GOPATH,
        "GOFLAGS": "",
        "GOPROXY": "off",
        "GOTOOLCHAIN": "local",
    }
    done = subprocess.run(
        ["go", "build", "-o", path, "."], cwd=SOURCE, env=environment, capture_output=True, text=True, timeout=170
    )
    assert done.returncode == 0, done.stderr
    return path


@pytest.fixture(scope="module")
def identity(alliance, workspace):
    return Identity.member(workspace / "go-identity", alliance["us"])


class Served:
    """pk's log, as another member's node serves it."""

    def __init__(self, logcheck, alliance, identity):
        self.logcheck, self.alliance, self.identity = logcheck, alliance, identity
        self.node = alliance["sv"]
        self.trusted = self.node.folder / "tls" / "authority.pem"
        self.vkey = alliance.members["pk"]["log"]

    def run(self, *arguments, vkey=None):
        prefix = f"https://127.0.0.1:{self.node.port}/logs/{alliances.origin('pk')}"
        return subprocess.run(
            [
                self.logcheck,
                "-prefix",
                prefix,
                "-vkey",
                vkey or self.vkey,
                "-ca",
                self.trusted,
                "-chain",
                self.identity.chain,
                "-key",
                self.identity.key,
                *map(str, arguments),
            ],
            capture_output=True,
            text=True,
            timeout=60,
        )

    def checkpoint(self):
        status, body = wire.request(
            self.node.port, self.identity, self.trusted, "GET", f"/logs/{alliances.origin('pk')}/checkpoint"
        )
        assert status == 200
        return body


@pytest.fixture(scope="module")
def served(logcheck, alliance, identity):
    return Served(logcheck, alliance, identity)


def test_go_verifies_a_log(served, alliance, tmp_path):
    """Checkpoint, inclusion, consistency, and leaf hashes from the entry bundles, over more than one tile level."""
    first = alliance["pk"].publish(*[f"GO-{number:04}" for number in range(300)])
    alliance["sv"].receipts("pk", first["last"], ["sv"])
    old = tmp_path / "old"
    old.write_bytes(served.checkpoint())
    second = alliance["pk"].publish(*[f"GO-{number:04}" for number in range(300, 520)])
    alliance["sv"].receipts("pk", second["last"], ["sv"])

    done = served.run("-old", old)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    held = alliance["sv"].log_of("pk")
    assert found["size"] == held["entries"] > found["oldSize"] > 256
    assert found["root"] == held["root"]
    # The tree is the one that its leaves make, and the leaves are those of the entries that the node shows.
    leaves = [base64.b64decode(leaf) for leaf in found["leaves"]]
    assert logs.root(leaves) == base64.b64decode(held["root"])
    for index in (0, 1, 255, 256, found["size"] - 1):
        raw = alliance["pk"].get("/v1/entry", index=index)["raw"].encode()
        assert logs.leaf_hash(raw) == leaves[index]


def test_go_refuses_another_key(served, alliance):
    """The note must be signed by the key of the charter."""
    done = served.run(vkey=alliance.members["sv"]["log"])
    assert done.returncode == 1 and "checkpoint" in done.stderr


def test_go_refuses_an_older_checkpoint_of_another_tree(served, alliance, tmp_path):
    """A checkpoint that the log never signed so is not consistent with the one that it serves."""
    from statements import load_key

    node = alliance["pk"]
    key = load_key(node.keys / "log.key")
    # The test owns pk's log key, and signs what pk never would.
    forged = logs.checkpoint(alliances.origin("pk"), 100, logs.sha256(b"another tree"))
    old = tmp_path / "old"
    old.write_bytes(logs.note(forged, logs.signature_line(alliances.origin("pk"), key, forged)))
    done = served.run("-old", old)
    assert done.returncode == 1 and "consistency" in done.stderr
