"""Cases of what peers and operators hand to a node: frames, ranges, certificates, requests, configuration, plans, keys."""

import datetime
import hashlib
import json

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from corpus import BOM, VECTOR_KEY, Kind, b64url, compact, json_traps, private_key, public_bytes, vkey
from documents import AYESHA, MEMBER, STATEMENTS, TYPES, signed


def u32(number):
    return number.to_bytes(4, "big")


def u64(number):
    return number.to_bytes(8, "big")


def field(content):
    content = content.encode() if isinstance(content, str) else content
    return u32(len(content)) + content


def frame(kind, *parts):
    body = bytes([kind]) + b"".join(parts)
    return u32(len(body)) + body


ZERO, ORIGIN = bytes(32), "pk.alliance.example/log"


def hello(version=1, member=MEMBER, node="node1", incarnation=b"", rest=b""):
    return frame(1, u64(version), ZERO, u64(1), ZERO, field(member), field(node), field(incarnation), u64(0), rest)


def frames():
    kind = Kind("frames")
    lost, big = "malformedFrame", "oversizedFrame"
    kind.good("hello", hello())
    kind.good("hello-of-a-later-version", hello(version=(1 << 64) - 1))
    kind.good("head", frame(2, field("note"), u64(0), field(b"")))
    kind.good("signatures", frame(3, field(ORIGIN), u64(8), ZERO, u32(1), field("line")))
    kind.good("heads", frame(5, field(""), field(ORIGIN), u32(1), field("note")))
    kind.good("want-range", frame(6, u64(1), field(ORIGIN), u64(0), u64(8), ZERO))
    kind.good("charter", frame(11, u64(1), field("{}")))
    kind.good("refused-for-a-later-reason", frame(12, u64(1), b"\xff", field("later")))
    kind.good("unknown-type-between", frame(4, ZERO) + frame(200, b"anything at all") + frame(14, u32(1), field(MEMBER)))
    kind.bad("length-0", u32(0), lost, "a frame is empty")
    kind.bad("length-1-mib-and-1", u32((1 << 20) + 1), big, "a frame has 1048577 bytes")
    kind.bad("length-2-32-less-1", b"\xff" * 4, big, "a frame has 4294967295 bytes")
    kind.bad("http-request", b"GET / HTTP/1.1\r\n\r\n", big, "a frame has")
    kind.bad("tls-hello", b"\x16\x03\x01\x02\x00" + bytes(40), big, "a frame has")
    kind.bad("unknown-type-cut", frame(200, bytes(20))[:-1], "cut")
    kind.bad("hello-cut-by-the-stream", hello()[:-1], "cut")
    kind.bad("length-cut", b"\0\0\0", "cut")
    for name, content in [
        ("hello-cut-by-its-length", frame(1, u64(1), ZERO)), ("type-alone", frame(1)), ("digest-31-bytes", frame(4, ZERO[:31])), ("want-head-without-field", frame(8)),
        ("field-longer-than-frame", frame(8, u32(20), b"short")), ("charter-offer-cut", frame(9, u64(1), ZERO[:1])), ("refusal-without-text", frame(12, u64(1), b"\0")),
        ("list-cut", frame(14, u32(2), field(MEMBER))), ("want-document-without-offset", frame(7, ZERO)),
    ]:
        kind.bad(name, content, lost, "a field is cut off")
    kind.bad("hello-trailing", hello(rest=b"\0"), lost, "1 bytes are left over")
    kind.bad("digest-33-bytes", frame(4, ZERO + b"\0"), lost, "1 bytes are left over")
    kind.bad("neighbours-trailing", frame(14, u32(0), b"xx"), lost, "2 bytes are left over")
    text = "a text is no UTF-8 or has control characters"
    for name, origin in [("nul", "a\0b"), ("newline", "a\nb"), ("escape", "\x1b[2J"), ("delete", "a\x7f"), ("not-utf8", b"\xff"), ("overlong", b"\xc0\xaf"), ("surrogate", b"\xed\xa0\x80")]:
        kind.bad(f"origin-{name}", frame(8, field(origin)), lost, text)
    kind.bad("member-newline", hello(member="did:web:x\ny"), lost, text)
    kind.bad("refusal-escape", frame(12, u64(1), b"\0", field("\x1b[2J")), lost, text)
    kind.bad("origin-empty", frame(13, field("")), lost, "an origin is empty")
    kind.bad("range-origin-empty", frame(6, u64(1), field(""), u64(0), u64(8), ZERO), lost, "an origin is empty")
    kind.bad("incarnation-5-bytes", hello(incarnation=b"12345"), lost, "16 bytes or none")
    kind.bad("head-size-without-entries", frame(2, field("note"), u64(5), field(b"")), lost, "a size without inline entries")
    kind.bad("heads-backwards", frame(5, field("b"), field("a"), u32(0)), lost, "ends before it starts")
    kind.bad("heads-of-nothing", frame(5, field("a"), field("a"), u32(0)), lost, "ends before it starts")
    for name, content, says in [
        ("origin-257-bytes", frame(8, field("x" * 257)), "a field has 257 bytes"), ("member-257-bytes", hello(member="x" * 257), "a field has 257 bytes"),
        ("node-129-bytes", hello(node="x" * 129), "a field has 129 bytes"), ("incarnation-17-bytes", hello(incarnation=bytes(17)), "a field has 17 bytes"),
        ("note-32-kib-and-1", frame(2, u32((32 << 10) + 1)), "a field has 32769 bytes"), ("inline-512-kib-and-1", frame(2, field("n"), u64(1), u32((512 << 10) + 1)), "a field has"),
        ("charter-2-32-less-1", frame(11, u64(1), b"\xff" * 4), "a field has 4294967295 bytes"), ("refusal-257-bytes", frame(12, u64(1), b"\0", field("x" * 257)), "a field has 257 bytes"),
        ("129-signatures", frame(3, field(ORIGIN), u64(8), ZERO, u32(129)), "a list has 129 items"), ("signature-4-kib-and-1", frame(3, field(ORIGIN), u64(8), ZERO, u32(1), u32(4097)), "a field has 4097"),
        ("signatures-of-68-kb", frame(3, field(ORIGIN), u64(8), ZERO, u32(17), field(bytes(4000)) * 17), "more than 65536 bytes"),
        ("1025-heads", frame(5, field(""), field(""), u32(1025)), "a list has 1025 items"), ("2-32-neighbours", frame(14, b"\xff" * 4), "a list has 4294967295 items"),
    ]:
        kind.bad(name, content, big, says)
    kind.bad("good-then-bad", hello() + u32(0), lost, "a frame is empty")
    return kind


def ranges():
    kind = Kind("ranges")
    lost, big = "malformedRange", "oversizedRange"

    def answer(start=0, end=2, extension=0, remainder=0, entries=b"\0\1a\0\1b", rest=b""):
        return (u64(start) + u64(end) + u32(extension) + ZERO * min(extension, 64) + u32(remainder) + ZERO * min(remainder, 64)
                + field(entries) + rest)

    kind.good("two-entries", answer())
    kind.good("with-proofs", answer(extension=64, remainder=1))
    kind.bad("empty", b"", lost, "a field is cut off")
    kind.bad("cut", answer()[:-1], lost, "a field is cut off")
    kind.bad("trailing", answer(rest=b"\0"), lost, "1 bytes are left over")
    kind.bad("of-nothing", answer(2, 2, entries=b""), lost, "a range is empty")
    kind.bad("backwards", answer(3, 2), lost, "a range is empty")
    kind.bad("to-2-63", answer((1 << 63) - 2, 1 << 63), lost, "a range is empty")
    kind.bad("from-and-to-2-64", answer((1 << 64) - 2, (1 << 64) - 1), lost, "a range is empty")
    kind.bad("16385-entries", answer(0, 16_385), big, "too much for a range")
    kind.bad("one-entry-less", answer(0, 3), lost, "2 entries instead of 3")
    kind.bad("one-entry-more", answer(0, 1), lost, "2 entries instead of 1")
    kind.bad("65-hashes", answer(extension=65), big, "a list has 65 items")
    kind.bad("2-32-hashes", u64(0) + u64(2) + b"\xff" * 4, big, "a list has 4294967295 items")
    kind.bad("entry-cut", answer(entries=b"\0\1a\0\2b"), "malformedEntry", "no bundle")
    kind.bad("length-cut", answer(entries=b"\0\1a\0"), "malformedEntry", "no bundle")
    kind.bad("entries-16-mib-and-1", u64(0) + u64(2) + u32(0) * 2 + u32((16 << 20) + 1), big, "a field has 16777217 bytes")
    return kind


def certificate(extension=None, key=None):
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "node1")])
    start = datetime.datetime(2026, 11, 21, tzinfo=datetime.timezone.utc)
    builder = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).serial_number(7).not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=90)).public_key(key or VECTOR_KEY.public_key())
        .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(MEMBER)]), critical=False))
    if extension:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(VECTOR_KEY, None).public_bytes(Encoding.DER)


def certificates():
    kind = Kind("certificates")
    good = certificate()
    kind.good("ed25519", good)
    kind.good("rsa-8192", certificate(key=RSAPublicNumbers(65_537, (1 << 8191) | 1).public_key()))
    kind.bad("rsa-8200", certificate(key=RSAPublicNumbers(65_537, (1 << 8199) | 1).public_key()), "keyTooLarge")
    kind.bad("rsa-16384", certificate(key=RSAPublicNumbers(65_537, (1 << 16_383) | 1).public_key()), "keyTooLarge")
    padding = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), bytes(17_000))
    pem = x509.load_der_x509_certificate(good).public_bytes(Encoding.PEM)
    for name, content in [
        ("empty", b""), ("cut", good[:-1]), ("trailing", good + b"\0"), ("17-kb", certificate(padding)), ("pem", pem), ("text", "certificate"),
        ("length-2-32", b"\x30\x84\xff\xff\xff\xff" + bytes(30)), ("length-2-64", b"\x30\x88" + b"\xff" * 8), ("indefinite-length", b"\x30\x80" + good[4:] + b"\0\0"),
        ("length-not-shortest", b"\x30\x83\x00" + good[2:]), ("set-instead-of-sequence", b"\x31" + good[1:]), ("empty-sequence", b"\x30\x00"), ("sequence-of-nothing", b"\x30\x02\x30\x00"),
        ("nested-4000", b"".join(b"\x30\x82" + (4 * left).to_bytes(2, "big") for left in range(3999, -1, -1))), ("key-info-alone", b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00" + bytes(32)),
        ("version-1", good.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x00")), ("version-9", good.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x09")),
        ("month-13", good.replace(b"261121", b"261321")), ("bom", BOM + good),
    ]:
        kind.bad(name, content, "malformed")
    return kind


def configuration():
    kind = Kind("config")
    place = "config.json"
    kind.good("member", '{"member":"pk"}')
    kind.good("all", compact({
        "member": "pk", "node": "node1", "listen": "[::1]:7443", "advertise": ["https://pk.example:7443"], "peers": ["sv=sv.example:7443"],
        "proxy": "http://user:word@proxy:3128", "passphraseSource": "env:X", "logLevel": "debug", "logFormat": "json", "maximumConnections": 1,
        "maximumConnectionsPerMember": 4096, "exchangeInterval": 20, "diskReserve": 0, "controlSocket": "/run/entente.sock"}))
    for name, text, says in json_traps('"member":"pk"'):
        if name not in ("comment", "single-quotes"):
            kind.bad(name, text, "file", says, place)
    kind.bad("depth-10000", "[" * 10_000, "file", "nested deeper than 32", place)
    kind.bad("empty", "", "file", "ends where a value is due", place)
    kind.bad("list", "[]", "file", "must be a JSON object", place)
    kind.bad("yaml", "member: pk\n", "file", "not a JSON value", place)
    kind.bad("comment", '// mine\n{"member":"pk"}', "file", "not a JSON value", place)
    unknown, bad = "unknownKey", "badValue"
    for name, member in [("unknown", "memebr"), ("capital", "Member"), ("data", "data"), ("nfd", "me\u0301mber"), ("prototype", "__proto__")]:
        kind.bad(f"{name}-setting", compact({"member": "pk", member: "x"}), unknown, "is no setting", f"{place}, {member}")
    kind.bad("no-member", "{}", bad, "short name", "setting member")
    for name, setting, value, says in [
        ("member-capital", "member", "PK", "short name"), ("member-path", "member", "../pk", "short name"), ("member-number", "member", 7, "must be a text"), ("member-null", "member", None, "must be a text"),
        ("node-path", "node", "../node", "[a-z0-9]"), ("node-slash", "node", "a/b", "[a-z0-9]"), ("node-empty", "node", "", "[a-z0-9]"),
        ("listen-no-port", "listen", "127.0.0.1", "neither host:port nor none"), ("listen-port-0", "listen", "127.0.0.1:0", "neither"), ("listen-port-65536", "listen", "127.0.0.1:65536", "neither"),
        ("listen-port-leading-zero", "listen", "127.0.0.1:07443", "neither"), ("listen-port-plus", "listen", "127.0.0.1:+7443", "neither"), ("listen-port-2-64", "listen", f"h:{1 << 64}", "neither"),
        ("listen-open-bracket", "listen", "[::1:7443", "neither"), ("listen-bare-ipv6", "listen", "::1:7443", "neither"), ("listen-space", "listen", "a b:1", "neither"), ("listen-url", "listen", "https://h:1", "neither"),
        ("listen-newline", "listen", "h\n:1", "neither"), ("listen-host-254", "listen", "x" * 254 + ":1", "neither"), ("listen-list", "listen", ["h:1"], "must be a text"),
        ("advertise-http", "advertise", ["http://h:1"], "is not https://host:port"), ("advertise-path", "advertise", ["https://h:1/x"], "is not https://host:port"), ("advertise-text", "advertise", "https://h:1", "a list of texts"),
        ("peers-no-member", "peers", ["h:1"], "is not member=host:port"), ("peers-capital", "peers", ["SV=h:1"], "is not member=host:port"), ("peers-numbers", "peers", [1], "a list of texts"), ("257-peers", "peers", ["sv=h:1"] * 257, "at most 256"),
        ("proxy-https", "proxy", "https://h:1", "must be http://"), ("proxy-user-without-password", "proxy", "http://user@h:1", "must be http://"), ("passphrase-itself", "passphraseSource", "pass:word", "env:NAME"), ("passphrase-fd-negative", "passphraseSource", "fd:-1", "env:NAME"),
        ("log-level", "logLevel", "loud", "is none of"), ("log-format", "logFormat", "xml", "neither text nor json"), ("connections-0", "maximumConnections", 0, "whole number from 1"), ("connections-text", "maximumConnections", "8", "a whole number"),
        ("connections-fraction", "maximumConnections", 1.5, "a whole number"), ("connections-negative", "maximumConnections", -1, "whole number from 1"), ("per-member-4097", "maximumConnectionsPerMember", 4097, "from 1 to 4096"),
        ("interval-21", "exchangeInterval", 21, "from 2 to 20"), ("interval-1", "exchangeInterval", 1, "from 2 to 20"), ("reserve-negative", "diskReserve", -1, "from 0 to 1048576"), ("socket-too-long", "controlSocket", "/" + "x" * 200, "a socket's path at most 103"),
    ]:
        kind.bad(name, compact({"member": "pk", setting: value}), bad, says, f"{place}, {setting}")
    return kind


PLAN = {
    "entente-plan": 1, "alliance": STATEMENTS["document"]["alliance"], "member": MEMBER, "title": "Pakistan", "zone": "Asia/Karachi", "made": 1_795_248_000, "base": 3,
    "officers": [{"name": "ayesha", "key": b64url(public_bytes(private_key("pk officer ayesha")))}], "twoOfficers": False, "summary": ["one declaration"], "documents": [], "steps": 2}


def plans():
    kind = Kind("plans")
    draft = {"kind": "declaration", "payload": b64url(compact(STATEMENTS["declaration"]))}
    entry = {"entry": signed(STATEMENTS["approval"], typ=TYPES["approval"])}

    def plan(header=PLAN, steps=(draft, entry), end="\n", **changes):
        header = {name: value for name, value in (header | changes).items() if value is not Ellipsis}
        return "\n".join(one if isinstance(one, str) else compact(one) for one in [header, *steps]) + end

    kind.good("draft-and-entry", plan())
    small = b"a small document"
    attached = {"sha256": b64url(hashlib.sha256(small).digest()), "size": len(small), "name": "act.md", "path": "/home/ayesha/act.md", "bytes": b64url(small)}
    kind.good("with-a-document", plan(documents=[attached]))
    lost, first, second = "malformed", "x.plan", "x.plan, line 2"

    def bad(name, content, says, place=first):
        kind.bad(name, content, lost, says, place)

    bad("empty", "", "is no plan, or is cut off")
    bad("no-last-newline", plan(end=""), "is no plan, or is cut off")
    bad("one-line", "{}", "is no plan, or is cut off")
    bad("object", "{}\n", "is no plan: entente-plan is missing")
    bad("version-2", plan(**{"entente-plan": 2}), "is no plan: entente-plan must be")
    bad("bom", BOM + plan().encode(), "byte-order mark")
    bad("crlf", plan().replace("\n", "\r\n") + "\r\n", "announces 2 steps and has 3")
    bad("step-missing", plan(steps=[draft]), "announces 2 steps and has 1")
    bad("step-more", plan(steps=[draft, entry, draft]), "announces 2 steps and has 3")
    bad("empty-line", plan(steps=[draft, ""]), "ends where a value is due", "x.plan, line 3")
    bad("header-twice", plan().replace("{", '{"member":"x",', 1), "stands twice")
    bad("header-more", plan(more=1), "more is not a member known here")
    bad("steps-0", plan(steps=[]).replace('"steps":2', '"steps":0'), "steps must be a whole number")
    bad("steps-2-53", plan().replace('"steps":2', f'"steps":{1 << 53}'), "integer beyond 2^53 - 1")
    bad("member-short", plan(member="pk"), "member must be a member's id")
    bad("alliance-hex", plan(alliance="00" * 32), "alliance must be a")
    bad("no-officers", plan(officers=...), "officers is missing")
    bad("officer-key", plan(officers=[{"name": "a", "key": "AB="}]), "officers[0].key must be canonical base64url")
    bad("document-of-other-bytes", plan(documents=[attached | {"bytes": b64url("else")}]), "are not those of the digest")
    bad("document-size", plan(documents=[attached | {"size": -1}]), "documents[0].size must be a whole number")
    bad("kind-unknown", plan(steps=[draft | {"kind": "spell"}, entry]), "is no kind that this plan may have", second)
    bad("kind-roster", plan(steps=[draft | {"kind": "roster"}, entry]), "is no kind that this plan may have", second)
    bad("payload-padded", plan(steps=[draft | {"payload": "e30="}, entry]), "payload must be canonical base64url", second)
    bad("payload-of-another-member", plan(steps=[draft | {"payload": b64url(compact(STATEMENTS["declaration"] | {"iss": "did:web:sv"}))}, entry]), "no statement of this member", second)
    bad("payload-no-json", plan(steps=[draft | {"payload": b64url("x")}, entry]), "no statement of this member", second)
    bad("step-more-members", plan(steps=[draft | {"more": 1}, entry]), "more is not a member known here", second)
    bad("step-list", plan(steps=["[]", entry]), "must hold a JSON object", second)
    bad("entry-no-jws", plan(steps=[{"entry": "x"}, entry]), "two points are due", second)
    foreign = signed(STATEMENTS["approval"] | {"alliance": "A" * 43}, typ=TYPES["approval"])
    bad("entry-of-another-alliance", plan(steps=[{"entry": foreign}, entry]), "of another member or alliance", second)
    return kind


def key_files():
    public, members = Kind("public-keys"), Kind("member-files")
    one = {"entente-key": 1, "name": "ayesha", "kind": "officer", "key": b64url(public_bytes(VECTOR_KEY))}
    public.good("officer", compact(one) + "\n")
    for name, value, says in [
        ("version-2", one | {"entente-key": 2}, "entente-key must be"), ("name-path", one | {"name": "../ayesha"}, "cannot name a key"), ("name-slash", one | {"name": "a/b"}, "cannot name a key"), ("kind-unknown", one | {"kind": "queen"}, "must be one of"),
        ("key-padded", one | {"key": one["key"] + "="}, "canonical base64url"), ("key-empty", one | {"key": ""}, "must be a text"), ("more", one | {"more": 1}, "not a member known"), ("list", [one], "must hold a JSON object"), ("private", one | {"d": "x"}, "not a member known"),
    ]:
        public.bad(name, compact(value), "malformed", says, "x.pub")
    public.bad("bom", BOM + compact(one).encode(), "malformed", "byte-order mark", "x.pub")
    public.bad("empty", "", "malformed", "ends where a value is due", "x.pub")
    public.bad("name-twice", compact(one)[:-1] + ',"name":"bilal"}', "malformed", "stands twice", "x.pub")
    file = {
        "entente-member": 1, "id": MEMBER, "name": "pk", "title": "Pakistan", "country": "PK", "zone": "Asia/Karachi", "role": "regulator", "rootKeys": [{"name": "root-1", "key": b64url(public_bytes(private_key("pk root-1")))}],
        "rootThreshold": 1, "ca": b64url(bytes(32)), "log": vkey(ORIGIN, 1, public_bytes(VECTOR_KEY)), "addresses": []}
    members.good("plain", json.dumps(file, indent=2) + "\n")
    for name, value, says in [
        ("version-2", {"entente-member": 2}, "entente-member must be"), ("role-king", {"role": "king"}, "regulator or observer"), ("zone-mars", {"zone": "Mars/Olympus"}, "is no IANA time zone"), ("zone-path", {"zone": "../../etc/passwd"}, "is no IANA time zone"),
        ("no-root-keys", {"rootKeys": []}, "a list of 1 to 16"), ("root-key-small-order", {"rootKeys": [{"name": "root-1", "key": b64url(b"\1" + bytes(31))}]}, "small order"), ("root-key-name", {"rootKeys": [{"name": "../x", "key": "AAAA"}]}, "cannot name a key"),
        ("ca-hex", {"ca": "00" * 32}, "base64url SHA-256"), ("log-key", {"log": "x"}, "log"), ("threshold-17", {"rootThreshold": 17}, "whole number"), ("more", {"more": 1}, "not a member known"), ("country-long", {"country": "PAK"}, "a text of 1 to 2"),
    ]:
        members.bad(name, compact(file | value), "malformed", says, "x.member")
    return [public, members]


def local_requests():
    """What a program on the machine asks the node: a method, a path and perhaps a body."""
    kind = Kind("local-requests")
    kind.good("status", "GET /v1/status\n")
    kind.good("rows", "GET /v1/rows?register=warnings\n")
    for name, request, code, says in [
        ("no-path", "/", "404 request", ""), ("unknown-path", "/v1/nothing", "404 request", ""), ("no-register", "/v1/rows", "400 missing", "register"), ("register-path", "/v1/rows?register=../../etc", "400 invalid", ""), ("register-reserved", "/v1/rows?register=@rosters", "400 invalid", ""),
        ("register-unknown", "/v1/rows?register=nothing", "404 unknown", ""), ("register-nul", "/v1/rows?register=%00", "400 invalid", ""), ("limit-1001", "/v1/rows?register=warnings&limit=1001", "400 invalid", "limit"), ("limit-negative", "/v1/rows?register=warnings&limit=-1", "400 invalid", "limit"),
        ("limit-leading-zero", "/v1/rows?register=warnings&limit=01", "400 invalid", "limit"), ("limit-2-64", f"/v1/rows?register=warnings&limit={1 << 64}", "400 invalid", "limit"), ("limit-plus", "/v1/rows?register=warnings&limit=%2B1", "400 invalid", "limit"), ("on-no-zone", "/v1/rows?register=warnings&on=2026-11-24T00:00:00", "400 invalid", "RFC 3339"),
        ("on-february-30", "/v1/rows?register=warnings&on=2026-02-30T00:00:00Z", "400 invalid", "RFC 3339"), ("member-unknown", "/v1/rows?register=warnings&member=zz", "404 unknown", "zz"), ("member-path", "/v1/rows?register=warnings&member=..%2Fpk", "404 unknown", ""),
        ("entry-index-2-64", f"/v1/entry?index={1 << 64}", "400 invalid", "index"), ("entry-exponent", "/v1/entry?index=1e3", "400 invalid", "index"), ("entry-beyond", "/v1/entry?index=99999", "404 unknown", ""), ("document-short", "/v1/documents/00", "400 invalid", "SHA-256"), ("document-up", "/v1/documents/..%2F..%2Fetc%2Fpasswd", "400 invalid", "SHA-256"),
        ("document-unknown", f"/v1/documents/{'0' * 64}", "404 unknown", ""), ("prove-no-key", "/v1/prove?register=warnings", "400 missing", "key"), ("timeout-61", "/v1/receipts?index=0&timeout=61", "400 invalid", "timeout"),
    ]:
        kind.bad(name, f"GET {request}\n", code, says)
    for name, body, code, says in [
        ("submit-empty", "", "400 malformed", "a value is due"), ("submit-list", "[]", "400 malformed", "a list is due"), ("submit-number", '{"statements":[1]}', "400 malformed", "a JWS"), ("submit-empty-text", '{"statements":[""]}', "400 malformed", "a JWS"), ("submit-twice", '{"statements":["x"],"statements":[]}', "400 malformed", "stands twice"),
        ("submit-deep", "[" * 5_000, "400 malformed", "nested deeper"), ("submit-surrogate", '{"statements":["\\ud800"]}', "400 malformed", "a lone surrogate"), ("submit-bom", '\ufeff{"statements":[]}', "400 malformed", "byte-order mark"),
    ]:
        kind.bad(name, f"POST /v1/submit\n{body}", code, says)
    return kind


def all_kinds():
    return [frames(), ranges(), certificates(), configuration(), plans(), *key_files(), local_requests()]
