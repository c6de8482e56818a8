"""Who may connect: bad certificates at running nodes, from clients and from servers that a node dials. None of them gets
one application byte, each is counted by its reason. In TLS 1.3 a client may believe for a moment that its handshake has
succeeded: what counts is what comes back for its request."""

import datetime
import hashlib
import json
import signal
import socket
import ssl
import threading
import time

import pytest

import alliance as alliances
from alliance import member_id, origin
from certificates import Authority, Identity, key_digest, put, self_signed, short_leaf
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID
from program import eventually
from statements import Speaker, base64url, from_base64url, load_key
from tunnel import Forwarder

REQUEST = f"GET /logs/{origin('pk')}/checkpoint HTTP/1.1\r\nHost: pk\r\nConnection: close\r\n\r\n".encode()
DAY = 86_400

# By case: the reason that is counted when a client presents it, and when a dialled server does.
REASONS = {
    # OpenSSL without a certificate does not offer TLS 1.3 at all.
    "none": ("none", "protocolVersion"),
    "self-signed": ("chainLength",) * 2,
    "self-signed-twice": ("unknownAuthority",) * 2,
    "strangers-authority": ("unknownAuthority",) * 2,
    "authority-of-the-same-name": ("unknownAuthority",) * 2,
    "stranger-under-the-real-authority": ("badSignature",) * 2,
    "expired": ("expired",) * 2,
    "not-yet-valid": ("notYetValid",) * 2,
    "revoked": ("revoked",) * 2,
    "another-members-name": ("nameMismatch",) * 2,
    "no-members-name": ("nameMismatch",) * 2,
    "wrong-key-usage": ("wrongUsage",) * 2,
    "wrong-purpose": ("wrongUsage",) * 2,
    "issuer-is-no-authority": ("issuerNotAuthority",) * 2,
    "issuer-is-a-node": ("unknownAuthority",) * 2,
    "rsa-8448": ("keyTooLarge",) * 2,
    "chain-of-100": ("chainLength",) * 2,
    "no-authority": ("chainLength",) * 2,
    "tls-1.2": ("protocolVersion",) * 2,
}


def identities(us, folder):
    """What each case presents; `us` is a member's authority."""
    good, stranger = member_id("us"), Authority.new("stranger")
    copied, middle = Authority.new("entente us"), Authority(*us.leaf(good))
    demoted, own = us.again(ca=False), self_signed(good)

    def of(case, made, *above):
        return case, Identity(folder / case, *made, *above)

    return dict(
        [
            ("none", None),
            of("self-signed", self_signed(good)),
            of("self-signed-twice", own, own[0]),
            of("strangers-authority", stranger.leaf(good), stranger.certificate),
            of("authority-of-the-same-name", copied.leaf(good), copied.certificate),
            of("stranger-under-the-real-authority", stranger.leaf(good), us.certificate),
            of("expired", us.leaf(good, begins=-30, ends=-1), us.certificate),
            of("not-yet-valid", us.leaf(good, begins=1), us.certificate),
            of("revoked", us.leaf(good), us.certificate),
            of("another-members-name", us.leaf(member_id("sv")), us.certificate),
            of("no-members-name", us.leaf("did:web:nobody.example"), us.certificate),
            of("wrong-key-usage", us.leaf(good, usage=("key_cert_sign",)), us.certificate),
            of("wrong-purpose", us.leaf(good, purposes=(ExtendedKeyUsageOID.CODE_SIGNING,)), us.certificate),
            of("issuer-is-no-authority", us.leaf(good), demoted.certificate),
            of("issuer-is-a-node", middle.leaf(good), middle.certificate),
            ("rsa-8448", Identity.rsa(folder / "rsa-8448", good, us, 8448)),
            of("chain-of-100", us.leaf(good), *[us.certificate] * 99),
            of("no-authority", us.leaf(good)),
            of("tls-1.2", us.leaf(good), us.certificate),
        ]
    )


def context(purpose, identity, version=ssl.TLSVersion.TLSv1_3):
    made = ssl.SSLContext(purpose)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    made.minimum_version = made.maximum_version = version
    if identity:
        made.load_cert_chain(identity.chain, identity.key)
    return made


def version_of(case):
    return ssl.TLSVersion.TLSv1_2 if case == "tls-1.2" else ssl.TLSVersion.TLSv1_3


def exchange(port, identity, version=ssl.TLSVersion.TLSv1_3):
    """Sends a request and returns every application byte that came back before the node closed."""
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as raw:
        try:
            with context(ssl.PROTOCOL_TLS_CLIENT, identity, version).wrap_socket(raw) as tls:
                tls.sendall(REQUEST)
                while piece := tls.recv(4096):
                    received += piece
        except TimeoutError:
            raise
        except OSError:
            pass
    return received


class Impostor:
    """A server where a member's node should be. It takes whatever handshake it gets and keeps what is asked of it."""

    def __init__(self, identity, version):
        self.received, self.handshakes, self.connections = b"", 0, 0
        self._context = context(ssl.PROTOCOL_TLS_SERVER, identity, version)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while True:
            try:
                raw, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            raw.settimeout(10)
            with raw:
                try:
                    with self._context.wrap_socket(raw, server_side=True) as tls:
                        self.handshakes += 1
                        while piece := tls.recv(4096):
                            self.received += piece
                except OSError:
                    pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(timeout=20)


@pytest.fixture(scope="module")
def nodes(workspace, cheap_keys):
    """Three nodes of their own, since they are stopped, and revoked, here."""
    made = alliances.Alliance(workspace / "certificates", cheap_keys, ("pk", "sv", "us"))
    made.start()
    made.connected()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def presented(nodes, workspace):
    """The identities of all cases, one of which the newest roster of its member revokes."""
    made = identities(Authority.of(nodes["us"].keys), workspace / "presented")
    revoke(nodes, "us", made["revoked"])
    return made


def revoke(nodes, name, identity):
    """Publishes the member's next roster, which revokes that leaf and is else as the first one."""
    node = nodes[name]
    leaf = x509.load_pem_x509_certificate(identity.leaf.read_bytes())
    first = (node.folder / "roster.jws").read_text()
    payload = from_base64url(first.split(".")[1])
    root = Speaker(load_key(node.keys / "root-1.key"), member_id(name), "root-1", nodes.digest)
    roster = json.loads(payload) | {
        "iat": int(time.time()),
        "ordinal": 1,
        "previous": base64url(hashlib.sha256(payload).digest()),
        "revoked": [base64url(key_digest(leaf.public_key()))],
    }
    answer = node.submit([root.sign("roster", roster)])
    for other in nodes.others(name):
        eventually(lambda: other.log_of(name)["entries"] > answer["last"], f"{other.name} holds the roster")


@pytest.mark.parametrize("case", REASONS)
def test_a_bad_client_gets_nothing(nodes, presented, case):
    reason = REASONS[case][0]
    before = nodes["pk"].rejections().get(reason, 0)
    assert exchange(nodes["pk"].port, presented[case], version_of(case)) == b""
    eventually(lambda: nodes["pk"].rejections().get(reason, 0) == before + 1, f"the node counts {reason}", 5)


def test_the_same_client_with_a_good_certificate_is_answered(nodes, presented, workspace):
    """So that the cases above are refused for their certificates."""
    good = Identity.member(workspace / "good", nodes["us"])
    assert exchange(nodes["pk"].port, good).startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize("case", REASONS)
def test_a_bad_server_is_asked_nothing(nodes, presented, case):
    """The node dials it where a member's node should be."""
    reason = REASONS[case][1]
    pk, us = nodes["pk"], nodes["us"]
    if us.runs:
        us.end()
    pk.end()
    with Impostor(presented[case], version_of(case)) as impostor:
        pk.start("--peer", f"us=127.0.0.1:{impostor.port}")
        try:
            eventually(lambda: pk.rejections().get(reason, 0), f"the node counts {reason}", 15)
            assert set(pk.rejections()) == {reason}
            problem = eventually(lambda: pk.peer("us")["problem"], "the operator is told", 5)
            assert reason in problem
            assert pk.peer("us")["state"] == "unreachable"
        finally:
            pk.end()
    assert impostor.connections and impostor.received == b""
    pk.start()


def test_an_open_connection_ends_when_its_leaf_is_revoked(nodes, workspace):
    identity = Identity.member(workspace / "open", nodes["sv"])
    pk = nodes["pk"]
    request = REQUEST.replace(b"close", b"keep-alive")
    before = pk.rejections().get("revoked", 0)
    with socket.create_connection(("127.0.0.1", pk.port), timeout=20) as raw:
        with context(ssl.PROTOCOL_TLS_CLIENT, identity).wrap_socket(raw, suppress_ragged_eofs=True) as tls:
            tls.sendall(request)
            assert tls.recv(4096).startswith(b"HTTP/1.1 200 OK")
            start_all(nodes)
            revoke(nodes, "sv", identity)
            eventually(lambda: pk.rejections().get("revoked", 0) == before + 1, "the node counts it", 5)
            ended = b"x"
            tls.settimeout(5)
            while ended:
                ended = tls.recv(4096)
    assert exchange(pk.port, identity) == b""


def start_all(nodes):
    for node in nodes:
        if not node.runs:
            node.start()
    nodes.connected()


# A node's own certificate


def session(nodes, name, other):
    """Since when a node has a session with another; None without one."""
    peer = nodes[name].peer(other)
    return peer["since"] if peer["state"] == "connected" else None


def test_a_leaf_that_expires_ends_its_sessions_until_it_is_renewed(nodes, workspace):
    start_all(nodes)
    sv, pk, us = nodes["sv"], nodes["pk"], nodes["us"]
    sv.end()
    leaf = short_leaf(sv, 4)
    put(sv, leaf)
    sv.start()
    nodes.connected()
    ends = leaf.not_valid_after_utc.timestamp()
    assert sv.status()["certificate"]["warning"] == "endsSoon"
    assert session(nodes, "pk", "sv") and session(nodes, "us", "sv")
    assert time.time() < ends, "the nodes must be connected before the leaf ends"
    for node in (pk, us):
        eventually(lambda: not session(nodes, node.name, "sv"), f"{node.name} ends the session", 10)
        assert time.time() > ends
        eventually(lambda: node.rejections().get("expired", 0) >= 1, f"{node.name} counts it", 5)
    assert sv.status()["certificate"]["warning"] == "ended"
    # No storm: the gaps between tries grow. Each failed try counts one at most, by either side.
    began, counted = time.monotonic(), pk.rejections()["expired"]
    eventually(lambda: pk.rejections()["expired"] >= counted + 8, "both sides go on trying", 60)
    # Four tries of each of two diallers wait at least (0.2 + 0.4 + 0.8) / 2 s between them.
    assert time.monotonic() - began > 0.7

    pid = sv.process.pid
    done = sv.cli("tls", "renew", "--keys", sv.keys, "--json")
    assert json.loads(done.stdout)["member"] == member_id("sv")
    sv.process.send_signal(signal.SIGHUP)
    eventually(lambda: sv.status()["certificate"]["warning"] is None, "the node takes it up", 5)
    nodes.connected(seconds=60)
    assert sv.process.pid == pid and sv.runs
    answer = sv.publish("SV-RENEWED")
    pk.receipts("sv", answer["last"], ["pk", "us"])


def test_a_renewed_certificate_is_taken_up_without_ending_a_session(nodes):
    start_all(nodes)
    sv = nodes["sv"]
    before = session(nodes, "pk", "sv")
    old = sv.status()["certificate"]["ends"]
    sv.cli("tls", "renew", "--keys", sv.keys, "--days", "60")
    # Nobody tells the node: it looks by itself.
    eventually(lambda: sv.status()["certificate"]["ends"] != old, "the node takes it up", 15)
    assert session(nodes, "pk", "sv") == before
    with socket.create_connection(("127.0.0.1", sv.port), timeout=20) as raw:
        with context(ssl.PROTOCOL_TLS_CLIENT, None).wrap_socket(raw) as tls:
            shown = x509.load_der_x509_certificate(tls.getpeercert(binary_form=True))
    assert shown.not_valid_after_utc == datetime.datetime.fromisoformat(sv.status()["certificate"]["ends"])


def broken(nodes, kind):
    """Certificates that peers would not accept, or that cannot be used."""
    sv, us = nodes["sv"], nodes["us"]
    if kind == "expired":
        return short_leaf(sv, -60, begins=-2 * DAY)
    if kind == "another-key":
        return Authority.of(sv.keys).leaf(member_id("sv"))[0]
    key = load_key(sv.keys / "node1.key")
    if kind == "another-member":
        return Authority.of(sv.keys).leaf(member_id("us"), key=key)[0]
    return Authority.of(us.keys).leaf(member_id("sv"), key=key)[0]


@pytest.mark.parametrize(
    "kind, words",
    [
        ("expired", "expired"),
        ("another-key", "not that of its private key"),
        ("another-member", "nameMismatch"),
        ("another-authority", "not signed by the authority beside it"),
    ],
)
def test_a_bad_new_certificate_is_refused_and_the_old_one_stays(nodes, kind, words):
    start_all(nodes)
    sv = nodes["sv"]
    path = sv.folder / "tls" / "node.pem"
    good, in_use, before = path.read_bytes(), sv.status()["certificate"], session(nodes, "pk", "sv")
    sv.mark_log()
    put(sv, broken(nodes, kind))
    try:
        sv.process.send_signal(signal.SIGHUP)
        line = eventually(
            lambda: [line for line in sv.new_log_lines().splitlines() if "certificate is refused" in line],
            "the log says so",
            10,
        )[0]
        assert words in line
        assert sv.status()["certificate"] == in_use
        assert session(nodes, "pk", "sv") == before
    finally:
        path.write_bytes(good)


def test_the_operator_is_warned_before_the_end(nodes):
    start_all(nodes)
    sv = nodes["sv"]
    sv.cli("tls", "renew", "--keys", sv.keys, "--days", "90")
    sv.process.send_signal(signal.SIGHUP)
    eventually(lambda: sv.status()["certificate"]["warning"] is None, "90 days are no warning", 10)
    put(sv, short_leaf(sv, 29 * DAY, begins=-60 * DAY))
    sv.mark_log()
    sv.process.send_signal(signal.SIGHUP)
    eventually(lambda: sv.status()["certificate"]["warning"] == "endsSoon", "29 days are one", 10)
    eventually(lambda: "certificate ends soon" in sv.new_log_lines(), "the log says so", 5)
    shown = sv.cli("status", check=False)
    assert shown.returncode == 1 and "ATTENTION: the certificate ends in 2" in shown.stdout
    sv.cli("tls", "renew", "--keys", sv.keys)


def test_tls_status_and_renew_elsewhere(nodes, workspace):
    sv = nodes["sv"]
    shown = json.loads(sv.cli("tls", "status", "--json").stdout)
    leaf = x509.load_pem_x509_certificate((sv.folder / "tls" / "node.pem").read_bytes())
    assert shown["key"] == key_digest(leaf.public_key()).hex()
    assert shown["member"] == member_id("sv")
    copy = workspace / "renewed.pem"
    sv.cli("tls", "renew", "--certificate", sv.folder / "tls" / "node.pem", "--out", copy, "--keys", sv.keys)
    renewed = x509.load_pem_x509_certificate(copy.read_bytes())
    assert renewed.public_key() == leaf.public_key() and renewed.serial_number != leaf.serial_number
    names = [one.extensions.get_extension_for_class(x509.SubjectAlternativeName).value for one in (leaf, renewed)]
    assert names[0] == names[1] and renewed.subject == leaf.subject
    again = sv.cli("tls", "renew", "--out", copy, "--keys", sv.keys, check=False)
    assert again.returncode == 1 and "already" in again.stderr
    foreign = sv.cli("tls", "renew", "--out", workspace / "x.pem", "--keys", nodes["us"].keys, check=False)
    assert foreign.returncode == 1 and "not one that this authority issued" in foreign.stderr

# All certificates ended


class Counter(Forwarder):
    """A forwarder that counts who comes, whether there is anybody behind it or not."""

    def __init__(self):
        self.attempts = 0
        super().__init__(0)

    def _dial(self, near):
        self.attempts += 1
        return super()._dial(near)


def attempts(counters, seconds):
    """How often each was dialled in this stretch of time."""
    before = {name: one.attempts for name, one in counters.items()}
    time.sleep(seconds)
    return {name: one.attempts - before[name] for name, one in counters.items()}


def test_all_certificates_ended_and_are_renewed(workspace, cheap_keys):
    """Nobody is restarted, and nobody is dialled more than twice as often as where a node is simply away."""
    names, stretch = ("pk", "sv", "us"), 4
    counters = {name: Counter() for name in names}
    addresses = {name: f"https://{alliances.HOST}:{one.port}" for name, one in counters.items()}
    alliance = alliances.Alliance(workspace / "ended", cheap_keys, names, addresses=addresses)
    for node in alliance:
        counters[node.name].target = node.port
    try:
        alliance.start()
        alliance.connected()
        alliance["us"].end()
        away = attempts(counters, stretch)["us"]
        assert away >= 4
        alliance["us"].start()
        alliance.connected()
        pids = [node.process.pid for node in alliance]

        # Certificates that end soon are taken up, and all sessions begin anew with them.
        for node in alliance:
            put(node, short_leaf(node, 5))
            node.process.send_signal(signal.SIGHUP)
            eventually(lambda: node.status()["certificate"]["warning"] == "endsSoon", f"{node.name} takes it up", 4)
        for one in counters.values():
            one.cut()
        for node in alliance:
            eventually(lambda: node.status()["certificate"]["warning"] == "ended", f"{node.name}'s ends", 10)
        for node in alliance:
            others = [other.name for other in alliance.others(node.name)]
            eventually(lambda: not any(session(alliance, node.name, one) for one in others), f"{node.name} is alone")
        ended = attempts(counters, stretch)
        # Whoever had been away before may be in the middle of a longer pause: its last sessions were short.
        assert all(count <= 2 * away for count in ended.values()), (ended, away)
        assert sum(ended.values()) >= 2 * len(names), ended
        assert alliance["pk"].cli("status", check=False).returncode == 2
        alone = alliance["pk"].publish("PK-ALONE")

        for node in alliance:
            node.cli("tls", "renew", "--keys", node.keys)
            node.process.send_signal(signal.SIGHUP)
        alliance.connected(seconds=60)
        alliance["us"].receipts("pk", alone["last"], ["sv", "us"])
        assert [node.process.pid for node in alliance] == pids
    finally:
        alliance.stop()
        for one in counters.values():
            one.close()
