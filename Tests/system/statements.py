"""Statements signed outside of Entente: JSON Web Signatures by an officer's key file."""

import base64
import datetime
import hashlib
import json
import time
import urllib.parse

from cryptography.hazmat.primitives.serialization import load_pem_private_key

from program import PASSPHRASE

TYPES = {
    "roster": "entente-roster+jwt",
    "register": "entente-register+jwt",
    "attestation": "vc+jwt",
    "document": "entente-document+jwt",
    "retraction": "entente-retraction+jwt",
    "endorsement": "entente-endorsement+jwt",
}
KINDS = ["approval", "attestation", "declaration", "document", "endorsement", "register", "retraction"]


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def from_base64url(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def instant(seconds=None):
    moment = datetime.datetime.fromtimestamp(time.time() if seconds is None else seconds, datetime.timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def load_key(path):
    """A private key of a key file: PKCS #8 encrypted by scrypt and AES, which every tool reads."""
    return load_pem_private_key(path.read_bytes(), PASSPHRASE.encode())


def sign(key, kid, typ, payload):
    """A JWS in compact form."""
    header = json.dumps({"alg": "EdDSA", "typ": typ, "kid": kid}, separators=(",", ":")).encode()
    body = json.dumps(payload, separators=(",", ":"), ensure_ascii=False).encode()
    signed = f"{base64url(header)}.{base64url(body)}"
    return f"{signed}.{base64url(key.sign(signed.encode()))}"


class Speaker:
    """A member's key that signs statements in its log."""

    def __init__(self, key, member, name, alliance):
        self.key, self.member, self.name, self.alliance = key, member, name, alliance

    def sign(self, kind, payload):
        return sign(self.key, f"{self.member}#{self.name}", TYPES[kind], payload)

    def claims(self):
        return {"iss": self.member, "alliance": base64url(self.alliance), "iat": int(time.time())}

    def definition(self, name, version, descriptor):
        return self.sign("register", self.claims() | {"name": name, "version": version, "descriptor": descriptor})

    def attestation(self, register, key, status, valid_from=None, supersedes=(), **fields):
        payload = {
            "@context": [
                "https://www.w3.org/ns/credentials/v2",
                "https://www.w3.org/ns/credentials/undefined-terms/v2",
            ],
            "type": ["VerifiableCredential"],
            "issuer": self.member,
            "alliance": base64url(self.alliance),
            "iat": int(time.time()),
            "validFrom": valid_from or instant(time.time() - 60),
            "credentialSubject": {
                "id": f"urn:entente:{register}:{urllib.parse.quote(key, safe='-._~')}",
                "register": register,
                "key": key,
                "status": status,
                "fields": fields,
            },
        }
        if supersedes:
            payload["supersedes"] = [base64url(one) for one in supersedes]
        return self.sign("attestation", payload)

    def endorsement(self, identity, member, register, key, kind="adopts"):
        return self.sign(
            "endorsement",
            self.claims()
            | {"identity": base64url(identity), "member": member, "register": register, "key": key, "type": kind},
        )

    def document(self, work, data):
        return self.sign(
            "document",
            self.claims()
            | {
                "work": work,
                "language": "en",
                "date": "2025-07-31",
                "title": "Test",
                "mediaType": "text/plain",
                "size": len(data),
                "sha256": base64url(hashlib.sha256(data).digest()),
            },
        )


class Officer(Speaker):
    """An officer by a key file that `entente keys new` made."""

    def __init__(self, path, member, name, alliance):
        super().__init__(load_key(path), member, name, alliance)
