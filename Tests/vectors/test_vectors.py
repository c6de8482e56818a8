"""Reads Docs/specification/vectors as a stranger would: written from the specification alone, with none of our code.

Run by pytest, or alone: python3 Tests/vectors/test_vectors.py. Needs the package cryptography.
"""

import base64
import hashlib
import json
import pathlib
import struct

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "Docs" / "specification" / "vectors"


def load(name):
    return json.loads((FOLDER / f"{name}.json").read_text("utf-8"))


def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def b64(text):
    """Standard base64 in its one form; None for another."""
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        return None
    return data if base64.b64encode(data).decode() == text else None


def b64u(text):
    """Base64url without padding in its one form; None for another."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (ValueError, TypeError):
        return None
    return data if base64.urlsafe_b64encode(data).decode().rstrip("=") == text else None


def ed25519(key, signature, message):
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
        return True
    except (InvalidSignature, ValueError):
        return False


# Notes


def parse_vkey(text):
    parts = text.split("+", 2)
    if len(parts) != 3 or not parts[0] or any(c.isspace() for c in parts[0]):
        return None
    material = b64(parts[2])
    if material is None or len(material) != 33 or material[0] not in (1, 4):
        return None
    key_id = sha(parts[0].encode(), b"\n", material)[:4]
    return (parts[0], key_id, material[0], material[1:]) if key_id.hex() == parts[1] else None


def verify_note(text, vkeys):
    """The signed text; None if the note is malformed, a known key's line fails, or no known key signed."""
    if not text.endswith("\n") or any(ord(c) < 0x20 and c != "\n" for c in text):
        return None
    at = text.rfind("\n\n")
    if at < 0:
        return None
    body, lines = text[: at + 1], text[at + 2 :].split("\n")[:-1]
    if not lines:
        return None
    verified = 0
    for line in lines:
        parts = line.split(" ")
        if len(parts) != 3 or parts[0] != "\u2014":
            return None
        data = b64(parts[2])
        if data is None or len(data) < 5:
            return None
        for name, key_id, kind, key in vkeys:
            if name != parts[1] or key_id != data[:4]:
                continue
            if kind == 1 and not ed25519(key, data[4:], body.encode()):
                return None
            if kind == 4 and cosigned_at(body, key, data[4:]) is None:
                return None
            verified += 1
    return body if verified else None


def cosigned_at(body, key, data):
    if len(data) != 72:
        return None
    time = struct.unpack(">Q", data[:8])[0]
    message = f"cosignature/v1\ntime {time}\n{body}".encode()
    return time if time < 2**63 and ed25519(key, data[8:], message) else None


def test_notes():
    vectors = load("notes")
    for case in vectors["vkeys"]:
        assert (parse_vkey(case["vkey"]) is not None) == case["valid"], case
    for case in vectors["notes"]:
        body = verify_note(case["note"], [parse_vkey(k) for k in case["keys"]])
        assert (body is not None) == case["valid"], case
        assert not case["valid"] or body == case["text"]


def test_cosignatures():
    vectors = load("cosignatures")
    key = parse_vkey(vectors["vkey"])[3]
    for case in vectors["cosignatures"]:
        data = b64(case["line"].split(" ")[2].strip())
        time = cosigned_at(vectors["text"], key, data[4:])
        assert (time is not None) == case["valid"] and time == case.get("time"), case


def test_encodings():
    vectors = load("encodings")
    for case in vectors["base64"]:
        assert (b64(case["text"]) is not None) == case["valid"], case
    for case in vectors["base64url"]:
        assert (b64u(case["text"]) is not None) == case["valid"], case


# Trees


def tree_root(hashes):
    if not hashes:
        return sha()
    if len(hashes) == 1:
        return hashes[0]
    k = 1
    while k * 2 < len(hashes):
        k *= 2
    return sha(b"\x01", tree_root(hashes[:k]), tree_root(hashes[k:]))


def inclusion_root(leaf, index, size, proof):
    """RFC 9162, section 2.1.3.2; None if the proof has not the right length."""
    fn, sn, r = index, size - 1, leaf
    for p in proof:
        if sn == 0:
            return None
        if fn & 1 or fn == sn:
            r = sha(b"\x01", p, r)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = sha(b"\x01", r, p)
        fn, sn = fn >> 1, sn >> 1
    return r if sn == 0 else None


def consistent(old, old_root, size, root, proof):
    """RFC 9162, section 2.1.4.2."""
    if old == 0 or old == size:
        return not proof and (old == 0 or old_root == root)
    if not proof:
        return False
    path = list(proof)
    if old & (old - 1) == 0:
        path.insert(0, old_root)
    fn, sn = old - 1, size - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for c in path[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = sha(b"\x01", c, fr), sha(b"\x01", c, sr)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = sha(b"\x01", sr, c)
        fn, sn = fn >> 1, sn >> 1
    return fr == old_root and sr == root and sn == 0


def test_trees():
    vectors = load("trees")
    leaves = [sha(b"\x00", f"entry {i}".encode()) for i in range(300)]
    for case in vectors["roots"]:
        assert tree_root(leaves[: case["size"]]) == b64(case["root"]), case
    for case in vectors["inclusion"]:
        proof = [b64(h) for h in case["proof"]]
        root = inclusion_root(leaves[case["index"]], case["index"], case["size"], proof)
        assert (root == tree_root(leaves[: case["size"]])) == case["valid"], case
    for case in vectors["consistency"]:
        old, size, proof = case["from"], case["size"], [b64(h) for h in case["proof"]]
        good = consistent(old, tree_root(leaves[:old]), size, tree_root(leaves[:size]), proof)
        assert good == case["valid"], case


# Register maps

ZERO = bytes(32)


def bit(key, position):
    return key[position // 8] >> (7 - position % 8) & 1


def subtree(rows, depth):
    if not rows:
        return ZERO
    if len(rows) == 1 and depth > 0:
        return sha(b"\x02", *rows[0])
    left = [row for row in rows if not bit(row[0], depth)]
    right = [row for row in rows if bit(row[0], depth)]
    return sha(b"\x03", subtree(left, depth + 1), subtree(right, depth + 1))


def map_root(rows):
    hashed = [(sha(key), sha(row)) for key, row in rows]
    return subtree(hashed, 0) if hashed else sha(b"\x03", ZERO, ZERO)


def verify_map_proof(proof, key, row, root):
    """Presence of the row, or without one absence."""
    if len(proof) < 3:
        return False
    depth, terminal, rest = int.from_bytes(proof[:2], "big"), proof[2], proof[3:]
    if not 1 <= depth <= 256 or terminal > 2:
        return False
    k = sha(key)
    other = None
    if terminal == 2:
        other, rest = (rest[:32], rest[32:64]), rest[64:]
    size = (depth + 7) // 8
    bitmap, rest = rest[:size], rest[size:]
    if len(bitmap) < size:
        return False
    siblings = []
    for position in range(size * 8):
        if not bit(bitmap, position):
            siblings.append(ZERO)
            continue
        if position >= depth or len(rest) < 32 or rest[:32] == ZERO:
            return False
        siblings.append(rest[:32])
        rest = rest[32:]
    siblings = siblings[:depth]
    if rest or depth > 1 and siblings[0] == ZERO:
        return False
    if terminal == 1:
        if row is None:
            return False
        node = sha(b"\x02", k, sha(row))
    elif row is not None:
        return False
    elif terminal == 0:
        node = ZERO
    else:
        if other[0] == k or any(bit(other[0], i) != bit(k, i) for i in range(depth)):
            return False
        node = sha(b"\x02", *other)
    for position, sibling in enumerate(siblings):
        right = bit(k, depth - 1 - position)
        node = sha(b"\x03", sibling, node) if right else sha(b"\x03", node, sibling)
    return node == root


def sample_map(count):
    return [(f"key {i}".encode(), f"value {i}".encode()) for i in range(count)]


def test_register_maps():
    roots = {}
    for case in load("register-maps")["maps"]:
        roots[case["rows"]] = map_root(sample_map(case["rows"]))
        assert roots[case["rows"]].hex() == case["root"], case
    for case in load("map-proofs")["proofs"]:
        row = case["row"].encode() if "row" in case else None
        good = verify_map_proof(bytes.fromhex(case["proof"]), case["key"].encode(), row, roots[case["rows"]])
        assert good == case["valid"], case


# Statements, charter, log


def jws_parts(text):
    if text.startswith("{"):
        whole = json.loads(text)
        return whole["payload"], [(s["protected"], s["signature"]) for s in whole["signatures"]]
    header, payload, signature = text.split(".")
    return payload, [(header, signature)]


def test_charter():
    vectors = load("charters")
    keys = [bytes.fromhex(seed["publicKey"]) for seed in vectors["seeds"]]
    good = vectors["charters"][0]
    payload, signatures = jws_parts(good["file"])
    assert b64u(payload).decode() == good["payload"]
    assert sha(b64u(payload)).hex() == good["digest"]
    assert good["fingerprint"].replace(" ", "") == good["digest"][:12]
    for (header, signature), key in zip(signatures, keys, strict=True):
        assert json.loads(b64u(header))["typ"] == "entente-charter+json"
        assert ed25519(key, b64u(signature), f"{header}.{payload}".encode())


def test_statements():
    vectors = load("statements")
    keys = {key["name"]: bytes.fromhex(key["publicKey"]) for key in vectors["keys"]}
    for case in vectors["statements"]:
        if not case["valid"]:
            continue
        payload, signatures = jws_parts(case["entry"])
        header, signature = signatures[0]
        assert json.loads(b64u(header))["typ"] == case["typ"]
        assert ed25519(keys[case["signer"]], b64u(signature), f"{header}.{payload}".encode()), case
        assert b64u(payload).decode() == case["payload"]
        assert sha(case["entry"].encode()).hex() == case["identity"]
        assert sha(b"\x00", case["entry"].encode()).hex() == case["leaf"]


def test_log():
    vectors = load("logs")
    charter = json.loads(load("charters")["charters"][0]["payload"])
    member = next(m for m in charter["members"] if m["id"] == vectors["member"])
    keys = [parse_vkey(member["log"]["vkey"])]
    keys += [parse_vkey(m["replica"]) for m in charter["members"] if m["id"] != vectors["member"]]
    entries = [entry["entry"].encode() for entry in vectors["entries"]]
    hashes = [sha(b"\x00", entry) for entry in entries]
    for note in vectors["checkpoints"]:
        origin, size, root = verify_note(note, keys).split("\n")[:3]
        assert origin == member["log"]["origin"]
        assert tree_root(hashes[: int(size)]) == b64(root)
        assert entries[int(size) - 1].startswith(b"entente/state/v1\n%d\n" % (int(size) - 1))
    maps = {}
    for row in vectors["rows"]:
        maps.setdefault(row["map"], []).append((row["key"].encode(), bytes.fromhex(row["bytes"])))
        for start in range(0, len(bytes.fromhex(row["bytes"])), 40):
            item = bytes.fromhex(row["bytes"])[start : start + 40]
            assert hashes[int.from_bytes(item[:8], "big")] == item[8:]
    leaf = entries[-1].decode().split("\n")
    assert leaf[2] == f"1 {base64.b64encode(bytes.fromhex(load('charters')['charters'][0]['digest'])).decode()}"
    lines = [f"{name} {len(rows)} {base64.b64encode(map_root(rows)).decode()}" for name, rows in sorted(maps.items())]
    assert leaf[3:-1] == lines


def test_proof_files():
    """The parts of a proof that hold it together: the row under the leaf, the leaf under the checkpoint."""
    for case in load("proofs")["proofs"]:
        proof = json.loads(case["file"])
        question = proof["question"]
        name = question["register"] + (f"/{question['field']}" if "field" in question else "")
        lines = proof["state"].split("\n")
        roots = {line.split(" ")[0]: b64(line.split(" ")[2]) for line in lines[3:-1]}
        log = proof["log"].split("\n\n", 1)
        head = log[0].split("\n")
        origin, size, root = log[1].split("\n")[:3]
        index = int(head[1].removeprefix("index "))
        leaf = sha(b"\x00", proof["state"].encode())
        assert index == int(size) - 1 == int(lines[1])
        assert inclusion_root(leaf, index, int(size), [b64(h) for h in head[2:]]) == b64(root)
        items = [s["index"].to_bytes(8, "big") + sha(b"\x00", s["jws"].encode()) for s in reversed(proof["statements"])]
        if "row" in proof:
            row = b"".join(items) or None
            root = roots.get(name)
            good = root is not None and verify_map_proof(b64u(proof["row"]), question["key"].encode(), row, root)
            assert good or "row" in case["failed"], case
        for roster in proof["rosters"]:
            row = roster["index"].to_bytes(8, "big") + sha(b"\x00", roster["jws"].encode())
            key = str(roster["ordinal"]).encode()
            assert verify_map_proof(b64u(roster["proof"]), key, row, roots["@rosters"])


# Fork proofs


def proves_fork(text, key):
    """Whether a file shows that the log of this key told two stories (forks.md)."""
    try:
        fork = json.loads(text)
        notes = [fork["smaller"], fork["larger"]]
        bodies = [verify_note(note, [key]) for note in notes]
        (_, m, r), (_, n, s) = (body.rstrip("\n").split("\n") for body in bodies)
        m, r, n, s = int(m), b64(r), int(n), b64(s)
        names = ["entente-fork", "smaller", "larger"] + (["root", "proof"] if m < n else [])
        if text != json.dumps(fork, indent=2, ensure_ascii=False) + "\n" or list(fork) != names or fork[names[0]] != 1:
            return None
        if m == n:
            return (m, n) if notes[0].encode() < notes[1].encode() and r != s else None
        other, proof = b64u(fork["root"]), [b64u(one) for one in fork["proof"]]
        return (m, n) if 0 < m < n and other != r and consistent(m, other, n, s, proof) else None
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def test_forks():
    vectors = load("forks")
    key = parse_vkey(vectors["vkey"])
    for case in vectors["forks"]:
        found = proves_fork(case["file"], key)
        assert (found is not None) == case["valid"], case
        assert not case["valid"] or found == (case["smaller"], case["larger"])


# Incarnations


def incarnation(line):
    """The number and the bytes of an incarnation; None for anything else."""
    parts = line.split(" ")
    if len(parts) != 2 or not parts[0].isascii() or not parts[0].isdigit() or str(int(parts[0])) != parts[0]:
        return None
    value = b64(parts[1])
    number = int(parts[0])
    return (number, value) if value is not None and len(value) == 16 and 1 <= number <= 2**53 else None


def note_lines(note, key, first, count):
    """The lines of a note with one signature by that key; None for anything else."""
    body = verify_note(note, [key]) if len(note.encode()) <= 2048 else None
    if body is None or note.count("\u2014 ") != 1:
        return None
    lines = body[:-1].split("\n")
    return lines if len(lines) == count and lines[0] == first else None


def test_incarnations():
    vectors = load("incarnations")
    log, replica = parse_vkey(vectors["log"]), parse_vkey(vectors["replica"])
    for case in vectors["starts"]:
        lines = note_lines(case["note"], log, "entente/incarnation/v1", 3)
        read = incarnation(lines[2]) if lines and lines[1] == log[0] else None
        assert (read is not None) == case["valid"], case
        assert not case["valid"] or read == (case["number"], b64(case["value"]))
    for case in vectors["receipts"]:
        lines = note_lines(case["note"], replica, "entente/incarnation-receipt/v1", 5)
        good = lines is not None and lines[1] == log[0] and incarnation(lines[2]) is not None
        assert good == case["valid"], case
        if good:
            size, root = lines[3].split(" ")
            assert int(size) == case["size"] and len(b64(root)) == 32 and lines[4] == case["before"]
            assert lines[4] == "-" or incarnation(lines[4]) is not None


if __name__ == "__main__":
    for test in [value for name, value in sorted(globals().items()) if name.startswith("test_")]:
        test()
        print(f"{test.__name__}: ok")
