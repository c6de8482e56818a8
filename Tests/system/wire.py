"""The peer protocol from the outside: mutual TLS, HTTP/1.1, session frames. Written from the specification."""

import http.client
import queue
import socket
import ssl
import struct
import threading

(
    HELLO, HEAD, SIGNATURES, DIGEST, HEADS, WANT_RANGE, WANT_DOCUMENT, WANT_HEAD, CHARTER_OFFER, WANT_CHARTER, CHARTER,
    REFUSED, WANT_FRESH, NEIGHBOURS,
) = range(1, 15)


def context(identity, trusted, version=ssl.TLSVersion.TLSv1_3):
    """A client's TLS: our chain, and the one authority that we expect."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = made.maximum_version = version
    made.check_hostname = False
    made.load_verify_locations(trusted)
    if identity:
        made.load_cert_chain(identity.chain, identity.key)
    return made


def request(port, identity, trusted, method, path, body=None, timeout=20):
    """One request of a peer; returns status and body."""
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=context(identity, trusted), timeout=timeout)
    try:
        connection.request(method, path, body=body)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


# Fields

def integer(value):
    return struct.pack(">Q", value)


def text(value):
    data = value.encode() if isinstance(value, str) else value
    return struct.pack(">I", len(data)) + data


def items(values):
    return struct.pack(">I", len(values)) + b"".join(text(value) for value in values)


def frame(kind, *fields):
    body = bytes([kind]) + b"".join(fields)
    return struct.pack(">I", len(body)) + body


def hello(alliance, member, charter=None, version=1, charter_version=1):
    """Charter version 1's digest is that of the alliance."""
    return frame(
        HELLO, integer(version), alliance, integer(charter_version), charter or alliance, text(member), text("probe"),
        text(b""), integer(0),
    )


def head(note, start=0, entries=b""):
    return frame(HEAD, text(note), integer(start), text(entries))


class Fields:
    """Reads a frame's fields."""

    def __init__(self, data):
        self.data, self.position = data, 0

    def take(self, count):
        self.position += count
        return self.data[self.position - count : self.position]

    def integer(self):
        return struct.unpack(">Q", self.take(8))[0]

    def count(self):
        return struct.unpack(">I", self.take(4))[0]

    def text(self):
        return self.take(self.count())

    def items(self):
        return [self.text() for _ in range(self.count())]


class Ended(Exception):
    """The node has ended the session."""


class Session:
    """A session that a member without an address keeps with a node."""

    def __init__(self, port, identity, trusted, timeout=20):
        self.timeout = timeout
        raw = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.socket = context(identity, trusted).wrap_socket(raw)
        self.frames = queue.Queue()
        self.seen = []
        self.status = None
        self._send(b"POST /peer/v1/session HTTP/1.1\r\nHost: peer\r\nTransfer-Encoding: chunked\r\n\r\n")
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _send(self, data):
        try:
            self.socket.sendall(data)
        except (OSError, ValueError) as error:
            raise Ended(str(error)) from error

    def send(self, data):
        """Sends bytes of the stream of frames."""
        self._send(b"%x\r\n%s\r\n" % (len(data), data))

    def _read(self):
        try:
            response = http.client.HTTPResponse(self.socket, method="POST")
            response.begin()
            self.status = response.status
            buffer = b""
            while True:
                piece = response.read1(65536)
                if not piece:
                    break
                buffer += piece
                while len(buffer) >= 4 and len(buffer) >= 4 + struct.unpack(">I", buffer[:4])[0]:
                    length = struct.unpack(">I", buffer[:4])[0]
                    self.frames.put((buffer[4], buffer[5 : 4 + length]))
                    buffer = buffer[4 + length :]
        except (OSError, ValueError, http.client.HTTPException):
            pass
        self.frames.put(None)

    def next(self):
        """The next frame: its type and its fields."""
        try:
            found = self.frames.get(timeout=self.timeout)
        except queue.Empty:
            raise AssertionError(f"no frame within {self.timeout} s; seen: {[kind for kind, _ in self.seen]}") from None
        if found is None:
            self.frames.put(None)
            raise Ended(f"status {self.status}")
        self.seen.append(found)
        return found[0], Fields(found[1])

    def wait(self, *kinds, matching=None):
        """Reads frames until one of these types comes, and, if asked, has what matches."""
        while True:
            kind, fields = self.next()
            if kind in kinds:
                if matching is None or matching(fields):
                    fields.position = 0
                    return fields

    def ended(self):
        """Reads until the node ends the session."""
        try:
            while True:
                self.next()
        except Ended:
            return True

    def close(self):
        # Not close(): another thread is reading.
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._reader.join(5)
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
