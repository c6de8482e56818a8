"""What an alliance promises its members, on nodes that are processes of their own: what is published is held and
checked by all and survives kills, and nodes end orderly."""

import concurrent.futures
import http.client
import json
import signal
import socket
import threading
import time

import pytest

from alliance import Alliance, HOST, Refused, free_port, waiving
from program import entente, environment, eventually, gone
from statements import instant
from tunnel import ConnectProxy


def published_by(node, *arguments):
    """Publishes by the command line as an officer would, and returns what it said."""
    done = node.cli("publish", *arguments, "--sign-with", "ayesha", "--keys", node.keys, "--json")
    return json.loads(done.stdout)


# Publishing reaches everybody


def test_an_entry_is_held_and_checked_by_all(alliance):
    pk = alliance["pk"]
    said = published_by(
        pk,
        "entry",
        "vasp-licences",
        "--key",
        "PK-0117",
        "--status",
        "authorised",
        "--from",
        "2025-09-15",
        "--field",
        "legalName=Karakoram Exchange Ltd",
        "--field",
        "competentAuthority=PDAA",
        "--field",
        "domains=karakoram-exchange.example",
    )
    assert said["already"] is False
    others = ["sv", "us", "imf"]
    receipt = pk.receipts("pk", said["first"], others, timeout=10)
    assert all(holder["held"] and holder["time"] for holder in receipt["holders"])
    for name in others:
        alliance[name].receipts("pk", said["last"], others)
        row = alliance[name].row("vasp-licences", "PK-0117", "pk")
        assert (row["answer"], row["status"], row["signedBy"]) == ("present", "authorised", "ayesha")
        assert row["fields"]["legalName"] == "Karakoram Exchange Ltd"
        # And by what the lookup says.
        found = alliance[name].row("vasp-licences/domains", "karakoram-exchange.example", "pk")
        assert found["statements"][0]["identity"] == row["identity"]
    shown = pk.cli("receipts", "PK-0117", "--wait", "sv", "--wait", "imf", "--timeout", "10")
    assert "El Salvador" in shown.stdout and "held and checked" in shown.stdout


def test_every_member_publishes_and_all_agree(alliance):
    for number, node in enumerate(alliance):
        node.publish(f"ROUND-{number}-A", f"ROUND-{number}-B")
    sizes = alliance.converged()
    assert set(sizes) == {"pk", "sv", "us", "imf"}
    for log in alliance["us"].status()["logs"]:
        assert log["quorum"] == log["entries"] and log["problem"] is None


def test_the_bytes_of_documents_reach_all(alliance, tmp_path):
    small, large = tmp_path / "act.md", tmp_path / "annex.bin"
    small.write_text("# Virtual assets act\n\nA summary in our own words.\n")
    large.write_bytes(bytes(range(256)) * 12_000)
    for path, work in ((small, "/akn/sv/act/2025/test-act"), (large, "/akn/sv/act/2025/test-annex")):
        published_by(alliance["sv"], "document", path, "--work", work, "--date", "2025-07-31", "--title", "Test")
    for node in alliance.others("sv"):

        def held():
            found = {one["work"]: one for one in node.get("/v1/documents", member="sv")["documents"]}
            return {"/akn/sv/act/2025/test-act", "/akn/sv/act/2025/test-annex"} <= {
                w for w, one in found.items() if one["held"]
            } and found

        found = eventually(held, f"{node.name} holds the documents")
        for path, work in ((small, "/akn/sv/act/2025/test-act"), (large, "/akn/sv/act/2025/test-annex")):
            assert node.request("GET", f"/v1/documents/{found[work]['sha256']}") == path.read_bytes()
        # The bytes are in their place a moment before the database says so.
        eventually(lambda: node.status()["documents"]["wanted"] == 0, f"{node.name} wants no document any more")


def test_two_officers_at_once(alliance):
    """Two officers submit at the same time: everything is published once, in order, and nothing is lost."""
    pk = alliance["pk"]
    pk.publish("BOTH-0")
    answers = {}

    def submit(officer):
        answers[officer] = [pk.publish(f"BOTH-{officer}-{number}", officer=officer) for number in range(15)]

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(submit, ("ayesha", "omar")))
    indices = []
    for officer, found in answers.items():
        for number, answer in enumerate(found):
            row = pk.row("vasp-licences", f"BOTH-{officer}-{number}", "pk")
            assert row["signedBy"] == officer and row["index"] == answer["first"]
            indices.append(answer["first"])
        assert [one["first"] for one in found] == sorted(one["first"] for one in found)
    assert len(set(indices)) == 30
    pk.receipts("pk", max(indices), ["sv", "us", "imf"])


def test_two_commands_at_once(alliance):
    """The same by the command line, with plans: made apart, submitted at the same time."""
    us = alliance["us"]
    us.publish("COMMAND-0")

    def publish(number):
        officer = ("ayesha", "omar")[number % 2]
        return us.cli(
            "publish",
            "entry",
            "vasp-licences",
            "--key",
            f"COMMAND-{number}",
            "--status",
            "authorised",
            "--field",
            "legalName=Firm",
            "--field",
            "competentAuthority=Test",
            "--sign-with",
            officer,
            "--keys",
            us.keys,
            "--json",
            check=False,
        )

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        done = list(pool.map(publish, (1, 2)))
    # A plan is refused where its register changed since it was made. What was acknowledged is there, and only that.
    assert any(one.returncode == 0 for one in done)
    for number, one in zip((1, 2), done):
        assert (us.row("vasp-licences", f"COMMAND-{number}", "us") is not None) == (one.returncode == 0), one.stderr


def test_the_same_plan_twice_publishes_once(alliance):
    """An officer who does not know whether it worked submits again."""
    sv = alliance["sv"]
    plan = sv.folder.parent / "twice.plan"
    sv.cli(
        "publish",
        "entry",
        "vasp-licences",
        "--key",
        "SV-TWICE",
        "--status",
        "authorised",
        "--field",
        "legalName=Firm",
        "--field",
        "competentAuthority=Test",
        "--plan",
        plan,
    )
    entente("sign", plan, "--key", "ayesha", "--keys", sv.keys)
    first, second = (json.loads(sv.cli("submit", plan, "--json").stdout) for _ in range(2))
    assert (first["already"], second["already"]) == (False, True)
    # The first answer's last entry is the state leaf, which a repeated plan does not count among its own.
    assert first["first"] == second["first"]
    assert len(sv.row("vasp-licences", "SV-TWICE", "sv")["statements"]) == 1


def test_a_revocation_from_tomorrow(alliance):
    """A revocation from a date in the future stands beside what it will end."""
    pk = alliance["pk"]
    tomorrow = instant(time.time() + 86_400)
    published_by(
        pk,
        "entry",
        "vasp-licences",
        "--key",
        "PK-SOON",
        "--status",
        "authorised",
        "--from",
        "2025-09-15",
        "--field",
        "legalName=Soon Ltd",
        "--field",
        "competentAuthority=PDAA",
    )
    said = published_by(pk, "entry", "vasp-licences", "--key", "PK-SOON", "--status", "revoked", "--from", tomorrow)
    alliance["us"].receipts("pk", said["last"], ["us"])
    today = alliance["us"].row("vasp-licences", "PK-SOON", "pk")
    assert today["status"] == "authorised" and len(today["statements"]) == 2
    later = alliance["us"].get(
        "/v1/rows", register="vasp-licences", key="PK-SOON", member="pk", on=instant(time.time() + 90_000)
    )["rows"][0]
    assert later["status"] == "revoked" and later["permitsBusiness"] is False


# Nodes that fail


def test_a_node_that_was_down_catches_up(alliance):
    """2,000 entries of one member and some of the others, published while the observer's node is down."""
    imf = alliance["imf"]
    status, _ = imf.end()
    assert status == 0
    for batch in range(4):
        answer = alliance["pk"].publish(*[f"CATCH-{batch}-{number}" for number in range(500)])
    alliance["sv"].publish("CATCH-SV")
    behind = alliance["pk"].get("/v1/receipts", member="pk", index=answer["last"])
    assert not next(holder for holder in behind["holders"] if holder["member"] == "imf")["held"]
    imf.start()
    imf.receipts("pk", answer["last"], ["imf"], timeout=30)
    alliance.converged()
    assert imf.row("vasp-licences", "CATCH-3-499", "pk")["status"] == "authorised"


def test_sigkill_loses_nothing_acknowledged(alliance):
    """Killed while it publishes, again and again: what was acknowledged is there, and no head was taken back."""
    sv = alliance["sv"]
    acknowledged, number = {}, 0
    for round in range(3):
        sv.publish(f"KILL-{round}-warm")
        stop = threading.Event()
        inflight = []

        def publish():
            nonlocal number
            while not stop.is_set():
                number += 1
                key = f"KILL-{number}"
                inflight.append(key)
                try:
                    acknowledged[key] = sv.publish(key)["first"]
                except (OSError, ValueError, Refused, http.client.HTTPException):
                    return

        worker = threading.Thread(target=publish)
        worker.start()
        eventually(lambda: len(inflight) > 12 * (round + 1), "some entries are published", 20)
        sv.kill()
        stop.set()
        worker.join(20)
        sv.start()
    assert len(acknowledged) > 20
    for key, index in acknowledged.items():
        row = sv.row("vasp-licences", key, "sv")
        assert row and row["index"] == index, f"{key} was acknowledged as entry {index} and is lost"
    alliance.converged()
    for node in alliance:
        log = node.log_of("sv")
        assert log["problem"] is None and log["head"] == log["entries"]
        assert node.rejections().get("contradictoryHead", 0) == node.rejections().get("inconsistentHead", 0) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_ends_within_five_seconds(alliance, number):
    imf = alliance["imf"]
    alliance.connected()
    status, seconds = imf.end(number)
    assert status == 0 and seconds < 5, (status, seconds)
    assert not imf.socket.exists()
    imf.start()
    alliance.connected()


def test_ends_although_somebody_waits(alliance):
    """A long wait for receipts does not hold up the end."""
    imf = alliance["imf"]
    index = imf.log_of("imf")["entries"] - 1

    def wait():
        try:
            imf.get("/v1/receipts", index=index, wait="imf", timeout=60)
        except (OSError, ValueError, Refused, http.client.HTTPException):
            pass  # however the node ends it

    waiting = threading.Thread(target=wait, daemon=True)
    waiting.start()
    eventually(waiting.is_alive, "somebody waits", 5)
    status, seconds = imf.end()
    imf.start()
    assert status == 0 and seconds < 5, (status, seconds)


# What cannot start says so in one line


def one_line(done, *words):
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert done.returncode == 1, (done.returncode, done.stderr)
    assert len(lines) == 1 and lines[0].startswith("entente: "), done.stderr
    for word in words:
        assert word in lines[0], done.stderr
    assert not done.stdout


def try_to_run(node, *arguments):
    return entente("node", "--data", node.folder, "--log-level", "error", *arguments, check=False, timeout=20)


def test_second_node_on_one_folder(alliance):
    pk = alliance["pk"]
    one_line(try_to_run(pk), str(pk.process.pid))
    assert pk.status()["member"]["name"] == "pk"


@pytest.fixture
def stopped(alliance):
    """The observer's node, stopped; started again afterwards as it was."""
    imf = alliance["imf"]
    imf.end()
    yield imf
    imf.start()
    alliance.connected()


def test_taken_port(stopped):
    with socket.create_server((HOST, stopped.port)):
        one_line(try_to_run(stopped), str(stopped.port))


def test_foreign_key(stopped, alliance):
    """Another member's key in the place of the log's."""
    path = stopped.folder / "keys" / "log.key"
    own = path.read_bytes()
    try:
        path.write_bytes((alliance["pk"].folder / "keys" / "log.key").read_bytes())
        one_line(try_to_run(stopped), "log key")
    finally:
        path.write_bytes(own)


def test_key_that_others_can_read(stopped):
    path = stopped.folder / "keys" / "log.key"
    path.chmod(0o644)
    try:
        one_line(try_to_run(stopped), str(path))
    finally:
        path.chmod(0o600)


@pytest.mark.parametrize("name", ["log", "replica", "node"])
def test_key_that_is_gone_or_damaged(stopped, name):
    path = stopped.folder / "keys" / f"{name}.key"
    own = path.read_bytes()
    try:
        path.unlink()
        one_line(try_to_run(stopped), str(path))
        path.write_bytes(own[: len(own) // 2])
        path.chmod(0o600)
        one_line(try_to_run(stopped), str(path))
    finally:
        path.write_bytes(own)
        path.chmod(0o600)


def test_wrong_passphrase(stopped):
    wrong = stopped.folder.parent / "wrong-passphrase"
    wrong.write_text("not the passphrase\n")
    wrong.chmod(0o600)
    one_line(try_to_run(stopped, "--passphrase", f"file:{wrong}"), "passphrase")


@pytest.mark.parametrize("name", ["config.json", "charter", "tls/node.pem", "tls/authority.pem"])
def test_file_that_is_gone_or_nonsense(stopped, name):
    path = stopped.folder / name
    own = path.read_bytes()
    try:
        path.write_bytes(b"\x00nonsense")
        one_line(try_to_run(stopped))
        path.unlink()
        one_line(try_to_run(stopped))
    finally:
        path.write_bytes(own)


def test_no_passphrase_at_all(stopped):
    """Without a terminal to ask at, and without the variable."""
    env = environment()
    del env["ENTENTE_PASSPHRASE"]
    one_line(
        entente("node", "--data", stopped.folder, "--log-level", "error", check=False, env=env, timeout=20),
        "passphrase",
    )


# Ways between nodes


def test_relay(workspace, member_keys):
    """A and C are not connected. A is killed right after publishing to B; C has it from B. A comes back; all agree."""
    nowhere = free_port()

    def init(alliance, name):
        # A dead address for each other's: the two never meet.
        return {"pk": ("--peer", f"us={HOST}:{nowhere}"), "us": ("--peer", f"pk={HOST}:{nowhere}")}.get(name, ())

    made = Alliance(workspace / "relay", member_keys, ("pk", "sv", "us"), init=init)
    pk, sv, us = made["pk"], made["sv"], made["us"]
    try:
        made.start("pk", "sv", without=("us",))
        made.connected("pk", "sv")
        answer = pk.publish("RELAYED-1", "RELAYED-2")
        document = pk.folder.parent / "relayed.md"
        document.write_text("# Relayed\n")
        said = published_by(pk, "document", document, "--work", "/akn/pk/act/2025/relayed", "--date", "2025-07-31")
        pk.receipts("pk", said["last"], ["sv"])
        eventually(lambda: sv.status()["documents"]["wanted"] == 0, "sv holds the document's bytes")
        pk.kill()
        us.start(*waiving(["pk"]))
        us.receipts("pk", said["last"], ["sv", "us"])
        assert us.row("vasp-licences", "RELAYED-2", "pk")["status"] == "authorised"
        eventually(lambda: us.status()["documents"]["wanted"] == 0, "us has the document's bytes from sv")
        assert us.peer("pk")["state"] not in ("connected", "restricted")
        assert answer["first"] < said["first"]

        us.publish("RELAYED-3")
        pk.start()
        sizes = made.converged("pk", "sv", "us")
        assert sizes["us"] > 2 and pk.row("vasp-licences", "RELAYED-3", "us")
        # pk's log has its quorum, of a member that pk never met among others: receipts travel as well.
        pk.receipts("pk", said["last"], ["sv", "us"])
        assert pk.peer("us")["state"] not in ("connected", "restricted")
    finally:
        made.stop()


@pytest.fixture(scope="module")
def hidden(workspace, member_keys):
    """pk and sv listen. us only dials out; imf only dials out, through an HTTP proxy that asks for a password. So us
    and imf never meet."""
    with ConnectProxy("imf:secret") as proxy:

        def init(alliance, name):
            return ("--proxy", f"http://imf:secret@{HOST}:{proxy.port}") if name == "imf" else ()

        made = Alliance(
            workspace / "hidden", member_keys, ("pk", "sv", "us", "imf"), dial_out_only=("us", "imf"), init=init
        )
        made.proxy = proxy
        made.start()
        yield made
        made.stop()


def test_dial_out_only_and_proxied_nodes_take_part(hidden):
    """Both publish, hold the others' logs and each other's, and cosign."""
    hidden.converged()
    for name in ("us", "imf"):
        node = hidden[name]
        many = node.publish(*[f"HIDDEN-{number}" for number in range(600)])
        few = node.publish("HIDDEN-FEW")
        others = [one.name for one in hidden.others(name)]
        node.receipts(name, many["last"], others)
        node.receipts(name, few["last"], others)
        for other in others:
            assert hidden[other].row("vasp-licences", "HIDDEN-599", name)["status"] == "authorised"
    answer = hidden["pk"].publish("TO-THE-HIDDEN")
    hidden["pk"].receipts("pk", answer["last"], ["sv", "us", "imf"])
    hidden.converged()
    assert hidden["us"].peer("imf")["state"] not in ("connected", "restricted")
    assert hidden.proxy.tunnels and {tunnel.target for tunnel in hidden.proxy.tunnels} <= {
        f"{HOST}:{hidden[name].port}" for name in ("pk", "sv")
    }
    assert hidden.proxy.refused == 0


def test_documents_from_and_to_hidden_nodes(hidden):
    folder = hidden.folder
    for name in ("us", "imf", "pk"):
        path = folder / f"{name}.bin"
        path.write_bytes(name.encode() * 200_000)
        published_by(
            hidden[name],
            "document",
            path,
            "--work",
            f"/akn/{name}/act/2025/hidden",
            "--date",
            "2025-07-31",
            "--title",
            "T",
        )

    def missing():
        return sorted(
            (node.name, one["member"])
            for node in hidden
            for one in node.get("/v1/documents", member="all")["documents"]
            if not one["held"]
        )

    hidden.converged()
    gone(missing, "documents are missing (at, of)", 30)
    for node in hidden:
        found = {one["work"]: one["sha256"] for one in node.get("/v1/documents", member="all")["documents"]}
        for name in ("us", "imf", "pk"):
            digest = found[f"/akn/{name}/act/2025/hidden"]
            assert node.request("GET", f"/v1/documents/{digest}") == (folder / f"{name}.bin").read_bytes()


def test_a_hidden_node_that_was_down_catches_up(hidden):
    """Ranges come to a node that dials out, and go from it, after a time apart; also when every connection breaks."""
    us = hidden["us"]
    us.kill()
    answer = hidden["pk"].publish(*[f"APART-{number}" for number in range(900)])
    us.start()
    own = us.publish(*[f"APART-{number}" for number in range(700)])
    hidden.proxy.cut()
    us.receipts("pk", answer["last"], ["us"])
    us.receipts("us", own["last"], ["pk", "sv", "imf"], timeout=45)
    hidden.converged(seconds=45)
