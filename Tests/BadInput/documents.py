"""Cases of statements.md, charter.md, proof-files.md and of register definitions, and of the JSON beneath them."""

import copy
import json

from corpus import (
    BOM, HERE, Kind, b64, b64url, compact, flip_last_bits, json_traps, jws, private_key, public_bytes, vectors, vkey)

MEMBER = "did:web:pk.alliance.example"
AYESHA = f"{MEMBER}#ayesha"
STATEMENTS = {one["kind"]: json.loads(one["payload"]) for one in vectors("statements")["statements"] if "kind" in one}
DIGEST = "sCLF-uMjvYfdEoMALBNZwTrIyu8H5fRWdNJI3MAo0nA"
MISSING = object()


def changed(value, path, new):
    """A deep copy with one member replaced or, with MISSING, removed; `path` as in places: a.b[0].c"""
    result = copy.deepcopy(value)
    target = result
    steps = [int(step) if step.isdigit() else step for step in path.replace("[", ".").replace("]", "").split(".")]
    for step in steps[:-1]:
        target = target[step]
    if new is MISSING:
        del target[steps[-1]]
    else:
        target[steps[-1]] = new
    return result


def json_texts():
    kind = Kind("json")
    kind.good("object", '{"a":[1,-1.5,true,false,null,"\\ud83d\\ude00"],"\u00e9":1,"e\u0301":2}')
    kind.good("depth-32", "[" * 32 + "]" * 32)
    kind.good("integer-2-53-less-1", "[9007199254740991,-9007199254740991]")
    for name, text, says in json_traps():
        at = {
            "bom": 0, "depth-33": 32, "duplicate": 7, "duplicate-escaped": 7, "trailing": 3, "trailing-comma": 7,
            "unclosed": 6, "integer-2-53": 5, "integer-minus-2-53": 5, "integer-2-64": 5, "minus-zero": 5,
            "leading-zero": 5, "plus": 5, "exponent": 6, "open-fraction": 7, "long-number": 5, "nan": 5,
            "lone-high-surrogate": 6, "lone-low-surrogate": 6, "surrogates-swapped": 6, "bad-escape": 6,
            "short-escape": 6, "control": 6, "line-end-in-string": 6, "not-utf8": 6, "overlong": 6,
            "surrogate-in-utf8": 6, "beyond-unicode": 6, "comment": 7, "single-quotes": 1, "open-string": 5,
            "nul-after": 2, "utf16": 1,
        }[name]
        kind.bad(name, text, "json", says.split(": ")[-1], f"byte {at}")
    kind.bad("depth-100000", "[" * 100_000, "json", "nested deeper than 32", "byte 32")
    kind.bad("empty", "", "json", "ends where a value is due", "byte 0")
    kind.bad("blank", " \n\t\r ", "json", "ends where a value is due", "byte 5")
    kind.bad("duplicate-late", "{" + ",".join(f'"{index}":1' for index in range(40)) + ',"7":1}', "json", "stands twice", "byte 271")
    many = "{" + ",".join(f'"{index}":1' for index in range(4097)) + "}"
    kind.bad("4097-members", many, "json", "more than 4096 members", "byte " + str(many.index('"4096"')))
    kind.bad("word", "tru", "json", "not a JSON value", "byte 0")
    kind.bad("capital-word", "True", "json", "not a JSON value", "byte 0")
    kind.bad("vertical-tab", "\v1", "json", "not a JSON value", "byte 0")
    kind.bad("no-break-space", "\u00a01", "json", "not a JSON value", "byte 0")
    return kind


def signed(value, kid=AYESHA, typ=None, key="pk officer ayesha", header=None):
    text = value if isinstance(value, (str, bytes)) else compact(value)
    return jws(text, kid, typ or "vc+jwt", private_key(key), header)


TYPES = {name: f"entente-{name}+jwt" for name in STATEMENTS} | {"attestation": "vc+jwt"}


def statements():
    kind = Kind("statements")
    base = STATEMENTS["attestation"]
    plain = signed(base)
    for name in STATEMENTS:
        if name != "roster":
            kind.good(name, signed(STATEMENTS[name], typ=TYPES[name]))
    head, body, tail = plain.split(".")
    lost, field = "malformed", "invalidField"
    for name, text, says in [
        ("empty", "", "two points"), ("one-point", f"{head}.{body}", "two points"), ("no-points", "x", "two points"),
        ("three-points", plain + ".e30", "not 64 bytes"), ("padding", f"{head}=.{body}.{tail}", "header is not canonical"),
        ("payload-padding", f"{head}.{body}=.{tail}", "payload is not canonical"),
        ("payload-not-canonical", f"{head}.{flip_last_bits(b64url('{}'))}.{tail}", "payload is not canonical"),
        ("payload-standard-base64", f"{head}.{b64(b'{}?>')}+.{tail}", "payload is not canonical"),
        ("signature-cut", plain[:-1], "not 64 bytes"), ("signature-not-canonical", f"{head}.{body}.{flip_last_bits(tail)}", "not 64 bytes"),
        ("signature-empty", f"{head}.{body}.", "not 64 bytes"), ("newline", plain + "\n", "not 64 bytes"),
        ("space-before", " " + plain, "header is not canonical"), ("bom", BOM + plain.encode(), "header is not canonical"),
        ("header-empty", f".{body}.{tail}", "the protected header is not valid JSON"),
    ]:
        kind.bad(name, text, lost, says)

    def header(**members):
        return compact({"alg": "EdDSA", "kid": AYESHA, "typ": "vc+jwt"} | members)

    for name, text, says, at in [
        ("alg-none", header(alg="none"), "alg must be EdDSA", "header.alg"), ("alg-hs256", header(alg="HS256"), "alg must be EdDSA", "header.alg"),
        ("alg-lower-case", header(alg="eddsa"), "alg must be EdDSA", "header.alg"), ("alg-number", header(alg=1), "alg must be EdDSA", "header.alg"),
        ("kid-no-hash", header(kid=MEMBER), "kid must be", "header.kid"), ("kid-two-hashes", header(kid=AYESHA + "#x"), "kid must be", "header.kid"),
        ("kid-capital", header(kid=f"{MEMBER}#Ayesha"), "kid must be", "header.kid"), ("kid-path", header(kid=f"{MEMBER}#../x"), "kid must be", "header.kid"),
        ("kid-slash", header(kid=f"{MEMBER}#a/b"), "kid must be", "header.kid"), ("kid-no-did", header(kid="pk#ayesha"), "kid must be", "header.kid"),
        ("kid-upper-domain", header(kid="did:web:PK.example#ayesha"), "kid must be", "header.kid"),
        ("header-duplicate", '{"alg":"none","alg":"EdDSA","kid":"x","typ":"vc+jwt"}', "stands twice", ""),
        ("header-list", "[]", "must be an object", "header"), ("header-crit", header(crit=["b64"], b64=False), "not a member known", "header.crit"),
        ("header-jwk", header(jwk={}), "not a member known", "header.jwk"), ("header-x5u", header(x5u="https://x"), "not a member known", "header.x5u"),
        ("no-alg", compact({"kid": AYESHA, "typ": "vc+jwt"}), "is missing", "header.alg"), ("no-kid", compact({"alg": "EdDSA", "typ": "vc+jwt"}), "is missing", "header.kid"),
        ("no-typ", compact({"alg": "EdDSA", "kid": AYESHA}), "is missing", "header.typ"), ("typ-number", header(typ=1), "must be a string", "header.typ"),
    ]:
        code = lost if "must be EdDSA" in says or "kid must" in says or "twice" in says else field
        kind.bad(name, signed(base, header=text), code, says, at)
    kind.bad("typ-unknown", signed(base, typ="entente-spell+jwt"), "unknown", "no kind of statement")
    kind.bad("typ-in-capitals", signed(base, typ="VC+JWT"), "unknown", "no kind of statement")
    kind.bad("typ-of-a-charter", signed(base, typ="entente-charter+json"), "unknown", "no kind of statement")
    for name, text, says in json_traps():
        if name in ("bom", "depth-33", "duplicate", "duplicate-escaped", "integer-2-53", "lone-high-surrogate", "trailing", "overlong"):
            kind.bad(f"payload-{name}", signed(text), lost, says)
    kind.bad("payload-list", signed("[]"), field, "must be an object")
    kind.bad("issuer-of-another-member", signed(changed(base, "issuer", "did:web:sv.alliance.example")), "notPermitted", "not of the issuer")
    general = compact({"payload": body, "signatures": [{"protected": head, "signature": tail}]})
    kind.bad("general-form", general, lost, "only a roster")
    kind.bad("too-long", signed(changed(base, "credentialSubject.fields.legalName", "x" * 48_600)), "limit", "at most 65535 bytes")

    def case(name, what, path, new, code, says, at=None):
        kind.bad(name, signed(changed(STATEMENTS[what], path, new), typ=TYPES[what]), code, says, path if at is None else at)

    who, subject = "attestation", "credentialSubject"
    case("no-status", who, f"{subject}.status", MISSING, field, "is missing")
    case("status-number", who, f"{subject}.status", 1, field, "must be a string")
    case("status-empty", who, f"{subject}.status", "", field, "must not be empty")
    case("no-subject", who, subject, MISSING, field, "is missing")
    case("subject-of-another-key", who, f"{subject}.id", "urn:entente:vasp-licences:PK-0118", field, "urn:entente")
    case("subject-not-escaped", who, f"{subject}.key", "PK 0117", field, "urn:entente", f"{subject}.id")
    case("key-too-long", who, f"{subject}.key", "x" * 1025, field, "longer than 1024 bytes")
    case("register-capital", who, f"{subject}.register", "Licences", field, "cannot name a register")
    case("register-path", who, f"{subject}.register", "../rosters", field, "cannot name a register")
    case("register-reserved", who, f"{subject}.register", "@rosters", field, "cannot name a register")
    case("fields-list", who, f"{subject}.fields", [], field, "must be an object")
    case("no-fields", who, f"{subject}.fields", MISSING, field, "is missing")
    case("vc-claim", who, "vc", {}, field, "VC 2.0 has no vc claim")
    case("no-context", who, "@context", MISSING, field, "is missing")
    case("context-alone", who, "@context", ["https://www.w3.org/ns/credentials/v2"], field, "must begin with")
    case("context-in-other-order", who, "@context", base["@context"][::-1], field, "must begin with")
    case("context-v1", who, "@context[0]", "https://www.w3.org/2018/credentials/v1", field, "must begin with", "@context")
    case("type-other", who, "type", ["VerifiablePresentation"], field, "must include VerifiableCredential")
    case("valid-until-before", who, "validUntil", "2026-11-20T13:00:00+05:00", field, "must be after validFrom")
    case("valid-until-same-instant", who, "validUntil", "2026-11-21T08:00:00Z", field, "must be after validFrom")
    for name, text in [
        ("no-zone", "2026-11-21T13:00:00"), ("plus-zero", "2026-11-21T13:00:00+00:00"), ("lower-case", "2026-11-21t13:00:00z"), ("leap-second", "2026-12-31T23:59:60Z"),
        ("fraction", "2026-11-21T13:00:00.5Z"), ("february-30", "2026-02-30T00:00:00Z"), ("date-only", "2026-11-21"), ("hour-24", "2026-11-21T24:00:00Z"), ("year-10000", "10000-01-01T00:00:00Z"),
        ("arabic-digits", "\u0662026-11-21T13:00:00Z"), ("space", "2026-11-21 13:00:00Z"), ("year-0", "0000-01-01T00:00:00Z"),
    ]:
        case(f"time-{name}", who, "validFrom", text, field, "must be an RFC 3339 time")
    case("supersedes-twice", who, "supersedes", [DIGEST, DIGEST], field, "one identity stands twice")
    case("supersedes-not-canonical", who, "supersedes", [flip_last_bits(DIGEST)], field, "base64url SHA-256", "supersedes[0]")
    case("supersedes-1025", who, "supersedes", ["A" * 43] * 1025, field, "list of 0 to 1024")
    case("iat-text", who, "iat", "1795248000", field, "whole number")
    case("iat-negative", who, "iat", -1, field, "whole number")
    case("iat-fraction", who, "iat", 1.5, field, "whole number")
    case("no-alliance", who, "alliance", MISSING, field, "is missing")
    case("alliance-hex", who, "alliance", "00" * 32, field, "base64url SHA-256")
    case("alliance-padded", who, "alliance", base["alliance"] + "=", field, "base64url SHA-256")
    case("issuer-in-iss", "document", "iss", MISSING, field, "is missing")
    case("work-with-up", "document", "work", "/akn/pk/../../etc/passwd", field, "Akoma Ntoso")
    case("work-with-backslash", "document", "work", "/akn/pk\\x/y", field, "Akoma Ntoso")
    case("work-with-percent", "document", "work", "/akn/pk/%2e%2e/x", field, "Akoma Ntoso")
    case("work-not-akn", "document", "work", "/etc/passwd", field, "Akoma Ntoso")
    case("work-in-capitals", "document", "work", "/akn/PK/act", field, "Akoma Ntoso")
    case("work-ends-in-slash", "document", "work", "/akn/pk/act/", field, "Akoma Ntoso")
    case("document-date", "document", "date", "2025-02-30", field, "YYYY-MM-DD")
    case("document-date-time", "document", "date", "2025-08-31T", field, "longer than 10 bytes")
    case("size-2-30-plus-1", "document", "size", (1 << 30) + 1, field, "whole number")
    case("size-negative", "document", "size", -1, field, "whole number")
    case("relation-unknown", "document", "relations[0].type", "improves", field, "amends, repeals", "relations[0]")
    case("relation-65", "document", "relations", [{}] * 65, field, "list of 0 to 64")
    case("no-targets", "retraction", "targets", [], field, "list of 1 to 1024")
    case("target-twice", "retraction", "targets", STATEMENTS["retraction"]["targets"] * 2, field, "one identity stands twice")
    case("reason-unknown", "retraction", "reason", "regret", field, "must be one of")
    case("endorsed-member", "endorsement", "member", "sv", field, "a member's id")
    case("endorsement-type", "endorsement", "type", "loves", field, "adopts, recognises or notes")
    case("approval-of-nothing", "approval", "identities", [], field, "list of 1 to 1024")
    case("approval-twice", "approval", "identities", [DIGEST, DIGEST], field, "one identity stands twice")
    case("rows-2-53", "declaration", "rows", -1, field, "whole number")
    case("descriptor-padded", "register", "descriptor", "e30=", lost, "canonical base64url")
    case("register-version-0", "register", "version", 0, field, "whole number")
    return kind


ROSTER = STATEMENTS["roster"]
SMALL_ORDER = b"\1" + bytes(31)


def rosters():
    kind = Kind("rosters")
    root = {"kid": f"{MEMBER}#root-1", "typ": TYPES["roster"], "key": "pk root-1"}
    plain = signed(ROSTER, **root)
    kind.good("plain", plain)
    kind.good("unknown-kind-permits-nothing", signed(changed(ROSTER, "officers[0].kinds", ["spell"]), **root))
    head, body, tail = plain.split(".")
    one = {"protected": head, "signature": tail}
    kind.good("general-form", compact({"payload": body, "signatures": [one]}))
    other = signed(ROSTER, kid=f"{MEMBER}#root-1", key="pk root-1").split(".")
    lost, field, key = "malformed", "invalidField", "badKey"
    for name, value, code, says, at in [
        ("no-signature", {"payload": body, "signatures": []}, field, "list of 1 to 64", "signatures"),
        ("65-signatures", {"payload": body, "signatures": [one] * 65}, field, "list of 1 to 64", "signatures"),
        ("unprotected-header", {"payload": body, "signatures": [one | {"header": {}}]}, field, "not a member known", "signatures[0].header"),
        ("more-members", {"payload": body, "signatures": [one], "more": 1}, field, "not a member known", "more"),
        ("signature-number", {"payload": body, "signatures": [one | {"signature": 1}]}, lost, "must be strings", "signatures[0]"),
        ("payload-not-canonical", {"payload": body + "=", "signatures": [one]}, lost, "canonical base64url", "payload"),
        ("two-types", {"payload": body, "signatures": [one, {"protected": other[0], "signature": tail}]}, lost, "different types", ""),
        ("second-header-bad", {"payload": body, "signatures": [one, {"protected": "e30", "signature": tail}]}, field, "is missing", "signatures[1].header.alg"),
    ]:
        kind.bad(name, compact(value), code, says, at)
    kind.bad("signatures-twice", compact({"payload": body, "signatures": [one]})[:-1] + ',"signatures":[]}', lost, "stands twice")

    def case(name, path, new, code, says, at=None):
        kind.bad(name, signed(changed(ROSTER, path, new), **root), code, says, path if at is None else at)

    case("ordinal-1-without-previous", "ordinal", 1, field, "from ordinal 1 on", "previous")
    case("ordinal-0-with-previous", "previous", DIGEST, field, "from ordinal 1 on")
    case("ordinal-negative", "ordinal", -1, field, "whole number")
    case("ordinal-text", "ordinal", "0", field, "whole number")
    case("no-officers", "officers", MISSING, field, "is missing")
    case("257-officers", "officers", [{}] * 257, field, "list of 0 to 256")
    case("officer-twice", "officers[1].name", "ayesha", key, "have one name", "")
    case("key-twice", "officers[1].key", ROSTER["officers"][0]["key"], key, "one key stands twice", "officers")
    for name, text in [("capital", "Ayesha"), ("path", "../ayesha"), ("slash", "a/b"), ("point-first", ".hidden"), ("accent", "r\u00e9mi")]:
        case(f"officer-name-{name}", "officers[0].name", text, key, "cannot name a key")
    case("officer-more", "officers[0].more", 1, field, "not a member known")
    case("key-p256", "officers[0].key.crv", "P-256", key, "OKP key on Ed25519", "officers[0].key")
    case("key-private", "officers[0].key.d", "AAAA", field, "not a member known")
    case("key-31-bytes", "officers[0].key.x", b64url(bytes(31)), key, "has 32 bytes", "officers[0].key")
    case("key-not-canonical-base64", "officers[0].key.x", flip_last_bits(ROSTER["officers"][0]["key"]["x"]), key, "canonical base64url")
    case("key-small-order", "officers[0].key.x", b64url(SMALL_ORDER), key, "small order", "officers[0].key")
    case("key-zero", "officers[0].key.x", b64url(bytes(32)), key, "small order", "officers[0].key")
    case("key-not-canonical", "officers[0].key.x", b64url(b"\xee" + b"\xff" * 30 + b"\x7f"), key, "not canonically encoded", "officers[0].key")
    case("node-twice", "nodes", ROSTER["nodes"] * 2, key, "have one name", "")
    case("node-name", "nodes[0].name", "Node 1", key, "cannot name a node")
    case("node-http", "nodes[0].addresses", ["http://x:1"], field, "https://")
    case("node-9-addresses", "nodes[0].addresses", ["https://x:1"] * 9, field, "list of 0 to 8")
    case("node-no-keys", "nodes[0].tls", [], field, "list of 1 to 8")
    case("node-key-hex", "nodes[0].tls[0]", "00" * 32, field, "base64url SHA-256")
    return kind


CHARTER = json.loads(vectors("charters")["charters"][0]["payload"])
SIGNERS = ["pk", "sv", "us"]


def charter_file(payload, signers=SIGNERS, wrong=None, typ="entente-charter+json", key=1):
    text = payload if isinstance(payload, (str, bytes)) else compact(payload)
    signatures = []
    for name in signers:
        own = private_key(f"{wrong or name} root-{key}")
        head, _, tail = jws(text, f"did:web:{name}.alliance.example#root-{key}", typ, own).split(".")
        signatures.append({"protected": head, "signature": tail})
    return json.dumps({"payload": b64url(text), "signatures": signatures}, indent=2) + "\n"


def charters():
    kind = Kind("charters")
    lost, field, key = "malformed", "invalidField", "badKey"
    kind.good("all-signed", charter_file(CHARTER).rstrip())
    kind.good("observer-signed-too", charter_file(CHARTER, [*SIGNERS, "imf"]).rstrip())
    plain = charter_file(CHARTER)
    kind.bad("one-signature-missing", charter_file(CHARTER, ["pk", "sv"]), "badSignature", "still missing: us")
    kind.bad("observer-instead-of-regulator", charter_file(CHARTER, ["pk", "sv", "imf"]), "badSignature", "still missing: us")
    kind.bad("one-key-twice", charter_file(CHARTER, ["pk", "pk", "pk"]), "badSignature", "still missing: sv, us")
    kind.bad("strangers-signature", charter_file(CHARTER, ["pk", "sv", "us"], wrong="xx"), "badSignature", "does not verify", "signatures[0]")
    kind.bad("payload-changed", charter_file(CHARTER).replace(b64url(compact(CHARTER))[:200], b64url(compact(CHARTER).replace("Test", "Best"))[:200]),
             "badSignature", "does not verify", "signatures[0]")
    kind.bad("version-2", charter_file(changed(changed(CHARTER, "version", 2), "previous", DIGEST)), "unknown", "version 1")
    kind.bad("another-type", charter_file(CHARTER, typ="entente-roster+jwt"), lost, "is no charter")
    for name, content in [("empty", ""), ("compact-form", jws("{}", AYESHA, "entente-charter+json", private_key("pk root-1"))),
                          ("bom", BOM + plain.encode()), ("space-before", " " + plain), ("list", f"[{plain}]")]:
        kind.bad(name, content, lost, "a JSON object")
    kind.bad("trailing", plain + "{}", lost, "something follows")
    kind.bad("payload-twice", plain.replace("{", '{"payload": "e30",', 1), lost, "stands twice")
    kind.bad("payload-list", charter_file("[]"), field, "must be an object")
    kind.bad("draft", compact({"payload": b64url("{}"), "signatures": []}), field, "list of 1 to 64", "signatures")
    for name, text, says in json_traps():
        if name in ("duplicate", "depth-33", "integer-2-53", "lone-low-surrogate", "not-utf8"):
            kind.bad(f"payload-{name}", charter_file(text), lost, says)

    def case(name, path, new, code, says, at=None):
        kind.bad(name, charter_file(changed(CHARTER, path, new)), code, says, path if at is None else at)

    member = "members[0]"
    case("no-alliance", "alliance", MISSING, field, "is missing")
    case("alliance-too-long", "alliance", "x" * 201, field, "longer than 200")
    case("version-0", "version", 0, field, "whole number")
    case("version-1-with-previous", "previous", DIGEST, field, "from version 2 on")
    case("expires-before", "expires", "2026-11-20T08:00:00Z", field, "after the issue")
    case("expires-in-another-zone", "expires", "2026-11-20T13:00:00+05:00", field, "after the issue")
    case("threshold-half", "threshold", 1, field, "more than half")
    case("threshold-4-of-3", "threshold", 4, field, "more than half")
    case("threshold-0", "threshold", 0, field, "whole number")
    case("quorum-half", "quorum", 1, field, "so the quorum must be")
    case("quorum-4-of-3", "quorum", 4, field, "so the quorum must be")
    case("quorum-64", "quorum", 64, field, "whole number")
    case("no-members", "members", [], field, "list of 1 to 200")
    case("201-members", "members", [{}] * 201, field, "list of 1 to 200")
    case("cuts", "cuts", [{}], field, "version 1 has no cuts")
    case("more", "more", 1, field, "not a member known")
    case("member-more", f"{member}.more", 1, field, "not a member known")
    case("member-id-capital", f"{member}.id", "did:web:PK.example", field, "did:web: and a domain")
    case("member-id-twice", "members[1].id", MEMBER, key, "member id", "members")
    case("member-name-capital", f"{member}.name", "PK", field, "must be [a-z]")
    case("member-name-path", f"{member}.name", "../pk", field, "must be [a-z]")
    case("member-name-twice", "members[1].name", "pk", key, "short name", "members")
    case("member-title-empty", f"{member}.title", "", field, "must not be empty")
    case("country-three-letters", f"{member}.country", "PAK", field, "longer than 2")
    case("country-lower-case", f"{member}.country", "pk", field, "two capital letters")
    case("role-unknown", f"{member}.role", "king", field, "must be one of")
    case("standing-unknown", f"{member}.standing", "resting", field, "must be one of")
    case("no-root-keys", f"{member}.rootKeys", [], field, "list of 1 to 16")
    case("root-key-name-twice", f"{member}.rootKeys[1].name", "root-1", field, "two have one name", f"{member}.rootKeys")
    case("root-key-small-order", f"{member}.rootKeys[0].key.x", b64url(SMALL_ORDER), key, "small order", f"{member}.rootKeys[0]")
    case("root-key-of-another-member", "members[1].rootKeys[0].key", CHARTER["members"][0]["rootKeys"][0]["key"], key, "the key", "members")
    case("root-threshold-3-of-2", f"{member}.rootThreshold", 3, field, "from 1 to all")
    case("ca-twice", "members[1].ca", CHARTER["members"][0]["ca"], key, "member CA", "members")
    case("ca-hex", f"{member}.ca", "00" * 32, field, "base64url SHA-256")
    case("log-of-another-name", f"{member}.log.origin", "pk.alliance.example/log2", key, "must be the origin", f"{member}.log")
    case("log-key-bad", f"{member}.log.vkey", "pk.alliance.example/log+00000000+AQ==", key, "invalidKey")
    public = public_bytes(private_key("x"))
    origin = {"origin": "PK.example/../log", "vkey": vkey("PK.example/../log", 1, public)}
    case("log-origin-path", f"{member}.log", origin, field, "the origin must be")
    weak = {"origin": "pk.alliance.example/log", "vkey": vkey("pk.alliance.example/log", 1, SMALL_ORDER)}
    case("log-key-small-order", f"{member}.log", weak, key, "small order", f"{member}.log")
    cosigner = {"origin": "pk.alliance.example/log", "vkey": vkey("pk.alliance.example/log", 4, public)}
    case("log-key-of-a-cosigner", f"{member}.log", cosigner, field, "must be an Ed25519 key", f"{member}.log")
    case("replica-key-of-a-log", f"{member}.replica", vkey("pk.alliance.example/r", 1, public), field, "cosignature key")
    case("address-http", f"{member}.addresses", ["http://x:1"], field, "each https://host:port")
    case("9-addresses", f"{member}.addresses", ["https://x:1"] * 9, field, "list of 0 to 8")
    case("register-twice", "registers[1].name", "agreements", key, "the register agreements stands twice", "members")
    case("register-with-a-point", "registers[0].name", "pk.own", field, "cannot name a shared register", "registers")
    case("register-path", "registers[0].name", "../x", field, "cannot name a shared register", "registers")
    case("merge-unknown", "registers[0].merge", "never", field, "each, joint or by")
    case("merge-by-0", "registers[0]", CHARTER["registers"][0] | {"merge": "by", "k": 0}, field, "whole number", "registers[0].k")
    case("merge-by-all", "registers[0]", CHARTER["registers"][0] | {"merge": "by", "k": 4}, field, "k is out of range", "registers")
    case("merge-joint-of-none", "registers[0]", CHARTER["registers"][0] | {"merge": "joint", "writers": []}, field, "names no writer", "registers")
    case("merge-joint-stranger", "registers[0]", CHARTER["registers"][0] | {"merge": "joint", "writers": ["did:web:x"]}, "unknown", "is no member", "registers")
    case("definition-missing", "registers[0].definition", MISSING, field, "is missing")
    observers = copy.deepcopy(CHARTER)
    for one in observers["members"]:
        one["role"] = "observer"
    kind.bad("no-regulator", charter_file(observers), field, "no active regulator", "members")
    return kind


DEFINITION = json.loads((HERE.parent.parent / "Sources/Alliance/Registers/Definitions/warnings.json").read_text())


def definitions():
    kind = Kind("definitions")
    wrong = "invalidMember"
    kind.good("warnings", json.dumps(DEFINITION))
    kind.good("labels-in-other-languages", json.dumps(DEFINITION | {"title@ur": "x"}))
    for name, text, says in json_traps():
        if name in ("bom", "duplicate", "depth-33", "integer-2-53", "lone-high-surrogate", "trailing", "not-utf8", "exponent"):
            kind.bad(name, text, "malformed", says)
    kind.bad("list", "[]", wrong, "must be an object")
    kind.bad("too-long", json.dumps(DEFINITION | {"more": "x" * 33_000}), "limit", "longer than 32768")

    def case(name, path, new, code, says, at=None):
        kind.bad(name, json.dumps(changed(DEFINITION, path, new)), code, says, path if at is None else at)

    own = "fields[4]"
    case("name-capital", "name", "Warnings", wrong, "lower-case name")
    case("name-path", "name", "../warnings", wrong, "lower-case name")
    case("no-name", "name", MISSING, wrong, "is missing")
    case("no-version", "version", MISSING, wrong, "is missing")
    case("version-0", "version", 0, wrong, "whole number")
    case("version-text", "version", "1", wrong, "whole number")
    case("missing-values", "missingValues", ["", "n/a"], wrong, "where it is given")
    case("primary-key", "primaryKey", ["key"], wrong, "must be")
    case("no-entente", "entente", MISSING, wrong, "is missing")
    case("entente-more", "entente.more", 1, wrong, "is not known")
    case("no-statuses", "entente.statuses", [], wrong, "must not be empty")
    case("33-statuses", "entente.statuses", [{}] * 33, "limit", "more than 32")
    case("status-twice", "entente.statuses[1].name", "cleared", wrong, "stands twice")
    case("status-capital", "entente.statuses[0].name", "Cleared", wrong, "lower-case letters")
    case("status-permits-maybe", "entente.statuses[0].permitsBusiness", "maybe", wrong, "true or false")
    case("status-more", "entente.statuses[0].more", 1, wrong, "is not known")
    case("language-word", "language", "English language", wrong, "a tag of a language")
    case("titles-list", "titles", ["Advertencias"], wrong, "must be an object")
    case("titles-number", "titles.es", 7, wrong, "must be a string")
    case("titles-empty", "fields[4].titles.ur", "", wrong, "must be a string")
    case("titles-no-tag", "entente.statuses[0].titles", {"in Spanish": "x"}, wrong, "tags of languages")
    case("titles-33", "titles", {f"x{chr(97 + n // 26)}{chr(97 + n % 26)}": "x" for n in range(33)}, "limit", "more than 32")
    case("status-enum-differs", "fields[1].constraints.enum", ["cleared"], "inconsistent", "whose enum", "fields[1]")
    case("key-not-first", "fields[0].name", "keys", "inconsistent", "must be key", "fields[0]")
    case("valid-from-a-date", "fields[2].type", "date", "inconsistent", "of type datetime", "fields[2]")
    case("field-twice", f"{own}.name", "key", wrong, "stands twice")
    case("field-name-digit", f"{own}.name", "1st", wrong, "a letter or _")
    case("field-name-slash", f"{own}.name", "a/b", wrong, "a letter or _")
    case("field-name-accent", f"{own}.name", "autorit\u00e9", wrong, "a letter or _")
    case("type-unknown", f"{own}.type", "geopoint", wrong, "must be string, integer")
    case("type-uri", f"{own}.type", "uri", wrong, "must be string, integer")
    case("format-email", f"{own}.format", "email", wrong, "left out, or uri")
    case("constraint-unknown", f"{own}.constraints", {"jsonSchema": {}}, wrong, "is not known", f"{own}.constraints.jsonSchema")
    case("constraint-minimum-on-text", f"{own}.constraints", {"minimum": 1}, wrong, "is not known", f"{own}.constraints.minimum")
    case("required-text", f"{own}.constraints.required", "yes", wrong, "true or false")
    case("length-negative", f"{own}.constraints", {"minLength": -1}, wrong, "whole number", f"{own}.constraints.minLength")
    case("enum-empty", f"{own}.constraints", {"enum": []}, wrong, "different strings", f"{own}.constraints.enum")
    case("enum-twice", f"{own}.constraints", {"enum": ["a", "a"]}, wrong, "different strings", f"{own}.constraints.enum")
    case("enum-number", f"{own}.constraints", {"enum": [1]}, wrong, "different strings", f"{own}.constraints.enum")
    for name, pattern, says in [
        ("open-group", "(a", "a ( without its )"), ("open-class", "[a", "empty or open class"), ("empty-class", "[]", "empty or open class"), ("closing", "a)", "a ) that closes nothing"),
        ("anchor", "^a$", "an anchor"), ("look-ahead", "(?=a)", "unknown group"), ("back-reference", "(a)\\1", "unknown escape"), ("lazy", "a+?", "repeats a repetition"),
        ("possessive", "a++", "repeats a repetition"), ("star-alone", "*a", "stands for nothing"), ("states", "(a{1,100}){1,100}", "too many states"), ("count", "a{99999999999999999999}", "a repetition that is not one"),
        ("backwards", "a{3,2}", "a repetition that is not one"), ("range-backwards", "[z-a]", "a range that is not one"), ("backslash-end", "a\\", "ends in a backslash"),
        ("unicode-class", "\\p{L}", "unknown escape"), ("nested-33", "(" * 33 + "a" + ")" * 33, "nested too deeply"), ("too-long", "a" * 1025, "longer than 1,024"), ("class-in-class", "[[a]", "a [ inside a class"),
    ]:
        case(f"pattern-{name}", f"{own}.constraints", {"pattern": pattern}, "pattern", says, f"{own}.constraints.pattern")
    listed = f"fields[{[field['name'] for field in DEFINITION['fields']].index('domains')}]"
    case("list-of-numbers", f"{listed}.itemType", "integer", wrong, "the itemType string", f"{listed}.type")
    case("list-with-commas", f"{listed}.delimiter", ",", wrong, "the delimiter |", f"{listed}.type")
    case("items-of-a-text", f"{own}.itemConstraints", {}, wrong, "belongs to a list")
    case("key-form-unknown", "entente.key.form", "fuzzy", wrong, "must be one of", "entente.key.form")
    case("key-field-unknown", "entente.key", {"form": "exact", "field": "x"}, wrong, "must name a field", "entente.key.field")
    case("key-of-9-alternatives", "entente.key", {"form": "composite", "alternatives": [[]] * 9}, wrong, "lists of parts", "entente.key.alternatives")
    case("key-alternative-empty", "entente.key", {"form": "composite", "alternatives": [[]]}, wrong, "parts", "entente.key.alternatives[0]")
    case("lookup-unknown-field", "entente.lookups[0].field", "x", wrong, "must name a field")
    case("lookup-twice", "entente.lookups[1].field", "domains", wrong, "stands twice")
    case("lookup-erasable", "entente.lookups[0].field", "persons", wrong, "is erasable")
    case("17-lookups", "entente.lookups", [{}] * 17, "limit", "more than 16")
    case("erasable-unknown", "entente.erasable", ["x"], wrong, "must name fields")
    case("erasable-twice", "entente.erasable", ["persons", "persons"], wrong, "must name fields")
    case("title-too-long", "title", "x" * 2049, "limit", "longer than 2048")
    case("133-fields", "fields", [{}] * 133, "limit", "more than 132")
    case("no-own-field", "fields", DEFINITION["fields"][:4], wrong, "has no field of its own")
    return kind


PROOF_TEXT = vectors("proofs")["proofs"][3]["file"]
PROOF = json.loads(PROOF_TEXT)


def written(value):
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


assert written(PROOF) == PROOF_TEXT


def proof_files():
    kind = Kind("proof-files")
    lost, field = "malformed", "invalidField"
    for index in (0, 7, 10):
        kind.good(f"vector-{index}", vectors("proofs")["proofs"][index]["file"])
    style = "its order, spaces or escapes differ"
    backwards = dict(reversed(PROOF.items()))
    for name, content, says in [
        ("empty", "", "ends where a value is due"), ("bom", BOM + PROOF_TEXT.encode(), "byte-order mark"), ("compact", compact(PROOF), style), ("crlf", PROOF_TEXT.replace("\n", "\r\n"), style),
        ("tabs", PROOF_TEXT.replace("  ", "\t"), style), ("space-before", " " + PROOF_TEXT, style), ("newline-after", PROOF_TEXT + "\n", style), ("no-last-newline", PROOF_TEXT[:-1], style),
        ("other-order", written(backwards), style), ("escaped-letter", PROOF_TEXT.replace('"claim": "U', '"claim": "\\u0055'), style), ("escaped-slash", PROOF_TEXT.replace("/state/", "\\/state\\/", 1), style),
        ("two", PROOF_TEXT * 2, "something follows"), ("cut", PROOF_TEXT[:PROOF_TEXT.index("jws") + 30], "a string without an end"), ("claim-twice", PROOF_TEXT.replace("{", '{\n  "claim": "",', 1), "stands twice"),
        ("depth-33", "[" * 33, "nested deeper"), ("gzip", bytes.fromhex("1f8b0800000000000003"), "not a JSON value"), ("zip", b"PK\x03\x04" + bytes(30), "not a JSON value"), ("pdf", b"%PDF-1.7\n", "not a JSON value"),
    ]:
        kind.bad(name, content, lost, says)
    kind.bad("list", "[]\n", field, "must be an object")

    def case(name, path, new, code, says, at=None):
        kind.bad(name, written(changed(PROOF, path, new)), code, says, path if at is None else at)

    case("version-2", "entente-proof", 2, field, "another version")
    case("version-text", "entente-proof", "1", field, "another version")
    case("no-version", "entente-proof", MISSING, field, "is missing")
    case("claim-without-mark", "claim", "Pakistan says yes", field, "must begin with UNVERIFIED")
    case("claim-too-long", "claim", "UNVERIFIED: " + "x" * 4096, field, "longer than 4096")
    case("more", "more", 1, field, "not a member known")
    case("no-question", "question", MISSING, field, "is missing")
    case("question-more", "question.more", 1, field, "not a member known")
    case("question-member", "question.member", "pk", field, "a member's id")
    case("question-of-rosters", "question.register", "@rosters", field, "is due", "question.register")
    case("question-path", "question.register", "../../etc", field, "is due", "question.register")
    case("question-key-too-long", "question.key", "x" * 1025, field, "longer than 1024")
    case("question-on", "question.on", "2026-11-24", field, "RFC 3339")
    case("charter-version-0", "charter.version", 0, field, "whole number")
    case("charter-digest-cut", "charter.digest", PROOF["charter"]["digest"][:-1], field, "base64url SHA-256")
    case("rosters-object", "rosters", {}, field, "list of 0 to")
    case("roster-number", "rosters[0]", 1, field, "must be an object")
    case("roster-more", "rosters[0].more", 1, field, "not a member known")
    case("roster-index-2-53", "rosters[0].index", -1, field, "whole number")
    case("roster-proof-bad", "rosters[0].proof", "AAAA", lost, "depth")
    case("roster-proof-padded", "rosters[0].proof", PROOF["rosters"][0]["proof"] + "=", lost, "canonical base64url")
    case("roster-no-next", "rosters[0].next", MISSING, field, "is missing")
    case("roster-next-leaf-alone", "rosters[0].next.leaf", DIGEST, field, "not a member known")
    case("statement-index-negative", "statements[0].index", -1, field, "whole number")
    case("statement-empty", "statements[0].jws", "", field, "must not be empty")
    case("statement-too-long", "statements[0].jws", "x" * 65_536, field, "longer than 65535")
    case("1025-statements", "statements", [1] * 1025, field, "list of 0 to 1024")
    case("9-approvals", "statements[0].approvals", [{}] * 9, field, "list of 0 to 8")
    case("row-bad", "row", "AAEBAAA", lost, "after its end")
    case("row-not-canonical", "row", "AB==", lost, "canonical base64url")
    case("row-number", "row", 1, field, "must be a string")
    case("definition-empty", "definition", {}, field, "is missing", "definition.published")
    case("definition-more", "definition.more", 1, field, "not a member known")
    case("definition-digest", "definition.builtIn", "x", field, "base64url SHA-256")
    case("state-no-leaf", "state", "x", lost, "does not end", "state leaf, line 1")
    case("state-version-2", "state", PROOF["state"].replace("/v1", "/v2"), "unknown", "not known here", "state leaf, line 1")
    case("log-no-proof", "log", "x", lost, "no tlog-proof")
    case("log-with-extra", "log", PROOF["log"].replace("\nindex", "\nextra AA==\nindex"), field, "must have no extra data")
    case("log-64-hashes", "log", PROOF["log"].replace("\n\n", "\n" + (b64(bytes(32)) + "\n") * 64 + "\n", 1), lost, "more than 63 hashes")
    case("log-size-2-63", "log", "\n".join(["c2sp.org/tlog-proof@v1", "index 0", "", "x/y", str(1 << 63), b64(bytes(32)), "", PROOF["log"].splitlines()[-1], ""]), lost, "above 2^63 - 1")
    case("first-no-note", "first", "x", lost, "UTF-8 lines")
    case("first-number", "first", 1, field, "must be a string")
    return kind


def all_kinds():
    return [json_texts(), statements(), rosters(), charters(), definitions(), proof_files()]
