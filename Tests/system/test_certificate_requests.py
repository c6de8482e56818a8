"""A node's certificate where the authority's key is on another machine: only public files travel, and openssl can make
and read them."""

import base64
import json
import re
import shutil
import subprocess
import textwrap

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from alliance import Alliance, member_id
from certificates import key_digest
from program import PASSPHRASE, entente, environment, eventually

ID = member_id("pk")


@pytest.fixture(scope="module")
def nodes(workspace, cheap_keys):
    made = Alliance(workspace / "requests", cheap_keys, ("pk", "sv", "us"))
    made.start("pk", without=("sv", "us"))
    eventually(lambda: made["pk"].log_of("pk")["entries"], "the first roster is published")
    yield made
    made.stop()


def openssl(*arguments, cwd, check=True):
    done = subprocess.run(
        ["openssl", *map(str, arguments)], cwd=cwd, capture_output=True, text=True, env=environment(), timeout=30)
    assert not check or done.returncode == 0, done.stderr
    return done


def offline(node, folder):
    """The machine of the authority's key: neither the node's folder nor its key is there."""
    folder.mkdir()
    for name in ("authority.key", "authority.pem", f"{node.name}.member"):
        shutil.copy(node.keys / name, folder / name)
    return folder


def issue(request, keys, cwd, *arguments, out="new.pem", check=True):
    return entente("tls", "issue", request, "--out", out, "--keys", keys, *arguments, cwd=cwd, check=check)


def names(certificate):
    return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value


def extensions(certificate):
    return {(one.oid.dotted_string, one.critical) for one in certificate.extensions}


def test_a_request_and_what_is_issued_for_it(nodes, tmp_path):
    pk = nodes["pk"]
    said = pk.cli("tls", "request", cwd=tmp_path).stdout
    assert f"a request for {ID}" in said and "entente tls issue node1.csr" in said
    verified = openssl("req", "-in", "node1.csr", "-verify", "-noout", "-text", cwd=tmp_path)
    assert "verify OK" in (verified.stdout + verified.stderr) and f"URI:{ID}" in verified.stdout
    again = pk.cli("tls", "request", cwd=tmp_path, check=False)
    assert again.returncode == 1 and "already" in again.stderr

    keys = offline(pk, tmp_path / "offline")
    shown = issue("node1.csr", keys, tmp_path, "--days", "60").stdout
    old = x509.load_pem_x509_certificate((pk.folder / "tls" / "node.pem").read_bytes())
    new = x509.load_pem_x509_certificate((tmp_path / "new.pem").read_bytes())
    assert ID in shown and key_digest(old.public_key()).hex() in shown and "not taken" not in shown
    # The same in all but dates and serial number.
    assert new.public_key() == old.public_key() and new.subject == old.subject and new.issuer == old.issuer
    assert names(new) == names(old) and extensions(new) == extensions(old)
    assert (new.not_valid_after_utc - new.not_valid_before_utc).days == 60
    openssl("verify", "-x509_strict", "-CAfile", keys / "authority.pem", "new.pem", cwd=tmp_path)

    before = pk.status()["certificate"]["ends"]
    (tmp_path / "new.pem").rename(pk.folder / "tls" / "node.pem")
    eventually(lambda: pk.status()["certificate"]["ends"] != before, "the node takes it up", 15)
    shown = pk.cli("tls")
    assert "lists the key for node1" in shown.stdout and re.search("(59|60) days left", shown.stdout)
    for days in ("0", "91"):
        refused = issue("node1.csr", keys, tmp_path, "--days", days, check=False)
        assert refused.returncode == 1 and "1 to 90" in refused.stderr


def test_a_new_key_comes_into_use(nodes, tmp_path):
    pk = nodes["pk"]
    pk.cli("tls", "request", "--new-key", "node1-b", cwd=tmp_path)
    made = pk.folder / "keys" / "node1-b.key"
    assert made.stat().st_mode & 0o777 == 0o600
    keys = offline(pk, tmp_path / "offline")
    issued = json.loads(issue("node1-b.csr", keys, tmp_path, "--json").stdout)
    status = entente("tls", "status", "new.pem", "--json", "--data", pk.folder, cwd=tmp_path, check=False)
    assert status.returncode == 1 and json.loads(status.stdout)["roster"]["standing"] == "not-listed"
    pk.cli(
        "node", "add", "node1", "--key", pk.folder / "keys" / "node1-b.pub", "--sign-with", "root-1", "--keys", pk.keys)
    made.rename(pk.folder / "keys" / "node.key")
    (tmp_path / "new.pem").rename(pk.folder / "tls" / "node.pem")
    eventually(lambda: pk.status()["certificate"]["key"] == issued["key"], "the new key is in use", 20)
    status = json.loads(pk.cli("tls", "status", "--json").stdout)
    assert status["state"] == "ok" and status["concerns"] == []
    assert status["roster"] | {"ordinal": None} == {
        "standing": "listed", "node": "node1", "ordinal": None, "problem": None}
    assert status["member"] == ID and status["daysLeft"] in (89, 90)
    # fsck has nothing to say about what is left of it.
    assert pk.end()[0] == 0
    fsck = json.loads(pk.cli("fsck", "--json").stdout)
    assert fsck["clean"], fsck
    without = json.loads(pk.cli("tls", "status", "--json").stdout)
    assert without["roster"]["standing"] is None and "no node answers" in without["roster"]["problem"]
    pk.start()


def request(cwd, algorithm=("EC", "-pkeyopt", "ec_paramgen_curve:P-256"), uri=ID, more=()):
    openssl("genpkey", "-algorithm", *algorithm, "-out", "other.key", cwd=cwd)
    wanted = [part for text in ([f"subjectAltName=URI:{uri}"] if uri else []) + list(more) for part in ("-addext", text)]
    openssl("req", "-new", "-key", "other.key", "-subj", "/CN=anything", *wanted, "-out", "other.csr", cwd=cwd)
    return cwd / "other.csr"


def test_what_openssl_makes_is_accepted_and_only_its_key_is_taken(nodes, tmp_path):
    keys = offline(nodes["pk"], tmp_path / "offline")
    made = request(tmp_path, more=["basicConstraints=critical,CA:TRUE", "keyUsage=keyCertSign"])
    shown = issue(made, keys, tmp_path, "--node", "node2", "--address", "https://node2.pk.example:7443").stdout
    assert "not taken from the request: extension" in shown
    leaf = x509.load_pem_x509_certificate((tmp_path / "new.pem").read_bytes())
    key = serialization.load_pem_private_key((tmp_path / "other.key").read_bytes(), None)
    assert leaf.public_key() == key.public_key() and leaf.subject.rfc4514_string() == "CN=node2"
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert not leaf.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    assert names(leaf).get_values_for_type(x509.UniformResourceIdentifier) == [ID]
    assert names(leaf).get_values_for_type(x509.DNSName) == ["node2.pk.example"]
    # Names of hosts, from the charter instead of the member's file.
    (keys / "pk.member").unlink()
    none = issue(made, keys, tmp_path, out="b.pem", check=False)
    assert none.returncode == 1 and "no member's file" in none.stderr
    issue(made, keys, tmp_path, "--charter", nodes.charter, out="b.pem")
    strange = issue(made, offline(nodes["sv"], tmp_path / "sv"), tmp_path, "--charter", nodes.charter, out="c.pem", check=False)
    assert strange.returncode == 1 and ID in strange.stderr and member_id("sv") in strange.stderr


@pytest.mark.parametrize(
    "case, words",
    [
        ("changed", "not signed by the key in it"), ("ed25519", "another kind"), ("rsa", "another kind"),
        ("p384", "another kind"), ("another-member", member_id("sv")), ("no-name", "names no member"),
        ("two-names", member_id("sv")), ("long", "longer than"), ("certificate", "no certificate request"),
        ("the-authority", "authority's own key"), ("trailing", "no certificate request (PKCS #10)"),
    ],
)
def test_requests_that_are_refused(nodes, tmp_path, case, words):
    pk = nodes["pk"]
    keys = offline(pk, tmp_path / "offline")
    kinds = {"ed25519": ("ED25519",), "rsa": ("RSA", "-pkeyopt", "rsa_keygen_bits:2048"),
             "p384": ("EC", "-pkeyopt", "ec_paramgen_curve:P-384")}
    uris = {"another-member": member_id("sv"), "no-name": None, "two-names": f"{ID},URI:{member_id('sv')}"}
    more = [f"nsComment={'x' * 9000}"] if case == "long" else []
    if case == "certificate":
        made = pk.folder / "tls" / "node.pem"
    elif case == "the-authority":
        made = tmp_path / "other.csr"
        openssl(
            "req", "-new", "-key", keys / "authority.key", "-passin", f"pass:{PASSPHRASE}", "-subj", "/CN=x", "-addext",
            f"subjectAltName=URI:{ID}", "-out", made, cwd=tmp_path)
    else:
        made = request(tmp_path, uri=uris.get(case, ID), more=more, **({"algorithm": kinds[case]} if case in kinds else {}))
    if case in ("changed", "trailing"):
        der = bytearray(x509.load_pem_x509_csr(made.read_bytes()).public_bytes(serialization.Encoding.DER))
        # A letter of the subject; or bytes behind the end.
        der = der.replace(b"anything", b"anythink") if case == "changed" else der + b"\0\0"
        body = "\n".join(textwrap.wrap(base64.b64encode(der).decode(), 64)) + "\n"
        made.write_text(f"-----BEGIN CERTIFICATE REQUEST-----\n{body}-----END CERTIFICATE REQUEST-----\n")
    refused = issue(made, keys, tmp_path, check=False)
    assert refused.returncode == 1 and words in refused.stderr, refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1 and not (tmp_path / "new.pem").exists()
