"""Certificates for probes: leaves of a member's own authority, and what a stranger might present."""

import datetime
import ipaddress
import subprocess

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from alliance import member_id
from statements import load_key

USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


BOTH = (ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH)


def name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def key_usage(*allowed):
    return x509.KeyUsage(**{usage: usage in allowed for usage in USAGES})


def build(subject, issuer, public_key, signing_key, extensions, begins=-1, ends=30):
    """A certificate; begins and ends are days from now."""
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + datetime.timedelta(days=begins))
        .not_valid_after(now + datetime.timedelta(days=ends))
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(signing_key, hashes.SHA256())


class Authority:
    """A member's certificate authority, or a stranger's."""

    def __init__(self, certificate, key):
        self.certificate, self.key = certificate, key

    @classmethod
    def of(cls, keys):
        """That of a folder of keys."""
        certificate = x509.load_pem_x509_certificate((keys / "authority.pem").read_bytes())
        return cls(certificate, load_key(keys / "authority.key"))

    @classmethod
    def new(cls, text):
        key = ec.generate_private_key(ec.SECP256R1())
        extensions = [
            (x509.BasicConstraints(ca=True, path_length=0), True),
            (key_usage("key_cert_sign"), True),
            (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
        ]
        return cls(build(name(text), name(text), key.public_key(), key, extensions, ends=3650), key)

    @property
    def key_digest(self):
        """SHA-256 of the SubjectPublicKeyInfo, as charters state it."""
        return key_digest(self.key.public_key())

    def again(self, ca=True):
        """Another certificate of the same key and name, perhaps of no authority."""
        extensions = [
            (x509.BasicConstraints(ca=ca, path_length=0 if ca else None), True),
            (key_usage("key_cert_sign"), True),
        ]
        subject = self.certificate.subject
        return Authority(build(subject, subject, self.key.public_key(), self.key, extensions, ends=3650), self.key)

    def leaf(self, uri, begins=-1, ends=30, usage=("digital_signature",), key=None, purposes=BOTH):
        """A leaf for a member's id, with its key."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        extensions = [
            (
                x509.SubjectAlternativeName(
                    [
                        x509.UniformResourceIdentifier(uri),
                        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
                    ]
                ),
                False,
            ),
            (key_usage(*usage), True),
            (x509.ExtendedKeyUsage(purposes), False),
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), False),
        ]
        certificate = build(
            name("probe"), self.certificate.subject, key.public_key(), self.key, extensions, begins, ends
        )
        return certificate, key


def key_digest(public_key):
    digest = hashes.Hash(hashes.SHA256())
    digest.update(public_key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo))
    return digest.finalize()


def pem_of(key):
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def self_signed(uri):
    """A leaf that nobody else signed."""
    authority = Authority.new("probe")
    return authority.leaf(uri, key=authority.key)


class Identity:
    """Files that a TLS client presents: a leaf and its authority in one PEM, and the key."""

    def __init__(self, folder, leaf, key, *authorities):
        folder.mkdir(parents=True, exist_ok=True)
        self.leaf, self.chain, self.key = folder / "leaf.pem", folder / "chain.pem", folder / "key.pem"
        pem = leaf.public_bytes(serialization.Encoding.PEM)
        above = b"".join(one.public_bytes(serialization.Encoding.PEM) for one in authorities if one)
        self.leaf.write_bytes(pem)
        self.chain.write_bytes(pem + above)
        self.authority = folder / "authority.pem"
        self.authority.write_bytes(above)
        self.key.write_bytes(pem_of(key))

    @classmethod
    def member(cls, folder, node):
        """A new leaf of a member's own authority, whose key no roster lists."""
        authority = Authority.of(node.keys)
        leaf, key = authority.leaf(f"did:web:{node.name}.alliance.example")
        return cls(folder, leaf, key, authority.certificate)

    @classmethod
    def rsa(cls, folder, uri, authority, bits):
        """A leaf with an RSA key of that size. It has several primes, only to have the key within a second; that is why
        openssl makes it."""
        folder.mkdir(parents=True)

        def openssl(*arguments):
            subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, cwd=folder)

        (folder / "authority.pem").write_bytes(authority.certificate.public_bytes(serialization.Encoding.PEM))
        (folder / "authority.key").write_bytes(pem_of(authority.key))
        (folder / "extensions").write_text(
            f"subjectAltName=URI:{uri}\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth,serverAuth\n"
        )
        openssl("genrsa", "-primes", "5", "-out", "key.pem", bits)
        openssl("req", "-new", "-key", "key.pem", "-subj", "/CN=probe", "-out", "request")
        sign = ("x509", "-req", "-in", "request", "-CA", "authority.pem", "-CAkey", "authority.key", "-CAcreateserial")
        openssl(*sign, "-extfile", "extensions", "-out", "leaf.pem")
        made = cls.__new__(cls)
        made.leaf, made.chain, made.key = folder / "leaf.pem", folder / "chain.pem", folder / "key.pem"
        made.authority = folder / "authority.pem"
        made.chain.write_bytes(made.leaf.read_bytes() + made.authority.read_bytes())
        return made


DAY = 86_400


def put(node, leaf):
    """Puts a certificate in the node's place for it, in one step."""
    path = node.folder / "tls" / "node.pem"
    new = path.with_suffix(".new")
    new.write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
    new.replace(path)


def short_leaf(node, seconds, begins=-60):
    """A certificate of the node's own key that ends so soon."""
    authority = Authority.of(node.keys)
    key = load_key(node.keys / "node1.key")
    return authority.leaf(member_id(node.name), begins=begins / DAY, ends=seconds / DAY, key=key)[0]
