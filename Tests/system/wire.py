"""The peer protocol from the outside: mutual TLS, HTTP/1.1, session frames. Written from the specification."""

import http.client
import queue
import socket
import ssl
import struct
import threading

(
    HELLO,
    HEAD,
    SIGNATURES,
    DIGEST,
    HEADS,
    WANT_RANGE,
    WANT_DOCUMENT,
    WANT_HEAD,
    CHARTER_OFFER,
    WANT_CHARTER,
    CHARTER,
    REFUSED,
    WANT_FRESH,
    NEIGHBOURS,
) = range(1, 15)
FORK_PROOF = 16
SUMMARY = 17


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
        HELLO,
        integer(version),
        alliance,
        integer(charter_version),
        charter or alliance,
        text(member),
        text("probe"),
        text(b""),
        integer(0),
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


class Chunks:
    """The body of an HTTP/1.1 answer in chunks, as it arrives."""

    def __init__(self):
        self.status = None
        self.is_whole = False
        self._buffer = b""

    def take(self, data):
        self._buffer += data
        body = b""
        if self.status is None:
            head, end, rest = self._buffer.partition(b"\r\n\r\n")
            if not end:
                return body
            self.status = int(head.split(b" ")[1])
            self._buffer = rest
        while b"\r\n" in self._buffer and self.status == 200:
            size, _, rest = self._buffer.partition(b"\r\n")
            length = int(size, 16)
            self.is_whole = not length
            if self.is_whole or len(rest) < length + 2:
                return body
            body += rest[:length]
            self._buffer = rest[length + 2 :]
        return body


class Session:
    """A session that a member without an address keeps with a node.

    One thread reads while others write. Python's TLS sockets do not bear that, so TLS runs in memory, behind a lock.
    """

    def __init__(self, port, identity, trusted, timeout=20):
        self.timeout = timeout
        self.frames = queue.Queue()
        self.seen = []
        self.status = None
        self._lock = threading.Lock()
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context(identity, trusted).wrap_bio(self._in, self._out)
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self._handshake()
        self._socket.settimeout(None)
        self._send(b"POST /peer/v1/session HTTP/1.1\r\nHost: peer\r\nTransfer-Encoding: chunked\r\n\r\n")
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _handshake(self):
        while True:
            try:
                self._tls.do_handshake()
                return self._socket.sendall(self._out.read())
            except ssl.SSLWantReadError:
                self._socket.sendall(self._out.read())
                self._in.write(self._socket.recv(65536) or self._cut())

    def _cut(self):
        raise Ended("in the handshake")

    def _send(self, data):
        try:
            with self._lock:
                self._tls.write(data)
                self._socket.sendall(self._out.read())
        except OSError as error:
            raise Ended(str(error)) from error

    def send(self, data):
        """Sends bytes of the stream of frames."""
        self._send(b"%x\r\n%s\r\n" % (len(data), data))

    def _pieces(self):
        """What arrives, decrypted."""
        while received := self._socket.recv(65536):
            with self._lock:
                self._in.write(received)
                plain = b""
                try:
                    while piece := self._tls.read(65536):
                        plain += piece
                except ssl.SSLWantReadError:
                    pass
            yield plain

    def _read(self):
        try:
            body = Chunks()
            buffer = b""
            for piece in self._pieces():
                buffer += body.take(piece)
                self.status = body.status
                while len(buffer) >= 4 and len(buffer) >= 4 + struct.unpack(">I", buffer[:4])[0]:
                    length = struct.unpack(">I", buffer[:4])[0]
                    self.frames.put((buffer[4], buffer[5 : 4 + length]))
                    buffer = buffer[4 + length :]
                if body.is_whole:
                    break
        except OSError:
            pass
        finally:
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
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._reader.join(5)
        self._socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
