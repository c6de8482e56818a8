"""Members that misbehave: real nodes that publish as fast as they can, and peers that withhold, poison and flood."""

import base64
import hashlib
import multiprocessing
import os
import socket
import ssl
import threading
import time

import measure
import logs
import wire
from measure import REGISTER, sample


# Real nodes


def backlog(node, count, tag="S"):
    """Publishes so many entries at a node that nobody is connected to."""
    officer = node.officer()
    statements = node.definition(REGISTER)
    for start in range(0, count, 10_000):
        statements += [
            officer.attestation(
                REGISTER, f"{tag}-{number:07d}", "authorised", legalName=f"Spam Firm {number} Ltd",
                competentAuthority="Nobody in Particular", address=f"{number} Somewhere Avenue",
            )
            for number in range(start, min(start + 10_000, count))
        ]
        node.submit(statements, timeout=600)
        statements = []


def _publish_singles(path, statements, stop):
    measure.lower(os.getpid())
    connection = sample.SocketConnection(path, 60)
    for statement in statements:
        if stop.is_set():
            return
        connection.request("POST", "/v1/submit", body=f'{{"statements":["{statement}"]}}'.encode())
        connection.getresponse().read()


class Singles:
    """Clients of one node, each of which publishes one statement after the other without a pause."""

    def __init__(self, node, clients=8, each=3_000):
        officer = node.officer()
        node.submit(node.definition(REGISTER) or [officer.attestation(
            REGISTER, "first", "authorised", legalName="x", competentAuthority="y")])
        self._stop = multiprocessing.Event()
        self._clients = []
        for client in range(clients):
            statements = [
                officer.attestation(REGISTER, f"F-{client}-{number}", "authorised", legalName="Spam",
                                    competentAuthority="Nobody")
                for number in range(each)
            ]
            self._clients.append(
                multiprocessing.Process(target=_publish_singles, args=(node.socket, statements, self._stop)))

    def __enter__(self):
        for client in self._clients:
            client.start()
        return self

    @property
    def is_over(self):
        return not any(client.is_alive() for client in self._clients)

    def __exit__(self, *_):
        self._stop.set()
        for client in self._clients:
            client.join()


def documents(node, count, size):
    """Publishes so many large documents at a node that nobody is connected to."""
    officer = node.officer()
    for number in range(count):
        data = hashlib.sha256(f"{node.name}-{number}".encode()).digest() * (size // 32)
        node.request("POST", "/v1/documents", body=data, timeout=120)
        node.submit([officer.document(f"/akn/xs/act/2026/{number}", data)], timeout=120)


# Peers that are no nodes of ours


class Echo:
    """A member that says to every node that it holds what the others hold, so that it is asked for it."""

    def __init__(self, stranger, nodes):
        self.stranger, self.nodes = stranger, nodes
        self._ended = False
        self._sessions = []
        self._threads = [threading.Thread(target=self._keep, args=(node,), daemon=True) for node in nodes]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._ended = True
        for session in list(self._sessions):
            session.close()

    def _keep(self, node):
        """A new session each time that the node ends one."""
        while not self._ended:
            try:
                with self.stranger.session(node) as session:
                    self._sessions.append(session)
                    self._run(node, session)
            except (OSError, AssertionError, wire.Ended):
                time.sleep(0.2)

    def _run(self, node, session):
        while not self._ended:
            kind, fields = session.next()
            if kind == wire.HEAD:
                note = fields.text()
                for other in list(self._sessions):
                    try:
                        other.send(wire.head(note))
                    except wire.Ended:
                        pass
            elif kind == wire.HEADS:
                fields.text(), fields.text()
                for note in fields.items():
                    session.send(wire.head(note))
            elif kind == wire.WANT_RANGE:
                request, origin, start, size = fields.integer(), fields.text(), fields.integer(), fields.integer()
                threading.Thread(
                    target=self.answer, args=(node, request, origin.decode(), start, size), daemon=True).start()

    def answer(self, node, request, origin, start, size):
        """What it answers; this one nothing."""

    def _push(self, node, path, pieces):
        """Sends a request whose body comes in pieces, with the time between them."""
        identity = self.stranger.identity
        with socket.create_connection(("127.0.0.1", node.port), timeout=60) as plain:
            with wire.context(identity, node.folder / "tls" / "authority.pem").wrap_socket(plain) as peer:
                peer.sendall(f"POST {path} HTTP/1.1\r\nHost: peer\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
                for piece, pause in pieces:
                    peer.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
                    time.sleep(pause)
                peer.sendall(b"0\r\n\r\n")
                peer.recv(65536)


class Dripping(Echo):
    """Sends what it is asked for byte by byte, one a second."""

    def answer(self, node, request, origin, start, size):
        try:
            self._push(node, f"/peer/v1/pushed-range/{origin}?request={request}", ((b"\0", 1) for _ in range(3_600)))
        except (OSError, ssl.SSLError):
            pass


class Poisoning(Echo):
    """Sends well-formed ranges of entries that are not those under the head."""

    def answer(self, node, request, origin, start, size):
        entries = [b"false %d" % number for number in range(200)] + [b"entente/state/v1\nfalse\n"]
        false = logs.encode_range(start, min(size, start + len(entries)), [], [], entries[: size - start])
        try:
            self._push(node, f"/peer/v1/pushed-range/{origin}?request={request}", [(false, 0)])
        except (OSError, ssl.SSLError):
            pass


class Flooding(Echo):
    """Cosigns the newest head of one log again and again, each time with another time: all of it is valid, and new."""

    def _run(self, node, session):
        measure.lower(0)
        stranger = self.stranger
        name = f"{stranger.name}.alliance.example/replica"
        public = logs.public_bytes(stranger.replica)
        session.send(wire.frame(wire.WANT_HEAD, wire.text(sample.origin("pk"))))
        note = session.wait(wire.HEAD, matching=lambda one: one.text().startswith(b"pk.")).text()
        text = note[: note.index(b"\n\n") + 1]
        origin, size, root = text.split(b"\n")[:3]
        moment = int(time.time()) - 100_000
        while not self._ended:
            lines = []
            for _ in range(20):
                moment += 1
                signature = stranger.replica.sign(f"cosignature/v1\ntime {moment}\n".encode() + text)
                packed = logs.key_id(name, logs.COSIGNATURE, public) + wire.integer(moment) + signature
                lines.append(wire.frame(
                    wire.SIGNATURES, wire.text(origin), wire.integer(int(size)), base64.b64decode(root),
                    wire.items([f"\u2014 {name} {logs.base64text(packed)}\n".encode()])))
                if moment > time.time():
                    moment -= 100_000
            session.send(b"".join(lines))
