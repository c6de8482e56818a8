"""Cases of Docs/specification/notes-and-trees.md and the C2SP specifications below it; and of state-and-maps.md."""

import hashlib

from corpus import (
    BOM, VECTOR_KEY, Kind, b64, flip_last_bits, note_line, private_key, public_bytes, vectors, vkey)

ORIGIN = "log.example/test"
WITNESS = "witness.example/w1"
NOTE = vectors("notes")["notes"][0]["note"]
TEXT = NOTE[:NOTE.index("\n\n") + 1]
LOG_LINE, WITNESS_LINE = NOTE[NOTE.index("\n\n") + 2:].splitlines(keepends=True)
ROOT = TEXT.splitlines()[2]
LOG_KEY, WITNESS_KEY = (one["vkey"] for one in vectors("notes")["vkeys"][:2])
LOG_BASE64 = LOG_LINE.split()[2]


def notes():
    kind = Kind("notes")
    line = "invalidSignatureLine"
    kind.good("both", NOTE)
    kind.good("log-alone", TEXT + "\n" + LOG_LINE)
    kind.good("unknown-key-beside", TEXT + "\n" + LOG_LINE + note_line("a", 1, private_key("a"), b""))
    kind.good("newer-cosignature-beside", NOTE + note_line(
        WITNESS, 4, VECTOR_KEY, f"cosignature/v1\ntime 1700000001\n{TEXT}".encode(), (1700000001).to_bytes(8, "big")))
    text = "UTF-8 lines without control characters"
    for name, content in [
        ("empty", ""), ("crlf", NOTE.replace("\n", "\r\n")), ("tab", NOTE.replace("8", "8\t", 1)),
        ("nul", NOTE.replace("8", "8\0", 1)), ("no-last-newline", NOTE[:-1]), ("not-utf8", b"\xff" + NOTE.encode()),
        ("overlong", b"\xc0\x80" + NOTE.encode()), ("surrogate", b"\xed\xa0\x80" + NOTE.encode()),
        ("escape", "\x1b[2J" + NOTE), ("cut-in-signature", NOTE[:-20]), ("utf16", NOTE.encode("utf-16-le")),
    ]:
        kind.bad(name, content, "invalidNote", text)
    kind.bad("no-empty-line", TEXT + LOG_LINE, "invalidNote", "empty line before its signatures")
    kind.bad("newline-only", "\n", "invalidNote", "empty line before its signatures")
    kind.bad("no-signature", TEXT + "\n", "invalidNote", "has no signature")
    kind.bad("empty-line-after", NOTE + "\n", "invalidNote", "has no signature")
    dash = "starts with an em dash"
    kind.bad("line-after", NOTE + "more\n", line, dash)
    kind.bad("hyphen", TEXT + "\n" + LOG_LINE.replace("\u2014", "-"), line, dash)
    kind.bad("en-dash", TEXT + "\n" + LOG_LINE.replace("\u2014", "\u2013"), line, dash)
    kind.bad("no-space-after-dash", TEXT + "\n" + LOG_LINE.replace("\u2014 ", "\u2014"), line, dash)
    kind.bad("two-spaces", TEXT + "\n" + LOG_LINE.replace("\u2014 ", "\u2014  "), line, "canonical base64")
    kind.bad("no-name", TEXT + "\n" + f"\u2014 {LOG_BASE64}\n", line, "has no name")
    for name, new in [("plus-in-name", "log+test"), ("no-break-space-in-name", "log\u00a0test"), ("ideographic-space", "a\u3000b")]:
        kind.bad(name, NOTE.replace(f"\u2014 {ORIGIN}", f"\u2014 {new}"), line, "neither space nor +")
    for name, new in [
        ("base64-unpadded", LOG_BASE64.rstrip("=")), ("base64-url", LOG_BASE64.replace("/", "_").replace("+", "-")),
        ("base64-not-canonical", flip_last_bits(LOG_BASE64)), ("base64-space-after", LOG_BASE64 + " "),
        ("base64-overpadded", LOG_BASE64 + "="), ("base64-empty", ""), ("key-id-alone", b64(b"\x6f\xfd\xf1\xc0")),
        ("base64-padding-inside", "b/3xwA==" + LOG_BASE64[8:]),
    ]:
        kind.bad(name, NOTE.replace(LOG_BASE64, new), line, "canonical base64", ORIGIN)
    kind.bad("line-too-long", TEXT + "\n\u2014 a " + b64(bytes(6150)) + "\n", line, "more than 8192 bytes")
    kind.bad("65-signatures", TEXT + "\n" + LOG_LINE * 65, "limitExceeded", "more than 64 signature lines")
    fails = "signature fails"
    kind.bad("bom", BOM + NOTE.encode(), "invalidSignature", fails, ORIGIN)
    kind.bad("text-changed", NOTE.replace("\n8\n", "\n9\n"), "invalidSignature", fails, ORIGIN)
    kind.bad("signature-changed", NOTE.replace("AqWHt", "AqWHs"), "invalidSignature", fails, ORIGIN)
    other = note_line(ORIGIN, 1, VECTOR_KEY, b"another text\n")
    kind.bad("one-of-two-lines-fails", NOTE + other, "invalidSignature", fails, ORIGIN)
    kind.bad("signature-cut", TEXT + "\n\u2014 " + ORIGIN + " " + b64(bytes.fromhex("6ffdf1c0") + bytes(63)) + "\n",
             "invalidSignature", fails, ORIGIN)
    kind.bad("cosignature-cut", TEXT + "\n\u2014 " + WITNESS + " " + b64(bytes.fromhex("e75f6532") + bytes(71)) + "\n",
             "invalidSignature", "length or time", WITNESS)
    late = note_line(WITNESS, 4, VECTOR_KEY, f"cosignature/v1\ntime {1 << 63}\n{TEXT}".encode(), (1 << 63).to_bytes(8, "big"))
    kind.bad("cosignature-time-2-63", TEXT + "\n" + LOG_LINE + late, "invalidSignature", "length or time", WITNESS)
    nobody = "no known key signed"
    kind.bad("unknown-name", TEXT + "\n" + LOG_LINE.replace(ORIGIN, "log.example/other"), "noTrustedSignature", nobody)
    kind.bad("unknown-id", TEXT + "\n" + LOG_LINE.replace("b/3xwF", "b/3xxF"), "noTrustedSignature", nobody)
    kind.bad("name-in-capitals", TEXT + "\n" + LOG_LINE.replace(ORIGIN, ORIGIN.upper()), "noTrustedSignature", nobody)
    return kind


def checkpoints():
    kind = Kind("checkpoints")
    code = "invalidCheckpoint"

    def text(origin=ORIGIN, size="8", root=ROOT, rest=""):
        return f"{origin}\n{size}\n{root}\n{rest}"

    kind.good("plain", text())
    kind.good("empty-tree", text(size="0", root=b64(hashlib.sha256(b"").digest())))
    kind.good("size-2-63-less-1", text(size=str((1 << 63) - 1)))
    kind.good("64-extensions", text(rest="x\n" * 64))
    for name, size in [
        ("leading-zero", "08"), ("plus", "+8"), ("minus", "-8"), ("size-2-64", str(1 << 64)), ("space-before", " 8"),
        ("space-after", "8 "), ("no-size", ""), ("hexadecimal", "0x8"), ("fraction", "8.0"), ("exponent", "1e3"),
        ("full-width-digit", "\uff18"), ("arabic-digit", "\u0668"), ("21-digits", "1" * 21), ("two-zeros", "00"),
        ("underscore", "1_000"), ("carriage-return", "8\r"),
    ]:
        kind.bad(name, text(size=size), code, "no plain decimal", "line 2")
    kind.bad("size-2-63", text(size=str(1 << 63)), code, "above 2^63 - 1")
    short = b64(bytes(31))
    for name, root in [
        ("root-not-canonical", flip_last_bits(ROOT)), ("root-31-bytes", short), ("root-33-bytes", b64(bytes(33))),
        ("root-unpadded", ROOT[:-1]), ("root-url", ROOT.replace("+", "-").replace("/", "_")), ("root-hex", "00" * 32),
        ("root-space", ROOT + " "), ("root-empty", ""),
    ]:
        kind.bad(name, text(root=root), code, "base64 of 32 bytes", "line 3")
    kind.bad("no-root", f"{ORIGIN}\n8\n", code, "base64 of 32 bytes", "line 2")
    kind.bad("no-origin", text(origin=""), code, "a line is empty")
    kind.bad("tab-in-origin", text(origin="log\ttest"), code, "control character")
    kind.bad("nul-in-extension", text(rest="x\0\n"), code, "control character")
    kind.bad("empty-extension", text(rest="\n"), code, "a line is empty")
    kind.bad("65-extensions", text(rest="x\n" * 65), code, "too many")
    kind.bad("extension-not-utf8", text().encode() + b"\xff\n", code, "not UTF-8")
    kind.bad("origin-not-utf8", b"\xff" + text().encode(), code, "an origin is not UTF-8")
    kind.bad("no-last-newline", text()[:-1], code, "ends with a newline")
    kind.bad("empty", "", code, "ends with a newline")
    kind.bad("too-long", text(rest="x" * 65_536 + "\n"), code, "is short")
    kind.bad("newline-only", "\n", code, "no plain decimal", "line 1")
    return kind


def cosignatures():
    """A line, verified by the witness's key over the text of the notes."""
    kind = Kind("cosignatures")

    def line(time, signed=None, cut=0):
        message = f"cosignature/v1\ntime {time if signed is None else signed}\n{TEXT}".encode()
        whole = bytes.fromhex("e75f6532") + time.to_bytes(8, "big") + VECTOR_KEY.sign(message)
        return f"\u2014 {WITNESS} {b64(whole[:len(whole) - cut])}"

    kind.good("usual", line(1700000000))
    kind.good("time-0", line(0))
    kind.good("time-far-in-the-future", line((1 << 63) - 1))
    fails = "cosignature fails"
    kind.bad("another-time", line(1700000001, 1700000000), "invalidSignature", fails, WITNESS)
    plain = f"\u2014 {WITNESS} " + b64(bytes.fromhex("e75f6532") + bytes(8) + VECTOR_KEY.sign(TEXT.encode()))
    kind.bad("over-the-text-alone", plain, "invalidSignature", fails, WITNESS)
    kind.bad("71-bytes", line(1, cut=1), "invalidSignature", "length or time", WITNESS)
    kind.bad("64-bytes", line(1, cut=8), "invalidSignature", "length or time", WITNESS)
    kind.bad("time-2-63", line(1 << 63), "invalidSignature", "length or time", WITNESS)
    kind.bad("of-the-log", LOG_LINE.rstrip("\n"), "noTrustedSignature", "another key's", ORIGIN)
    other = line(1).replace(WITNESS, "witness.example/w2")
    kind.bad("another-name", other, "noTrustedSignature", "another key's", "witness.example/w2")
    kind.bad("newline", line(1) + "\n", "invalidSignatureLine", "canonical base64", WITNESS)
    kind.bad("not-canonical", flip_last_bits(line(1)), "invalidSignatureLine", "canonical base64", WITNESS)
    kind.bad("empty", "", "invalidSignatureLine", "em dash")
    return kind


def keys():
    kind = Kind("keys")
    public = public_bytes(VECTOR_KEY)
    for name, key in [("log", LOG_KEY), ("witness", WITNESS_KEY), ("utf8-name", vkey("log.example/t\u00e9st", 1, public))]:
        kind.good(name, key)
    kind.good("ml-dsa", vkey("pq", 6, bytes(1312)))
    tail = LOG_KEY.split("+", 2)[2]
    bad = "invalidKey"
    for name, key in [("empty", ""), ("name-alone", ORIGIN), ("two-parts", f"{ORIGIN}+6ffdf1c0")]:
        kind.bad(name, key, bad, "three parts")
    for name, digits in [("upper-case-id", "6FFDF1C0"), ("short-id", "6ffdf1c"), ("long-id", "06ffdf1c0"), ("no-hex-id", "6ffdf1cg")]:
        kind.bad(name, f"{ORIGIN}+{digits}+{tail}", bad, "8 lower-case", ORIGIN)
    kind.bad("another-id", f"{ORIGIN}+6ffdf1c1+{tail}", bad, "not this key's", ORIGIN)
    composed = vkey("log.example/t\u00e9st", 1, public)
    kind.bad("nfd-twin", composed.replace("\u00e9", "e\u0301"), bad, "not this key's", "log.example/te\u0301st")
    for name, text in [
        ("overpadded", tail + "="), ("url-base64", tail.replace("/", "_")),
        ("empty-base64", ""), ("newline", tail + "\n"), ("cut", tail[:-1]),
    ]:
        kind.bad(name, f"{ORIGIN}+6ffdf1c0+{text}", bad, "canonical base64", ORIGIN)
    for name, owner in [("no-name", ""), ("space-in-name", "log example"), ("next-line-in-name", "log\u0085test")]:
        kind.bad(name, vkey(owner, 1, public), bad, "neither space nor +")
    kind.bad("31-bytes", vkey("a", 1, bytes(31)), bad, "has 32 bytes", "a")
    kind.bad("33-bytes", vkey("a", 4, bytes(33)), bad, "has 32 bytes", "a")
    kind.bad("type-2", vkey("a", 2, bytes(32)), "unsupportedKey", "type 0x02", "a")
    kind.bad("type-255", vkey("a", 255, bytes(32)), "unsupportedKey", "type 0xff", "a")
    kind.bad("name-not-utf8", b"\xff" + LOG_KEY.encode(), bad, "not UTF-8")
    kind.bad("too-long", vkey("a" * 4096, 1, public), bad, "more than 4096 bytes")
    return kind


def node(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


# The eight entries with which implementations of RFC 6962 are tested; the note's root is theirs.
ENTRIES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
LEAVES = [hashlib.sha256(b"\x00" + bytes.fromhex(entry)).digest() for entry in ENTRIES]
PAIRS = [node(LEAVES[index], LEAVES[index + 1]) for index in range(0, 8, 2)]
PATH_OF_5 = [LEAVES[4], PAIRS[3], node(PAIRS[0], PAIRS[1])]
assert b64(node(PATH_OF_5[2], node(PAIRS[2], PAIRS[3]))) == ROOT


def tlog_proofs():
    """Proofs that entry 5 (40414243) is in the tree, verified with the log's key."""
    kind = Kind("tlog-proofs")
    bad = "invalidProof"

    def proof(index="5", hashes=None, extra="", header="c2sp.org/tlog-proof@v1", note=NOTE, gap="\n"):
        hashes = [b64(one) for one in PATH_OF_5] if hashes is None else hashes
        return f"{header}\n{extra}index {index}\n" + "".join(f"{one}\n" for one in hashes) + gap + note

    kind.good("plain", proof())
    kind.good("extra", proof(extra="extra AA==\n"))
    for name, header in [("version-2", "c2sp.org/tlog-proof@v2"), ("no-header", ""), ("bom", "\ufeffc2sp.org/tlog-proof@v1"),
                         ("header-crlf", "c2sp.org/tlog-proof@v1\r"), ("header-space", "c2sp.org/tlog-proof@v1 ")]:
        kind.bad(name, proof(header=header), bad, "no tlog-proof of version 1")
    kind.bad("empty", "", bad, "no tlog-proof of version 1")
    for name, extra in [("extra-empty", ""), ("extra-not-canonical", "AB=="), ("extra-url", "_w=="), ("extra-unpadded", "AA")]:
        kind.bad(name, proof(extra=f"extra {extra}\n"), bad, "extra data", "line 2")
    kind.bad("extra-twice", proof(extra="extra AA==\n" * 2), bad, "no index", "line 3")
    for name, index in [("leading-zero", "05"), ("minus", "-5"), ("no-number", ""), ("index-2-64", str(1 << 64)), ("space", "5 ")]:
        kind.bad(name, proof(index=index), bad, "no index", "line 2")
    kind.bad("no-index", proof().replace("index 5\n", ""), bad, "no index", "line 2")
    kind.bad("index-2-63", proof(index=str(1 << 63)), bad, "beyond every tree")
    kind.bad("index-2-63-less-1", proof(index=str((1 << 63) - 1)), bad, "beyond every tree")
    kind.bad("64-hashes", proof(hashes=[b64(bytes(32))] * 64), bad, "more than 63 hashes", "line 66")
    kind.bad("hash-31-bytes", proof(hashes=[b64(bytes(31))]), bad, "base64 of 32 bytes", "line 3")
    kind.bad("hash-not-canonical", proof(hashes=[flip_last_bits(ROOT)]), bad, "base64 of 32 bytes", "line 3")
    kind.bad("no-empty-line", proof(gap=""), bad, "base64 of 32 bytes", "line 6")
    kind.bad("no-note", proof(note="", gap=""), bad, "no empty line after the hashes", "line 5")
    kind.bad("empty-note", proof(note=""), "invalidNote", "UTF-8 lines")
    kind.bad("trailing-line", proof() + "x\n", "invalidSignatureLine", "em dash")
    kind.bad("trailing-nul", proof() + "\0", "invalidNote", "UTF-8 lines")
    odd = "no checkpoint\n\n" + note_line(ORIGIN, 1, VECTOR_KEY, b"no checkpoint\n")
    kind.bad("note-is-no-checkpoint", proof(note=odd), "invalidCheckpoint", "plain decimal", "line 1")
    failed = "not in the tree"
    kind.bad("one-hash-less", proof(hashes=[b64(one) for one in PATH_OF_5[:2]]), "proofFailed", failed, "index 5")
    kind.bad("one-hash-more", proof(hashes=[b64(one) for one in [*PATH_OF_5, bytes(32)]]), "proofFailed", failed, "index 5")
    kind.bad("hashes-swapped", proof(hashes=[b64(one) for one in reversed(PATH_OF_5)]), "proofFailed", failed, "index 5")
    kind.bad("another-index", proof(index="4"), "proofFailed", failed, "index 4")
    kind.bad("index-beyond-tree", proof(index="8"), "proofFailed", failed, "index 8")
    unsigned = TEXT + "\n" + note_line("stranger", 1, private_key("stranger"), TEXT.encode())
    kind.bad("strangers-note", proof(note=unsigned), "noTrustedSignature", "no known key")
    return kind


def requests():
    """Bodies of add-checkpoint."""
    kind = Kind("witness-requests")
    bad = "invalidRequest"

    def body(old="old 8", hashes=(), note=NOTE, gap="\n"):
        return f"{old}\n" + "".join(f"{one}\n" for one in hashes) + gap + note

    zero = b64(bytes(32))
    kind.good("plain", body())
    kind.good("63-hashes", body(hashes=[zero] * 63))
    for name, old in [("no-old", ""), ("leading-zero", "old 08"), ("minus", "old -1"), ("capital", "Old 8"),
                      ("two-spaces", "old  8"), ("old-2-64", f"old {1 << 64}"), ("old-crlf", "old 8\r")]:
        kind.bad(name, body(old), bad, "no old size")
    kind.bad("empty", "", bad, "no old size")
    kind.bad("old-above-size", body("old 9"), bad, "above the checkpoint's")
    kind.bad("64-hashes", body(hashes=[zero] * 64), bad, "more than 63 hashes", "line 65")
    kind.bad("bad-hash", body(hashes=["AAAA"]), bad, "base64 of 32 bytes", "line 2")
    kind.bad("no-empty-line", body(gap=""), bad, "base64 of 32 bytes", "line 2")
    kind.bad("no-note", "old 8\n", bad, "no empty line", "line 1")
    kind.bad("note-unsigned", body(note=TEXT), "invalidNote", "empty line before")
    kind.bad("size-2-63", body(note=NOTE.replace("\n8\n", f"\n{1 << 63}\n")), "invalidCheckpoint", "above 2^63 - 1")
    return kind


def map_proofs():
    kind = Kind("map-proofs")
    bad = "invalidProof"
    found = [bytes.fromhex(one["proof"]) for one in vectors("map-proofs")["proofs"] if one["valid"]]
    presence, other = found[3], found[2]
    kind.good("empty-map", found[0])
    kind.good("presence", presence)
    kind.good("absence", other)
    one = bytes([1]) * 32
    depth, cut = "depth is not from 1 to 256", "is cut off"
    for name, content, says in [
        ("empty", b"", cut), ("two-bytes", b"\0\1", cut), ("depth-0", b"\0\0\0", depth), ("depth-257", b"\1\1\1" + b"\xff" * 33, depth),
        ("depth-65535", b"\xff\xff\1", depth), ("terminal-3", b"\0\1\3\0", "unknown kind"), ("terminal-255", b"\0\1\xff\0", "unknown kind"),
        ("no-bitmap", b"\0\1\1", cut), ("cut-in-other-leaf", other[:40], cut), ("cut-in-sibling", presence[:-1], cut),
        ("trailing-byte", presence + b"\0", "after its end"), ("bit-beyond-depth", b"\0\1\1\x40" + one, "does not fit"),
        ("sibling-is-zero", b"\0\1\1\x80" + bytes(32), "does not fit"), ("beside-nothing", b"\0\2\1\x40" + one, "beside nothing"),
        ("too-long", bytes(9000), "more than"), ("as-text", b"AAEAAA", depth),
    ]:
        kind.bad(name, content, bad, says)
    return kind


def tiles():
    paths = Kind("tile-paths")
    for one in vectors("tiles")["paths"]:
        if one["valid"]:
            paths.good(one["path"].replace("/", "_"), one["path"])
    paths.good("greatest", "tile/0/x018/x446/x744/x073/x709/x551/615")
    for name, path in [
        ("empty", ""), ("one-digit", "tile/0/0"), ("level-64", "tile/64/000"), ("level-minus-1", "tile/-1/000"),
        ("width-0", "tile/0/000.p/0"), ("width-256", "tile/0/000.p/256"), ("width-leading-zero", "tile/0/000.p/08"),
        ("superfluous-group", "tile/0/x000/001"), ("level-leading-zero", "tile/00/000"), ("group-without-x", "tile/0/001/067"),
        ("x-on-the-last", "tile/0/x001"), ("slash-before", "/tile/0/000"), ("slash-after", "tile/0/000/"),
        ("up", "tile/0/../000"), ("up-to-passwd", "tile/../../etc/passwd"), ("index-2-64", "tile/0/x018/x446/x744/x073/x709/x551/616"),
        ("index-10-27", "tile/0/" + "x999/" * 8 + "999"), ("capital", "tile/0/X001/000"), ("nul", "tile/0/000\0"),
        ("newline", "tile/0/000\n"), ("full-width-digits", "tile/0/\uff10\uff10\uff10"), ("no-width", "tile/0/000.p/"),
        ("width-of-a-folder", "tile/0/x001.p/1/000"), ("percent", "tile/0/%30%30%30"), ("other-name", "tiles/0/000"),
        ("entries-capital", "tile/Entries/000"), ("query", "tile/0/000?x"), ("backslash", "tile\\0\\000"), ("too-long", "tile/0/" + "0" * 80),
    ]:
        paths.bad(name, path, "invalidTilePath", "no tile's path")
    bundles = Kind("entry-bundles")

    def entry(content):
        return len(content).to_bytes(2, "big") + content

    bundles.good("three", entry(b"entry 0") + entry(b"entry 1") + entry(b"entry 2"))
    bundles.good("256", entry(b"x") * 256)
    bundles.good("empty", b"")
    bundles.bad("one-byte", b"\0", "invalidEntryBundle", "a length is cut off", "byte 0")
    bundles.bad("half-a-length", entry(b"x") + b"\0", "invalidEntryBundle", "a length is cut off", "byte 3")
    bundles.bad("entry-cut", entry(b"x") + b"\0\2y", "invalidEntryBundle", "an entry is cut off", "byte 5")
    bundles.bad("length-65535", b"\xff\xff" + bytes(10), "invalidEntryBundle", "an entry is cut off", "byte 2")
    bundles.bad("257", entry(b"") * 257, "limitExceeded", "more than 256 entries")
    return [paths, bundles]


def policies():
    kind = Kind("policies")
    bad = "invalidPolicy"
    names = ["a", "b", "c"]
    key = {name: vkey(f"{name}.example/w", 4, public_bytes(private_key(name))) for name in names}
    log = f"log {LOG_KEY} https://log.example/\n"
    three = "".join(f"witness {name} {key[name]}\n" for name in names)
    kind.good("two-of-three", log + three + "group g 2 a b c\nquorum g\n")
    kind.good("none", log + "quorum none\n")
    kind.good("comments-and-tabs", "# a policy\n\n" + log.replace(" ", "\t") + three + " group\tg any a b\nquorum g\n")
    for name, text, says, place in [
        ("second-quorum", log + "quorum none\nquorum none\n", "a second quorum", "line 3"),
        ("quorum-undefined", log + "quorum g\n", "not defined", "line 2"),
        ("quorum-before-group", log + three + "quorum g\ngroup g 1 a\n", "not defined", "line 5"),
        ("unknown-word", log + "witnes a\nquorum none\n", "no line of a policy", "line 2"),
        ("capital-word", log.upper() + "quorum none\n", "no line of a policy", "line 1"),
        ("log-without-key", "log\nquorum none\n", "no line of a policy", "line 1"),
        ("log-with-four-words", log.rstrip() + " more\nquorum none\n", "no line of a policy", "line 1"),
        ("group-of-none", three + "group g 1\nquorum g\n", "no line of a policy", "line 4"),
        ("threshold-0", three + "group g 0 a b\nquorum g\n", "no threshold", "line 4"),
        ("threshold-3-of-2", three + "group g 3 a b\nquorum g\n", "no threshold", "line 4"),
        ("threshold-leading-zero", three + "group g 02 a b\nquorum g\n", "no threshold", "line 4"),
        ("threshold-2-64", three + f"group g {1 << 64} a b\nquorum g\n", "no threshold", "line 4"),
        ("threshold-most", three + "group g most a b\nquorum g\n", "no threshold", "line 4"),
        ("member-later", "group g any a\n" + three + "quorum g\n", "not defined before it", "line 1"),
        ("member-of-itself", three + "group g any g\nquorum g\n", "not defined before it", "line 4"),
        ("member-none", three + "group g any none\nquorum g\n", "not defined before it", "line 4"),
        ("two-words-of-quorum", log + "quorum none none\n", "no line of a policy", "line 2"),
        ("member-twice", three + "group g 2 a a\nquorum g\n", "a member is listed twice", ""),
        ("member-in-two-groups", three + "group g 1 a b\ngroup h 1 b c\nquorum g\n", "a member is listed twice", ""),
        ("name-twice", three + f"witness a {WITNESS_KEY}\nquorum a\n", "a name is defined twice", ""),
        ("group-named-as-witness", three + "group a any b\nquorum a\n", "a name is defined twice", ""),
        ("witness-none", f"witness none {WITNESS_KEY}\nquorum none\n", 'empty, "none"', ""),
        ("key-twice", log + log + "quorum none\n", "a public key stands twice", ""),
        ("cosigner-as-log", f"log {WITNESS_KEY}\nquorum none\n", "a log's key is of a cosigner's type", ""),
        ("log-as-witness", f"witness w {LOG_KEY}\nquorum w\n", "not of a cosigner's type", ""),
        ("no-quorum", log, "no quorum line", ""), ("empty", "", "no newline", ""), ("no-last-newline", log + "quorum none", "no newline", ""),
        ("crlf", (log + "quorum none\n").replace("\n", "\r\n"), "control characters", ""), ("nul", log + "\0\nquorum none\n", "control characters", ""),
        ("escape", log + "# \x1b[2J\nquorum none\n", "control characters", ""),
        ("bom", "\ufeff" + log + "quorum none\n", "no line of a policy", "line 1"),
    ]:
        kind.bad(name, text, bad, says, place)
    kind.bad("bad-key", log.replace("6ffdf1c0", "6ffdf1c1") + "quorum none\n", "invalidKey", "not this key's", ORIGIN)
    kind.bad("key-of-type-2", f"witness w {vkey('a', 2, bytes(32))}\nquorum w\n", "unsupportedKey", "0x02", "a")
    return kind


def state_leaves():
    kind = Kind("state-leaves")
    valid = [one["text"] for one in vectors("state-leaves")["leaves"] if one["valid"]]
    leaf, digest = valid[1], "g5nldAVic2hyKDDJ/z24H7oK+mEgpDnHolaKW+MbgpU="
    head = f"entente/state/v1\n17\n1 {digest}\n"
    root = "3EinQq4yz9ZjUjctYSDtFNZin8FmJGsF/4sD4jgEcB8="
    kind.good("no-map", valid[0])
    kind.good("three-maps", leaf)

    def bad(name, text, says, line):
        kind.bad(name, text, "malformed", says, f"state leaf, line {line}")

    bad("empty", "", "does not end", 1)
    bad("no-last-newline", leaf[:-1], "does not end", 1)
    bad("two-lines", "entente/state/v1\n17\n", "3 to 259 lines", 1)
    bad("257-maps", head + "".join(f"m{index:03} 1 {root}\n" for index in range(257)), "3 to 259 lines", 1)
    kind.bad("version-2", leaf.replace("/v1", "/v2"), "unknown", "not known here", "state leaf, line 1")
    kind.bad("crlf", leaf.replace("\n", "\r\n"), "unknown", "not known here", "state leaf, line 1")
    kind.bad("bom", "\ufeff" + leaf, "unknown", "not known here", "state leaf, line 1")
    for name, count in [("leading-zero", "017"), ("minus", "-17"), ("count-2-64", str(1 << 64)), ("no-count", "")]:
        bad(name, leaf.replace("\n17\n", f"\n{count}\n"), "a decimal number", 2)
    for name, new in [("version-0", f"0 {digest}"), ("version-1000001", f"1000001 {digest}"), ("no-digest", "1"),
                      ("digest-not-canonical", "1 " + flip_last_bits(digest)), ("digest-hex", "1 " + "00" * 32), ("two-spaces", f"1  {digest}")]:
        bad(f"charter-{name}", leaf.replace(f"1 {digest}", new), "a charter version", 3)
    for name, line in [
        ("empty-line", ""), ("two-parts", "a 1"), ("two-spaces", f"a  1 {root}"), ("reserved", f"@others 1 {root}"), ("capital", f"Licences 1 {root}"),
        ("up", f"../x 1 {root}"), ("three-levels", f"a/b/c 1 {root}"), ("rows-leading-zero", f"a 01 {root}"), ("root-not-canonical", f"a 1 {flip_last_bits(root)}"),
        ("accent", f"caf\u00e9 1 {root}"), ("field-digit", f"a/1 1 {root}"),
    ]:
        bad(f"map-{name}", head + line + "\n", "a map's name", 4)
    bad("not-sorted", head + f"b 1 {root}\na 1 {root}\n", "not sorted", 5)
    bad("twice", head + f"a 1 {root}\na 1 {root}\n", "not sorted", 5)
    return kind


def all_kinds():
    return [
        notes(), checkpoints(), cosignatures(), keys(), tlog_proofs(), requests(), map_proofs(), *tiles(), policies(), state_leaves()]
