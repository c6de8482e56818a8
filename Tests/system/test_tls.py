"""TLS as openssl's own client sees it on a running node. Who is refused with which certificates: test_certificates.py."""

import re
import socket
import ssl
import subprocess

import pytest

import wire
from alliance import origin
from certificates import Identity
from program import eventually
from tunnel import Forwarder

REQUEST = f"GET /logs/{origin('pk')}/checkpoint HTTP/1.1\r\nHost: pk\r\nConnection: close\r\n\r\n"


class Client:
    """openssl s_client against one node."""

    def __init__(self, node):
        self.node = node
        self.trusted = node.folder / "tls" / "authority.pem"

    def run(self, *arguments, request=REQUEST):
        # -quiet would hide the report on the handshake; -ign_eof waits for the answer after the request has been sent.
        return subprocess.run(
            [
                "openssl",
                "s_client",
                "-connect",
                f"127.0.0.1:{self.node.port}",
                "-CAfile",
                self.trusted,
                "-ign_eof",
                *map(str, arguments),
            ],
            input=request,
            capture_output=True,
            text=True,
            timeout=30,
            errors="replace",
        )

    def as_peer(self, identity, *arguments, version="-tls1_3", **options):
        chain = ["-cert", identity.leaf, "-key", identity.key]
        if identity.authority.stat().st_size:
            chain += ["-cert_chain", identity.authority]
        return self.run(*chain, version, *arguments, **options)


@pytest.fixture(scope="module")
def client(alliance):
    return Client(alliance["pk"])


@pytest.fixture(scope="module")
def peer(alliance, workspace):
    """A leaf of the United States' own authority."""
    return Identity.member(workspace / "tls-peer", alliance["us"])


def openssl_version():
    text = subprocess.run(["openssl", "version"], capture_output=True, text=True, check=True).stdout
    return tuple(map(int, re.search(r"OpenSSL (\d+)\.(\d+)", text).groups()))


def test_mutual_tls_1_3(client, peer, record_property):
    done = client.as_peer(peer)
    assert "HTTP/1.1 200 OK" in done.stdout, done.stdout + done.stderr
    assert f"{origin('pk')}\n" in done.stdout
    assert "New, TLSv1.3" in done.stdout
    assert "Verify return code: 0 (ok)" in done.stdout
    group = re.search(r"(?:Server Temp Key|Negotiated TLS1.3 group): ([^\n,]+)", done.stdout).group(1)
    record_property("group", group)
    # Where this OpenSSL offers the hybrid group it is taken; older ones have X25519 at best.
    assert group == ("X25519MLKEM768" if openssl_version() >= (3, 5) else "X25519")


def test_nodes_among_themselves_take_the_hybrid_group(alliance):
    """A forwarder between two nodes reads which group the dialled one chose: X25519MLKEM768 is 0x11ec."""
    imf, sv = alliance["imf"], alliance["sv"]
    with Forwarder(sv.port) as forwarder:
        status, _ = imf.end()
        assert status == 0
        imf.start("--peer", f"sv=127.0.0.1:{forwarder.port}")
        try:
            group = eventually(lambda: forwarder.key_exchange_group(), "imf dials sv through the forwarder")
            assert group == 0x11EC
        finally:
            imf.end()
            imf.start()
            alliance.connected()


def refused(done):
    """Whether the node closed, with an alert or without, and nothing of an answer came."""
    return "HTTP/1.1" not in done.stdout and origin("pk") not in done.stdout


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_1"])
def test_older_tls(client, peer, version):
    done = client.as_peer(peer, "-cipher", "ALL:@SECLEVEL=0", version=version)
    assert refused(done), done.stdout
    assert done.returncode != 0
    assert (
        "alert protocol version" in done.stderr
        or "no protocols available" in done.stderr
        or "unsupported protocol" in done.stderr
    )


def test_a_key_that_is_not_the_leafs(alliance, client, peer, workspace):
    """The real leaf of a running node without its key cannot be presented at all; with another key it is refused."""
    folder = workspace / "stolen"
    folder.mkdir()
    stolen = alliance["us"].folder / "tls" / "node.pem"
    done = client.run("-cert", stolen, "-key", peer.key, "-tls1_3")
    assert refused(done)
    assert "key values mismatch" in done.stderr


def test_a_resumed_session_gets_nothing(client, peer, tmp_path):
    """Tickets are issued, and a resumed session brings no certificates: it is closed."""
    session = tmp_path / "session"
    first = client.as_peer(peer, "-sess_out", session)
    assert "HTTP/1.1 200 OK" in first.stdout
    if not session.exists():
        pytest.skip("the node issued no ticket, so there is nothing to resume")
    done = client.as_peer(peer, "-sess_in", session)
    assert "Reused, TLSv1.3" not in done.stdout or refused(done), done.stdout


def test_plain_http_gets_nothing(client):
    with socket.create_connection(("127.0.0.1", client.node.port), timeout=10) as raw:
        raw.sendall(REQUEST.encode())
        answer = b""
        try:
            while piece := raw.recv(4096):
                answer += piece
        except ConnectionResetError:
            pass
    assert b"HTTP" not in answer


def test_a_leaf_that_no_roster_lists_is_restricted(client, peer, alliance):
    """It may read logs, which are for every member, and no documents."""
    status, body = wire.request(client.node.port, peer, client.trusted, "GET", f"/logs/{origin('sv')}/checkpoint")
    assert status == 200 and body.startswith(origin("sv").encode())
    status, body = wire.request(client.node.port, peer, client.trusted, "GET", f"/peer/v1/document/{'0' * 64}?offset=0")
    assert status == 403, (status, body)


def test_the_node_presents_exactly_its_leaf_and_authority(client):
    """And nothing else, so that whoever dials can hold it to the charter."""
    done = client.run("-tls1_3", "-showcerts")
    chain = done.stdout.split("Certificate chain")[1].split("Server certificate")[0]
    presented = re.findall(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", chain, re.DOTALL)
    due = [client.node.folder / "tls" / "node.pem", client.trusted]
    assert list(map(ssl.PEM_cert_to_DER_cert, presented)) == [
        ssl.PEM_cert_to_DER_cert(path.read_text()) for path in due
    ]
