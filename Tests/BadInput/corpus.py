"""What the files of cases share: keys, the examples of Docs/specification/vectors, and how a case is noted."""

import base64
import hashlib
import json
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

HERE = Path(__file__).resolve().parent
VECTORS = HERE.parent.parent / "Docs/specification/vectors"
ACCEPTED = "accepted"
BOM = b"\xef\xbb\xbf"


def vectors(name):
    return json.loads((VECTORS / f"{name}.json").read_text())


def as_bytes(content):
    return content.encode() if isinstance(content, str) else bytes(content)


class Kind:
    """The cases of one folder: file, code, place and some words of the reason."""

    def __init__(self, folder):
        self.folder = folder
        self.cases = {}

    def good(self, name, content):
        self.add(f"good-{name}", content, ACCEPTED)

    def bad(self, name, content, code, says="", at=""):
        assert code != ACCEPTED
        self.add(name, content, code, at, says)

    def add(self, name, content, code, at="", says=""):
        assert name not in self.cases, name
        assert not any(mark in at + says for mark in "\t\n"), name
        self.cases[name] = (as_bytes(content), code, at, says)

    def write(self):
        folder = HERE / self.folder
        folder.mkdir(exist_ok=True)
        for old in folder.iterdir():
            if old.name not in self.cases:
                old.unlink()
        lines = ["file\tcode\tplace\treason\n"]
        for name, (content, code, at, says) in sorted(self.cases.items()):
            (folder / name).write_bytes(content)
            lines.append(f"{name}\t{code}\t{at}\t{says}\n")
        (folder / "expected.tsv").write_text("".join(lines))
        return len(self.cases)


# Keys

def seed(name):
    """Of the test keys in Tests/Support."""
    return hashlib.sha256(f"entente test key {name}".encode()).digest()


def private_key(name):
    return Ed25519PrivateKey.from_private_bytes(seed(name))


def public_bytes(key):
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


VECTOR_SEED = bytes(range(32))
VECTOR_KEY = Ed25519PrivateKey.from_private_bytes(VECTOR_SEED)


def b64(data):
    return base64.b64encode(data).decode()


def b64url(data):
    return base64.urlsafe_b64encode(as_bytes(data)).decode().rstrip("=")


def key_id(name, kind, public):
    return hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + public).digest()[:4]


def vkey(name, kind, public):
    return f"{name}+{key_id(name, kind, public).hex()}+{b64(bytes([kind]) + public)}"


def note_line(name, kind, key, message, stamp=b""):
    identity = key_id(name, kind, public_bytes(key))
    return f"\u2014 {name} {b64(identity + stamp + key.sign(message))}\n"


def jws(payload, kid, typ, key, header=None):
    """A compact JWS; `header` replaces the whole protected header."""
    if header is None:
        header = json.dumps({"alg": "EdDSA", "kid": kid, "typ": typ}, separators=(",", ":"))
    signed = f"{b64url(header)}.{b64url(payload)}"
    return f"{signed}.{b64url(key.sign(signed.encode()))}"


def compact(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def flip_last_bits(text):
    """The same bytes in base64 that is not canonical: other bits where none count."""
    body = text.rstrip("=")
    assert len(body) % 4
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    alphabet += "-_" if "-" in text or "_" in text else "+/"
    return body[:-1] + alphabet[alphabet.index(body[-1]) ^ 1] + text[len(body):]


# Traps that every reader of JSON meets, as (name, text, words of the reason).

def json_traps(member='"a":1'):
    return [
        ("bom", BOM + b"{%s}" % member.encode(), "starts with a byte-order mark"),
        ("depth-33", b"[" * 33 + b"]" * 33, "nested deeper than 32"),
        ("duplicate", b'{"a":1,"a":2}', "at byte 7: the member name stands twice"),
        ("duplicate-escaped", b'{"a":1,"\\u0061":2}', "stands twice"),
        ("trailing", b"{} {}", "at byte 3: something follows"),
        ("trailing-comma", b'{"a":1,}', "a member name is due"),
        ("unclosed", b'{"a":1', "ends inside an array or object"),
        ("integer-2-53", b'{"a":9007199254740992}', "integer beyond 2^53 - 1"),
        ("integer-minus-2-53", b'{"a":-9007199254740992}', "integer beyond 2^53 - 1"),
        ("integer-2-64", b'{"a":18446744073709551616}', "integer beyond 2^53 - 1"),
        ("minus-zero", b'{"a":-0}', "integer beyond 2^53 - 1"),
        ("leading-zero", b'{"a":01}', "leading zero"),
        ("plus", b'{"a":+1}', "not a JSON value"),
        ("exponent", b'{"a":1e999}', "exponent"),
        ("open-fraction", b'{"a":1.}', "digits are due"),
        ("long-number", b'{"a":0.' + b"1" * 70 + b"}", "a number longer than 64"),
        ("nan", b'{"a":NaN}', "not a JSON value"),
        ("lone-high-surrogate", b'{"a":"\\ud800"}', "a lone surrogate"),
        ("lone-low-surrogate", b'{"a":"\\udc00"}', "a lone surrogate"),
        ("surrogates-swapped", b'{"a":"\\udc00\\ud800"}', "a lone surrogate"),
        ("bad-escape", b'{"a":"\\x41"}', "an unknown escape"),
        ("short-escape", b'{"a":"\\u12"}', "a bad \\u escape"),
        ("control", b'{"a":"\x01"}', "a control character"),
        ("line-end-in-string", b'{"a":"\n"}', "a control character"),
        ("not-utf8", b'{"a":"\xff"}', "not UTF-8"),
        ("overlong", b'{"a":"\xc0\xaf"}', "not UTF-8"),
        ("surrogate-in-utf8", b'{"a":"\xed\xa0\x80"}', "not UTF-8"),
        ("beyond-unicode", b'{"a":"\xf4\x90\x80\x80"}', "not UTF-8"),
        ("comment", b'{"a":1 /* one */}', "a comma or a closing bracket"),
        ("single-quotes", b"{'a':1}", "a member name is due"),
        ("open-string", b'{"a":"b', "a string without an end"),
        ("nul-after", b"{}\x00", "something follows"),
        ("utf16", '{"a":1}'.encode("utf-16-le"), "a member name is due"),
    ]
