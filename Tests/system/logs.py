"""Notes, checkpoints, trees and register maps, written from the specification: what a member's log is made of."""

import base64
import hashlib
import struct

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from statements import base64url


def sha256(*parts):
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.digest()


def base64text(data):
    return base64.b64encode(data).decode()


# Trees (RFC 6962)

EMPTY = sha256()


def leaf_hash(entry):
    return sha256(b"\x00", entry)


def root(leaves):
    if not leaves:
        return EMPTY
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\x01", root(leaves[:split]), root(leaves[split:]))


def consistency(size, leaves):
    """That the tree of this size begins the tree of these leaves."""

    def proof(size, leaves, whole):
        if size == len(leaves):
            return [] if whole else [root(leaves)]
        split = 1 << (len(leaves) - 1).bit_length() - 1
        if size <= split:
            return proof(size, leaves[:split], whole) + [root(leaves[split:])]
        return proof(size - split, leaves[split:], False) + [root(leaves[:split])]

    return proof(size, leaves, True) if 0 < size < len(leaves) else []


# Notes

ED25519, COSIGNATURE = 1, 4


def public_bytes(key):
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def key_id(name, kind, public):
    return sha256(name.encode() + b"\n" + bytes([kind]) + public)[:4]


def vkey(name, kind, key):
    public = public_bytes(key)
    return f"{name}+{key_id(name, kind, public).hex()}+{base64text(bytes([kind]) + public)}"


def signature_line(name, key, text):
    signature = key_id(name, ED25519, public_bytes(key)) + key.sign(text)
    return f"\u2014 {name} {base64text(signature)}\n".encode()


def checkpoint(origin, size, root_hash):
    return f"{origin}\n{size}\n{base64text(root_hash)}\n".encode()


def note(text, *lines):
    return text + b"\n" + b"".join(lines)


# Bundles


def bundle(entries):
    return b"".join(struct.pack(">H", len(entry)) + entry for entry in entries)


# Register maps

ABSENT = bytes(32)


def map_root(rows):
    """The root of the binary prefix tree of rows (bytes by key)."""
    items = sorted((sha256(key.encode()), sha256(row)) for key, row in rows.items())

    def bit(hashed, depth):
        return hashed[depth // 8] >> (7 - depth % 8) & 1

    def tree(items, depth):
        if not items:
            return ABSENT
        if len(items) == 1 and depth > 0:
            return sha256(b"\x02", *items[0])
        left = [item for item in items if not bit(item[0], depth)]
        right = [item for item in items if bit(item[0], depth)]
        return sha256(b"\x03", tree(left, depth + 1), tree(right, depth + 1))

    return tree(items, 0)


class Log:
    """A member's log in memory: statements that add rows, and state leaves; signed by the member's log key."""

    def __init__(self, origin, key, charter):
        self.origin, self.key, self.charter = origin, key, charter
        self.entries = []
        self.maps = {}

    @property
    def size(self):
        return len(self.entries)

    def leaves(self, size=None):
        return [leaf_hash(entry) for entry in self.entries[:size]]

    def root(self, size=None):
        return root(self.leaves(size))

    def add(self, entry, *rows):
        """Adds a statement that joins these rows (pairs of map and key)."""
        entry = entry.encode() if isinstance(entry, str) else entry
        item = struct.pack(">Q", self.size) + leaf_hash(entry)
        for name, key in rows:
            self.maps.setdefault(name, {})
            self.maps[name][key] = self.maps[name].get(key, b"") + item
        self.entries.append(entry)

    def seal(self, false=False):
        """Ends the batch with a state leaf; a false one states another root for its last map."""
        lines = [f"{name} {len(rows)} {base64text(map_root(rows))}\n" for name, rows in self.maps.items()]
        lines.sort(key=lambda line: line.split(" ")[0].encode())
        if false:
            parts = lines[-1].split(" ")
            lines[-1] = f"{parts[0]} {parts[1]} {base64text(sha256(b'false'))}\n"
        text = f"entente/state/v1\n{self.size}\n1 {base64text(self.charter)}\n" + "".join(lines)
        self.entries.append(text.encode())

    def copy(self):
        other = Log(self.origin, self.key, self.charter)
        other.entries = list(self.entries)
        other.maps = {name: dict(rows) for name, rows in self.maps.items()}
        return other

    def head(self, size=None, root_hash=None, key=None, origin=None):
        """A signed checkpoint; of what it is, or of whatever is asked for."""
        size = self.size if size is None else size
        text = checkpoint(origin or self.origin, size, root_hash or self.root(size))
        return note(text, signature_line(origin or self.origin, key or self.key, text))

    def range(self, start, end=None, entries=None, head=None):
        """A range answer, as the peer protocol has it (section 6)."""
        end = self.size if end is None else end
        head = self.size if head is None else head
        extension = consistency(start, self.leaves(head))
        remainder = consistency(end, self.leaves(head))
        return encode_range(start, end, extension, remainder, entries or self.entries[start:end])


def encode_range(start, end, extension, remainder, entries):
    def hashes(values):
        return struct.pack(">I", len(values)) + b"".join(values)

    packed = bundle(entries)
    return (
        struct.pack(">QQ", start, end) + hashes(extension) + hashes(remainder) + struct.pack(">I", len(packed)) + packed
    )


def jwk(key):
    return {"kty": "OKP", "crv": "Ed25519", "x": base64url(public_bytes(key))}
