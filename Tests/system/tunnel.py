"""What stands between nodes in tests: an HTTP proxy that knows CONNECT, and a forwarder that watches handshakes."""

import base64
import selectors
import socket
import struct
import threading


class Relay:
    """Listens on loopback and joins each connection with one to somewhere else."""

    def __init__(self):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.tunnels = []
        self._open = []
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near):
        try:
            with near:
                far, target = self._dial(near)
                if not far:
                    return
                tunnel = Tunnel(target)
                far.settimeout(None)
                with far:
                    with self._lock:
                        self.tunnels.append(tunnel)
                        self._open += [near, far]
                    tunnel.run(near, far)
        except OSError:
            pass

    def _dial(self, near):
        raise NotImplementedError

    def cut(self):
        """Breaks every connection that is open."""
        with self._lock:
            cut, self._open = self._open, []
        for one in cut:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        # A blocked accept only returns when the socket is shut down, not when it is closed.
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listener.close()
        self.cut()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Tunnel:
    """One joined pair of connections, with the first bytes of what the far side answered."""

    kept = 4096

    def __init__(self, target):
        self.target = target
        self.answer = b""
        self.bytes = 0

    def run(self, near, far):
        with selectors.DefaultSelector() as selector:
            selector.register(near, selectors.EVENT_READ, far)
            selector.register(far, selectors.EVENT_READ, near)
            while True:
                for key, _ in selector.select():
                    data = key.fileobj.recv(65536)
                    if not data:
                        return
                    if key.fileobj is far and len(self.answer) < self.kept:
                        self.answer += data[: self.kept]
                    self.bytes += len(data)
                    key.data.sendall(data)


class Forwarder(Relay):
    """To one port on loopback."""

    def __init__(self, port):
        self.target = port
        super().__init__()

    def _dial(self, near):
        return socket.create_connection(("127.0.0.1", self.target), timeout=10), str(self.target)

    def key_exchange_group(self):
        """The group in the ServerHello of a handshake that passed; None if there was none yet."""
        with self._lock:
            answers = [tunnel.answer for tunnel in self.tunnels]
        return next((group for group in map(server_hello_group, answers) if group), None)


def server_hello_group(data):
    """The named group of the key share in a TLS 1.3 ServerHello (RFC 8446, 4.1.3 and 4.2.8)."""
    if len(data) < 5 or data[0] != 22:
        return None
    body = data[5 : 5 + struct.unpack(">H", data[3:5])[0]]
    if len(body) < 4 or body[0] != 2:
        return None
    position = 4 + 2 + 32
    position += 1 + body[position]  # session id
    position += 2 + 1  # cipher suite, compression
    end = position + 2 + struct.unpack(">H", body[position : position + 2])[0]
    position += 2
    while position + 4 <= min(end, len(body)):
        kind, length = struct.unpack(">HH", body[position : position + 4])
        if kind == 51:
            return struct.unpack(">H", body[position + 4 : position + 6])[0]
        position += 4 + length
    return None


class ConnectProxy(Relay):
    """An HTTP proxy that joins what it is asked to by CONNECT, perhaps only for who knows a password."""

    def __init__(self, credentials=None):
        self.credentials = credentials
        self.refused = 0
        super().__init__()

    def _dial(self, near):
        near.settimeout(10)
        head = b""
        while b"\r\n\r\n" not in head and len(head) < 16384:
            piece = near.recv(4096)
            if not piece:
                return None, None
            head += piece
        near.settimeout(None)
        lines = head.decode("latin-1").split("\r\n")
        method, target, _ = lines[0].split(" ", 2)
        if method != "CONNECT":
            near.sendall(b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n")
            return None, None
        if self.credentials:
            due = "basic " + base64.b64encode(self.credentials.encode()).decode()
            given = [
                line.split(":", 1)[1].strip() for line in lines[1:] if line.lower().startswith("proxy-authorization:")
            ]
            if [one.lower() for one in given] != [due.lower()]:
                self.refused += 1
                near.sendall(
                    b'HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="test"\r\n'
                    b"Content-Length: 0\r\n\r\n"
                )
                return None, None
        host, port = target.rsplit(":", 1)
        far = socket.create_connection((host, int(port)), timeout=10)
        near.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        return far, target
