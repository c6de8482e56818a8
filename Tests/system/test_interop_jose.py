"""Two widely used JOSE libraries verify our attestations, and refuse changed ones."""

import json

import joserfc.jws
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from alliance import member_id
from statements import base64url, from_base64url


@pytest.fixture(scope="module")
def attestation(alliance):
    """An attestation that the command line signed, as another member's node shows it."""
    done = alliance["pk"].cli(
        "publish",
        "entry",
        "vasp-licences",
        "--key",
        "PK-JOSE",
        "--status",
        "authorised",
        "--from",
        "2026-01-02",
        "--field",
        "legalName=Karakoram Exchange Ltd (سڪر)",
        "--field",
        "competentAuthority=Test authority",
        "--sign-with",
        "ayesha",
        "--keys",
        alliance["pk"].keys,
        "--json",
    )
    last = json.loads(done.stdout)["last"]
    alliance["imf"].receipts("pk", last, ["imf"])
    entries = json.loads(alliance["imf"].cli("entries", "--member", "pk", "--json").stdout)["entries"]
    index = next(
        entry["index"] for entry in reversed(entries) if entry["kind"] == "attestation" and entry["key"] == "PK-JOSE"
    )
    return alliance["imf"].get("/v1/entry", member="pk", index=index)["raw"]


@pytest.fixture(scope="module")
def jwk(alliance):
    """The officer's key as the member's roster, entry 0 of its log, lists it."""
    roster = alliance["imf"].get("/v1/entry", member="pk", index=0)
    assert roster["entry"]["kind"] == "roster"
    payload = json.loads(from_base64url(roster["raw"].split(".")[1]))
    key = next(officer["key"] for officer in payload["officers"] if officer["name"] == "ayesha")
    # And that is the one in the file that the officer handed over.
    handed = json.loads((alliance["pk"].keys / "ayesha.pub").read_text())
    assert handed["key"] == key["x"]
    return key


def changed(token, change):
    """The same signature under another payload."""
    header, payload, signature = token.split(".")
    claims = json.loads(from_base64url(payload))
    change(claims)
    return f"{header}.{base64url(json.dumps(claims, separators=(',', ':')).encode())}.{signature}"


def revoke(claims):
    claims["credentialSubject"]["status"] = "revoked"


def check(header, claims):
    assert header == {"alg": "EdDSA", "typ": "vc+jwt", "kid": f"{member_id('pk')}#ayesha"}
    assert claims["issuer"] == member_id("pk") and "vc" not in claims
    assert claims["@context"][0] == "https://www.w3.org/ns/credentials/v2"
    assert "VerifiableCredential" in claims["type"]
    assert claims["validFrom"] == "2026-01-02T00:00:00+05:00"
    subject = claims["credentialSubject"]
    assert (subject["key"], subject["status"]) == ("PK-JOSE", "authorised")
    assert subject["id"] == "urn:entente:vasp-licences:PK-JOSE"
    assert subject["fields"]["legalName"] == "Karakoram Exchange Ltd (سڪر)"


def test_joserfc(attestation, jwk):
    key = OKPKey.import_key(jwk)
    found = joserfc.jws.deserialize_compact(attestation, key, algorithms=["EdDSA"])
    check(found.headers(), json.loads(found.payload))
    with pytest.raises(JoseError):
        joserfc.jws.deserialize_compact(changed(attestation, revoke), key, algorithms=["EdDSA"])


def test_pyjwt(attestation, jwk):
    key = Ed25519PublicKey.from_public_bytes(from_base64url(jwk["x"]))
    found = jwt.decode_complete(attestation, key, algorithms=["EdDSA"], options={"verify_aud": False})
    check(found["header"], found["payload"])
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(changed(attestation, revoke), key, algorithms=["EdDSA"])


def test_every_bit_of_a_signature_counts(attestation, jwk):
    """A signature with any one bit turned is refused by both."""
    header, payload, signature = attestation.split(".")
    raw = from_base64url(signature)
    ours = OKPKey.import_key(jwk)
    theirs = Ed25519PublicKey.from_public_bytes(from_base64url(jwk["x"]))
    for bit in range(0, len(raw) * 8, 7):
        turned = bytearray(raw)
        turned[bit // 8] ^= 1 << bit % 8
        token = f"{header}.{payload}.{base64url(bytes(turned))}"
        with pytest.raises(JoseError):
            joserfc.jws.deserialize_compact(token, ours, algorithms=["EdDSA"])
        with pytest.raises(jwt.InvalidSignatureError):
            jwt.decode(token, theirs, algorithms=["EdDSA"])


def test_no_key_of_another_officer(attestation, alliance):
    """The other officer's key verifies nothing that this one signed."""
    other = json.loads((alliance["pk"].keys / "omar.pub").read_text())["key"]
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(attestation, Ed25519PublicKey.from_public_bytes(from_base64url(other)), algorithms=["EdDSA"])
