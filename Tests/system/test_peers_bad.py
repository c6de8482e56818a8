"""A member that lies: tampered entries, false roots and leaves, heads that shrink or contradict, broken frames. The
node counts a typed reason, shows and cosigns nothing false, and goes on with the others."""

import contextlib
import hashlib
import json
import struct

import pytest

import logs
import wire
from alliance import Alliance, waiving
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from program import entente, eventually
from stranger import Stranger

# One member for each test that ruins its own log.
NAMES = ("m1", "m2", "m3", "m4", "m5", "m6")


@pytest.fixture(scope="module")
def strangers(workspace, member_keys):
    """pk and sv are real; the others are played here, and hold nothing."""
    folder = workspace / "strangers-files"
    folder.mkdir()
    played = {name: Stranger(folder, name) for name in NAMES}
    made = Alliance(
        workspace / "bad", member_keys, ("pk", "sv"), quorum=4, strangers=[one.file for one in played.values()]
    )
    made.start(without=NAMES)
    made.connected()
    made["pk"].publish("GOOD-0")
    made.played = {name: one.join(made) for name, one in played.items()}
    yield made
    made.stop()


@pytest.fixture
def pk(strangers):
    return strangers["pk"]


class Counted:
    """Counts a rejection before and after."""

    def __init__(self, node, reason):
        self.node, self.reason = node, reason
        self.before = node.rejections().get(reason, 0)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            eventually(
                lambda: self.node.rejections().get(self.reason, 0) > self.before,
                f"{self.node.name} counts {self.reason}: {self.node.rejections()}",
                10,
            )


def goes_on(strangers):
    """pk still publishes, and sv holds and checks it."""
    goes_on.number += 1
    answer = strangers["pk"].publish(f"ON-{goes_on.number}")
    strangers["pk"].receipts("pk", answer["last"], ["sv"], timeout=10)
    answer = strangers["sv"].publish(f"ON-{goes_on.number}")
    strangers["pk"].receipts("sv", answer["last"], ["pk"], timeout=10)


goes_on.number = 0


def holds(node, log, cosigned=True):
    """Whether a node holds exactly this log of a stranger, and has cosigned it."""
    held = node.log_of(log.origin.split(".")[0])
    is_same = (held["entries"], held["root"]) == (log.size, logs.base64text(log.root()))
    return is_same and (node.name in {holder["member"] for holder in held["heldBy"]}) == cosigned


# Frames


def test_honest_at_first(strangers, pk):
    """What these tests play is a member that an honest node accepts: its log is held, checked and relayed."""
    stranger = strangers.played["m1"]
    with stranger.session(pk) as session:
        stranger.publish(stranger.log, "M1-A", "M1-B")
        stranger.serve(pk, session)
        # And once more, inline with the head.
        before = stranger.log.size
        stranger.publish(stranger.log, "M1-C")
        session.send(wire.head(stranger.log.head(), before, logs.bundle(stranger.log.entries[before:])))
        stranger.cosigned(pk, session, stranger.log)
    assert pk.row("vasp-licences", "M1-C", "m1")["status"] == "authorised"
    eventually(lambda: holds(strangers["sv"], stranger.log), "sv has it from pk")


@pytest.mark.parametrize(
    ("reason", "sent"),
    {
        "garbage": ("oversizedFrame", b"\xff" * 64),
        "oversized": ("oversizedFrame", struct.pack(">IB", (1 << 20) + 1, wire.HEAD)),
        "oversized-field": (
            "oversizedFrame",
            wire.frame(wire.HEAD, struct.pack(">I", 1 << 19), bytes(1 << 19), bytes(12)),
        ),
        "empty": ("malformedFrame", bytes(4)),
        "cut-off-field": ("malformedFrame", wire.frame(wire.DIGEST, bytes(31))),
        "left-over": ("malformedFrame", wire.frame(wire.DIGEST, bytes(33))),
        "endless-list": ("oversizedFrame", wire.frame(wire.NEIGHBOURS, struct.pack(">I", 0xFFFFFFFF))),
        "text-with-controls": ("malformedFrame", wire.frame(wire.WANT_HEAD, wire.text("a\nb"))),
        "text-not-utf8": ("malformedFrame", wire.frame(wire.WANT_HEAD, wire.text(b"\xff\xfe"))),
        "summary-out-of-order": (
            "malformedFrame",
            wire.frame(wire.SUMMARY, struct.pack(">I", 2), 2 * (wire.text("pk.alliance.example/log1") + bytes(32))),
        ),
    }.values(),
    ids=[
        "garbage",
        "oversized",
        "oversized-field",
        "empty",
        "cut-off-field",
        "left-over",
        "endless-list",
        "text-with-controls",
        "text-not-utf8",
        "summary-out-of-order",
    ],
)
def test_broken_frame_ends_the_session(strangers, pk, reason, sent):
    with Counted(pk, reason), strangers.played["m1"].session(pk) as session:
        session.send(sent)
        assert session.ended()
    goes_on(strangers)


def test_unknown_frames_are_skipped(strangers, pk):
    """So that versions mix: a large one as well, and in pieces."""
    with strangers.played["m1"].session(pk) as session:
        unknown = wire.frame(200, bytes(900_000))
        for start in range(0, len(unknown), 100_000):
            session.send(unknown[start : start + 100_000])
        session.send(wire.frame(wire.WANT_HEAD, wire.text(strangers["pk"].log_of("pk")["origin"])))
        fields = session.wait(wire.HEAD, matching=lambda one: one.text().startswith(b"pk."))
        assert fields.text().startswith(b"pk.alliance.example/log1\n")


def origins(page):
    """Of the heads on a page; a page goes from one log that is the same to the next."""
    after, through = page.text(), page.text()
    found = [note.split(b"\n")[0] for note in page.items()]
    assert all(after < origin and (not through or origin <= through) for origin in found)
    return found


def test_a_summary_is_answered_with_the_heads_that_differ(strangers, pk):
    with strangers.played["m1"].session(pk) as session:
        session.send(wire.frame(wire.SUMMARY, struct.pack(">I", 0)))
        page = session.wait(wire.HEADS, matching=lambda one: b"pk.alliance.example/log1" in origins(one))
        found = origins(page)
        assert found == sorted(found)
    goes_on(strangers)


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ("no-hello", "unexpectedMessage"),
        ("another-alliance", "foreignAlliance"),
        ("another-member", "wrongMember"),
        ("version-0", "unsupportedVersion"),
    ],
)
def test_bad_beginning_ends_the_session(strangers, pk, case, reason):
    stranger = strangers.played["m1"]
    digest = strangers.digest
    first = {
        "no-hello": wire.frame(wire.DIGEST, bytes(32)),
        "another-alliance": wire.hello(logs.sha256(b"another"), stranger.id),
        "another-member": wire.hello(digest, "did:web:sv.alliance.example"),
        "version-0": wire.hello(digest, stranger.id, version=0),
    }[case]
    with Counted(pk, reason), stranger.dial(pk) as session:
        session.send(first)
        assert session.ended()
    goes_on(strangers)


def test_only_one_session_of_a_member(strangers, pk):
    """A new session takes the place of the older one, so that a member cannot hold many."""
    stranger = strangers.played["m1"]
    with stranger.session(pk) as first, stranger.session(pk) as second:
        assert first.ended()
        second.send(wire.frame(wire.WANT_HEAD, wire.text("pk.alliance.example/log1")))
        second.wait(wire.HEAD)


# Heads


@pytest.mark.parametrize(
    "reason",
    ["badSignature", "unknownLog", "malformedNote", "foreignCosignature", "extended"],
)
def test_bad_head(strangers, pk, reason):
    """Heads that the log's key did not sign, of logs that nobody has, and notes that are none. The session goes on."""
    stranger = strangers.played["m1"]
    log = stranger.log
    other = Ed25519PrivateKey.generate()
    text = logs.checkpoint(log.origin, log.size + 9, logs.sha256(b"false"))
    turned = bytearray(log.head(log.size + 1, logs.sha256(b"x")))
    turned[-10] ^= 1
    # A cosignature in pk's own name that pk never made.
    claimed = logs.key_id("sv.alliance.example/replica", logs.COSIGNATURE, b"")
    sv = strangers.members["sv"]["replica"].split("+")
    claimed = bytes.fromhex(sv[1]) + struct.pack(">Q", 1_700_000_000) + bytes(64)
    line = f"\u2014 {sv[0]} {logs.base64text(claimed)}\n".encode()
    extended = text + b"extra\n"
    note = {
        "badSignature": log.head(log.size + 9, logs.sha256(b"false"), key=other),
        "unknownLog": log.head(4, logs.sha256(b"false"), origin="nobody.example/log1"),
        "malformedNote": b"no note at all",
        "foreignCosignature": logs.note(text, logs.signature_line(log.origin, log.key, text), line),
        "extended": logs.note(extended, logs.signature_line(log.origin, log.key, extended)),
    }[reason]
    typed = {"foreignCosignature": "badSignature", "extended": "malformedNote"}.get(reason, reason)
    before = pk.log_of("m1")
    with stranger.session(pk) as session:
        with Counted(pk, typed):
            session.send(wire.head(note))
        session.send(wire.frame(wire.WANT_HEAD, wire.text("pk.alliance.example/log1")))
        session.wait(wire.HEAD)
    after = pk.log_of("m1")
    assert (after["entries"], after["root"], after["head"]) == (before["entries"], before["root"], before["head"])
    goes_on(strangers)


def test_too_many_rejections_end_the_session(strangers, pk):
    stranger = strangers.played["m1"]
    with Counted(pk, "tooMany"), stranger.session(pk) as session:
        try:
            for _ in range(70):
                session.send(wire.head(b"no note at all"))
        except wire.Ended:
            pass
        assert session.ended()
    goes_on(strangers)


# Ranges


def tampered(entries):
    """The entries with one letter of the first statement's signature changed."""
    first = entries[0]
    letter = b"A" if first[-3:-2] != b"A" else b"B"
    return [first[:-3] + letter + first[-2:], *entries[1:]]


@pytest.mark.parametrize("inline", [False, True], ids=["range", "inline"])
def test_tampered_entry(strangers, pk, inline):
    """The head is true and the entries are not: the peer is to blame, and the true ones are taken from who has them."""
    stranger = strangers.played["m2"]
    log = stranger.log
    with stranger.session(pk) as session:
        if log.size == 2:
            stranger.serve(pk, session)
        before = log.copy()
        stranger.publish(log, f"M2-{log.size}-A", f"M2-{log.size}-B")
        # Without a proof that the head extends what pk holds, nothing says that the peer and not the log is false.
        with Counted(pk, "cannotExtend" if inline else "wrongRoot"):
            if inline:
                session.send(wire.head(log.head(), before.size, logs.bundle(tampered(log.entries[before.size :]))))
            else:
                answer = lambda start: log.range(start, entries=tampered(log.entries[start:]))  # noqa: E731
                stranger.offer(pk, session, log.head(), answer)
        assert holds(pk, before) and pk.row("vasp-licences", f"M2-{before.size}-A", "m2") is None
    goes_on(strangers)
    # The log itself is not to blame. sv gets it as it is, and pk has it from sv.
    with stranger.session(strangers["sv"]) as session:
        if strangers["sv"].log_of("m2")["entries"] < log.size:
            stranger.serve(strangers["sv"], session)
    eventually(lambda: holds(pk, log), "pk has the true entries from sv", 20)
    assert pk.row("vasp-licences", f"M2-{before.size}-A", "m2")["status"] == "authorised"


def test_malformed_ranges(strangers, pk):
    """Too few entries, another start, bytes left over or missing, and what nobody asked for."""
    stranger = strangers.played["m1"]
    log = stranger.log.copy()
    size = log.size
    stranger.publish(log, "M1-NEVER")
    cases = {
        "fewer": lambda start: logs.encode_range(start, log.size, [], [], log.entries[start:-1]),
        "left-over": lambda start: log.range(start) + b"\x00",
        "cut-off": lambda start: log.range(start)[:-5],
        "nothing": lambda start: logs.encode_range(start, start, [], [], []),
        "another-start": lambda start: log.range(start - 1),
        "no-leaf": lambda start: log.range(start, end=log.size - 1),
    }
    for case, answer in cases.items():
        # A new session each time: a peer that served something false is not asked again for a while.
        with stranger.session(pk) as session, Counted(pk, "malformedRange"):
            status = stranger.offer(pk, session, log.head(), answer)
            assert status in (204, 400), case
    with stranger.session(pk):
        assert stranger.push(pk, 999_999, log.range(size)) == 409
    assert pk.log_of("m1")["entries"] == size
    goes_on(strangers)


def test_oversized_entry(strangers, pk):
    """An entry beyond 65,535 bytes cannot be written in a bundle; one that is longer than what follows is refused."""
    stranger = strangers.played["m1"]
    log = stranger.log.copy()
    stranger.publish(log, "M1-NEVER")
    start = stranger.log.size
    broken = logs.bundle(log.entries[start:])
    broken = b"\xff\xff" + broken[2:]
    body = struct.pack(">QQ", start, log.size) + bytes(8) + struct.pack(">I", len(broken)) + broken
    with stranger.session(pk) as session, Counted(pk, "malformedEntry"):
        stranger.offer(pk, session, log.head(), lambda _: body)
    assert pk.log_of("m1")["entries"] == start
    goes_on(strangers)


# Documents


def test_false_document(strangers, pk):
    """Bytes of another digest, too many, too few: refused. The true ones are taken, from the same member."""
    stranger = strangers.played["m1"]
    log = stranger.log
    work, data = "/akn/xs/act/2025/false", b"the true bytes\n" * 100
    with stranger.session(pk) as session:
        before = log.size
        log.add(stranger.officer.document(work, data), ("@documents", work))
        log.seal()
        session.send(wire.head(log.head(), before, logs.bundle(log.entries[before:])))
        false = [data[:-1] + b"!", data + b"more", data[:-9], data]
        for bytes_sent in false:
            fields = session.wait(
                wire.WANT_DOCUMENT, matching=lambda one: one.take(32) == hashlib.sha256(data).digest()
            )
            digest, offset = fields.take(32), fields.integer()
            with Counted(pk, "wrongDocument") if bytes_sent != data else contextlib.nullcontext():
                status, _ = wire.request(
                    pk.port,
                    stranger.identity,
                    pk.folder / "tls" / "authority.pem",
                    "POST",
                    f"/peer/v1/document/{digest.hex()}?offset={offset}",
                    body=bytes_sent[offset:],
                )
                assert status == (204 if bytes_sent == data else 400)
            found = pk.get("/v1/documents", member="m1")["documents"]
            assert [one["held"] for one in found if one["work"] == work] == [bytes_sent == data]
    assert pk.request("GET", f"/v1/documents/{hashlib.sha256(data).hexdigest()}") == data
    # And what nobody asked for is not taken.
    status, _ = wire.request(
        pk.port,
        stranger.identity,
        pk.folder / "tls" / "authority.pem",
        "POST",
        f"/peer/v1/document/{hashlib.sha256(b'unasked').hexdigest()}?offset=0",
        body=b"unasked",
    )
    assert status == 409
    goes_on(strangers)


# A log that is false itself


def test_head_that_cannot_extend(strangers, pk):
    """A larger head of another tree, with entries of that tree: nothing shows that it extends ours."""
    stranger = strangers.played["m3"]
    with stranger.session(pk) as session:
        branch = stranger.publish(stranger.log.copy(), "M3-FALSE", "M3-FALSE-2", "M3-FALSE-3")
        stranger.publish(stranger.log, "M3-TRUE")
        stranger.serve(pk, session)
        assert branch.size > stranger.log.size
        with Counted(pk, "cannotExtend"):
            stranger.offer(pk, session, branch.head(), lambda start: branch.range(start))
        assert holds(pk, stranger.log)
    assert pk.row("vasp-licences", "M3-FALSE", "m3") is None
    goes_on(strangers)


def counted(node, member):
    """Entries of a forked log that count at a node."""
    return json.loads(node.cli("fork", "show", member, "--json").stdout)["end"]["size"]


def proven(strangers, member, folder):
    """Both honest nodes can prove the fork, whoever heard of it first; anybody can check it with the charter alone. Gives the
    proof."""
    folder = folder / f"{len(list(folder.iterdir()))}"
    folder.mkdir()
    for node in (strangers["sv"], strangers["pk"]):
        eventually(
            lambda: member in {one["member"] for one in json.loads(node.cli("fork", "list", "--json").stdout)["forks"]},
            f"{node.name} can prove it",
        )
        file = folder / f"{node.name}.entente-fork"
        node.cli("fork", "show", member, "--out", file)
        assert "PROVEN" in entente("fork", "verify", file, "--charter", strangers.charter).stdout
        concerns = [one["text"] for one in node.status()["concerns"] if one["level"] == "critical"]
        assert any("two heads" in one for one in concerns), concerns
    assert file.read_bytes() == (folder / "sv.entente-fork").read_bytes()
    return file.read_bytes()


def test_head_of_our_size_with_another_root(strangers, pk, tmp_path):
    """Two heads of one size cannot both be true: both are kept, and nothing of this log is cosigned any more."""
    stranger = strangers.played["m4"]
    with stranger.session(pk) as session:
        branch = stranger.publish(stranger.log.copy(), "M4-FALSE")
        stranger.publish(stranger.log, "M4-TRUE")
        stranger.serve(pk, session)
        assert holds(pk, stranger.log)
        with Counted(pk, "contradictoryHead"):
            session.send(wire.head(branch.head()))
        assert "two heads" in pk.log_of("m4")["problem"]
        proof = proven(strangers, "m4", tmp_path)
        # Nobody but pk ever held any of it: nothing counts, and what pk held is set aside. What comes after is not asked for.
        eventually(lambda: counted(pk, "m4") == 0, "pk has set back the log")
        stranger.publish(stranger.log, "M4-LATER")
        session.send(wire.head(stranger.log.head()))
        shown = json.loads(pk.cli("fork", "show", "m4", "--aside", "0", "--json").stdout)
        assert shown["end"]["known"] is None and shown["end"]["setAside"][0]["size"] > 0
        assert any("M4-TRUE" in str(one) for one in shown["entries"])
        assert not any("M4-LATER" in str(one) for one in shown["entries"])
    assert pk.row("vasp-licences", "M4-FALSE", "m4") is None and pk.row("vasp-licences", "M4-TRUE", "m4") is None
    goes_on(strangers)
    # Not even after a restart.
    pk.end()
    pk.start(*waiving(NAMES))
    strangers.connected("pk")
    assert "two heads" in pk.log_of("m4")["problem"]
    assert counted(pk, "m4") == 0
    assert proven(strangers, "m4", tmp_path) == proof
    # Changed, it proves nothing, and passing it on is an offence.
    changed = proof.replace(b"m4.alliance.example", b"m1.alliance.example")
    (tmp_path / "changed").write_bytes(changed)
    assert entente("fork", "verify", tmp_path / "changed", "--charter", strangers.charter, check=False).returncode == 1
    with strangers.played["m2"].session(pk) as session, Counted(pk, "invalidForkProof"):
        session.send(wire.frame(wire.FORK_PROOF, wire.text(changed)))
    assert pk.log_of("m1")["problem"] is None


def test_head_that_shrinks_to_another_root(strangers, pk, tmp_path):
    """A smaller head whose root is not that of our tree at that size. A smaller one that is, is merely old."""
    stranger = strangers.played["m5"]
    log = stranger.log
    with stranger.session(pk) as session:
        stranger.publish(log, "M5-A")
        stranger.serve(pk, session)
    # Anew, so that the node does not know any more what the peer has.
    with stranger.session(pk) as session:
        before = pk.rejections()
        session.send(wire.head(log.head(2)))
        # The node says that the peer is behind: it sends what it holds.
        session.wait(wire.HEAD, matching=lambda one: one.text().startswith(f"{log.origin}\n{log.size}\n".encode()))
        assert pk.rejections() == before and pk.log_of("m5")["problem"] is None
        with Counted(pk, "inconsistentHead"):
            session.send(wire.head(log.head(2, logs.sha256(b"another tree"))))
        assert "two heads" in pk.log_of("m5")["problem"]
        eventually(lambda: counted(pk, "m5") == 0, "no quorum held any of it: nothing counts")
    proven(strangers, "m5", tmp_path)
    goes_on(strangers)


def test_false_state_leaf(strangers, pk):
    """The leaf states another root than the entries give: stored, without effect, never cosigned, and known to all."""
    stranger = strangers.played["m6"]
    with stranger.session(pk) as session:
        stranger.publish(stranger.log, "M6-TRUE")
        stranger.serve(pk, session)
        true = stranger.log.copy()
        stranger.publish(stranger.log, "M6-FALSE", false=True)
        with Counted(pk, "falseStateLeaf"):
            stranger.offer(pk, session, stranger.log.head(), lambda start: stranger.log.range(start))
        eventually(lambda: holds(pk, stranger.log, cosigned=False), "pk stores it without cosigning it")
        # A true batch behind it does not count either.
        stranger.publish(stranger.log, "M6-BEHIND")
        stranger.offer(pk, session, stranger.log.head(), lambda start: stranger.log.range(start))
        eventually(lambda: holds(pk, stranger.log, cosigned=False), "pk stores what follows")
    for node in (pk, strangers["sv"]):
        eventually(lambda: node.log_of("m6")["entries"] == stranger.log.size, f"{node.name} holds it")
        log = node.log_of("m6")
        assert log["problem"].startswith(f"counting ended at entry {true.size}"), log
        assert node.row("vasp-licences", "M6-TRUE", "m6")["status"] == "authorised"
        for key in ("M6-FALSE", "M6-BEHIND"):
            assert node.row("vasp-licences", key, "m6") is None
    entries = pk.get("/v1/entries", member="m6", **{"from": true.size})["entries"]
    assert entries and not any(entry["counts"] for entry in entries if entry["kind"] != "state-leaf")
    goes_on(strangers)


def test_nobody_was_harmed(strangers):
    """After all of it the two honest nodes agree about each other, and about the member that kept to the truth."""
    for reader, member in (("pk", "sv"), ("sv", "pk"), ("pk", "m1"), ("sv", "m1")):
        log = strangers[reader].log_of(member)
        assert log["problem"] is None and reader in {holder["member"] for holder in log["heldBy"]}
    assert strangers["pk"].log_of("m1")["root"] == strangers["sv"].log_of("m1")["root"]
