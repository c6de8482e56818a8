"""Proof files: made at any member's node, verified with the charter alone, and worth nothing once changed."""

import concurrent.futures
import json
import random
import shutil
import string
import subprocess

import pytest

from program import entente, environment, program
from test_alliance import published_by


@pytest.fixture(scope="module")
def said(alliance):
    """What pk says: a licence, a revoked one, one taken back, and a document."""
    pk = alliance["pk"]
    base = ("--field", "legalName=Indus Custody Ltd", "--field", "competentAuthority=PDAA")
    licence = ("entry", "vasp-licences", "--status", "authorised", "--from", "2025-09-15", *base)
    published_by(pk, *licence, "--key", "PROOF-GOOD", "--field", "domains=indus.example")
    published_by(pk, *licence, "--key", "PROOF-REVOKED")
    published_by(pk, "entry", "vasp-licences", "--key", "PROOF-REVOKED", "--status", "revoked", "--from", "2025-10-01")
    published_by(pk, *licence, "--key", "PROOF-ERROR")
    done = pk.cli(
        "retract",
        "vasp-licences",
        "PROOF-ERROR",
        "--note",
        "typed twice",
        "--sign-with",
        "ayesha",
        "--keys",
        pk.keys,
        "--json",
    )
    document = pk.folder.parent / "proven.md"
    document.write_text("# Proven\n")
    last = published_by(pk, "document", document, "--work", "/akn/pk/act/2025/proven", "--date", "2025-07-31")["last"]
    assert json.loads(done.stdout)["last"] < last
    alliance["us"].receipts("pk", last, ["us", "sv", "imf"])
    return alliance


class Partner:
    """Someone with an empty folder, the charter and a proof: no node, no keys, no settings."""

    def __init__(self, folder, charter):
        self.folder = folder
        shutil.copy(charter, folder / "alliance.charter")
        self.env = {name: value for name, value in environment().items() if not name.startswith("ENTENTE")}

    def take(self, proof, name="reply.entente-proof"):
        (self.folder / name).write_bytes(proof)
        return name

    def verify(self, name, *arguments, check=None):
        done = entente(
            "verify",
            name,
            "--charter",
            "alliance.charter",
            *arguments,
            cwd=self.folder,
            env=self.env,
            check=False,
            timeout=30,
        )
        if check is not None:
            assert done.returncode == check, (done.returncode, done.stdout, done.stderr)
        return done


@pytest.fixture
def partner(said, empty):
    return Partner(empty, said.charter)


def test_made_at_a_third_members_node(said, partner):
    """By the command line of us, about pk's register; verified by a partner."""
    path = partner.folder / "reply.entente-proof"
    said["us"].cli("prove", "vasp-licences", "PROOF-GOOD", "--member", "pk", "--out", path)
    done = partner.verify(path.name, "--expect", "authorised", "--all", check=0)
    for words in ("YES", "Indus Custody Ltd", "Pakistan", "ayesha", "passed"):
        assert words in done.stdout, done.stdout
    report = json.loads(partner.verify(path.name, "--json", check=0).stdout)
    assert report["conclusion"] == "good" and report["needed"] == 2 and len(report["heldBy"]) >= 2
    assert {check["result"] for check in report["checks"]} == {"passed"}
    assert path.stat().st_size < 16_384


def test_every_node_proves_the_same(said, partner):
    answers = set()
    for node in said:
        name = partner.take(node.prove("vasp-licences", "PROOF-REVOKED", "pk"))
        report = json.loads(partner.verify(name, "--expect", "revoked", "--json", check=0).stdout)
        answers.add(json.dumps(report["answer"], sort_keys=True))
    assert len(answers) == 1


def test_by_what_it_looks_up(said, partner):
    name = partner.take(said["sv"].prove("vasp-licences/domains", "indus.example", "pk"))
    partner.verify(name, "--expect", "authorised", check=0)
    name = partner.take(said["sv"].prove("vasp-licences/domains", "nobody.example", "pk"))
    partner.verify(name, "--expect", "not-stated", check=0)


def test_document(said, partner):
    name = partner.take(said["imf"].prove("@documents", "/akn/pk/act/2025/proven", "pk"))
    done = partner.verify(name, "--json", check=0)
    assert json.loads(done.stdout)["answer"]["documents"][0]["title"] == "Proven"


def test_retracted_and_not_stated(said, partner):
    retracted = partner.take(said["sv"].prove("vasp-licences", "PROOF-ERROR", "pk"), "retracted.entente-proof")
    report = json.loads(partner.verify(retracted, "--expect", "retracted", "--json", check=0).stdout)
    assert report["answer"]["reason"] == "entered-in-error" and report["answer"]["note"] == "typed twice"
    never = partner.take(said["sv"].prove("vasp-licences", "PROOF-NEVER", "pk"), "never.entente-proof")
    partner.verify(never, "--expect", "not-stated", check=0)
    partner.verify(never, "--expect", "authorised", check=3)
    # A member that has no register of that name at all has not stated it either.
    none = partner.take(said["sv"].prove("warnings", "nothing", "imf"), "none.entente-proof")
    partner.verify(none, "--expect", "not-stated", check=0)


def test_exit_statuses(said, partner):
    good = partner.take(said["us"].prove("vasp-licences", "PROOF-GOOD", "pk"))
    partner.verify(good, check=0)
    partner.verify(good, "--expect", "business", check=0)
    # 3: good, but another answer or another question.
    done = partner.verify(good, "--expect", "revoked", check=3)
    assert done.stdout.startswith("NO") or "Good proof" in done.stdout
    partner.verify(good, "--key", "PROOF-REVOKED", check=3)
    partner.verify(good, "--register", "warnings", check=3)
    partner.verify(good, "--member", "sv", check=3)
    # 2: cannot tell about a date after the newest quorum, nor now from a proof that is too old.
    partner.verify(good, "--on", "2030-01-01", check=2)
    # 1: bad; 64: the command line.
    changed = (partner.folder / good).read_bytes().replace(b'"index": ', b'"index": 1', 1)
    partner.verify(partner.take(changed, "changed.entente-proof"), check=1)
    partner.verify(good, "--max-age", "soon", check=64)
    partner.verify(good, "--no-such-option", check=64)
    assert entente("verify", good, cwd=partner.folder, env=partner.env, check=False).returncode == 64


def test_a_date_before_it_spoke(said, partner):
    """On a date before the licence nothing is in force."""
    name = partner.take(said["us"].prove("vasp-licences", "PROOF-GOOD", "pk"))
    partner.verify(name, "--on", "2025-09-01", "--expect", "none-in-force", check=0)
    name = partner.take(said["us"].prove("vasp-licences", "PROOF-REVOKED", "pk"))
    partner.verify(name, "--on", "2025-09-20", "--expect", "authorised", check=0)
    partner.verify(name, "--on", "2025-10-02", "--expect", "revoked", check=0)


def test_another_alliances_charter(said, partner, member_keys):
    """The same members under another charter are another alliance."""
    name = partner.take(said["us"].prove("vasp-licences", "PROOF-GOOD", "pk"))
    files = [node.keys / f"{node.name}.member" for node in said]
    other = partner.folder / "alliance.charter"
    other.unlink()
    entente("charter", "new", "--name", "Another", "--quorum", 2, "--out", other, *files)
    partner.verify(name, check=1)  # nobody signed it
    for member in ("pk", "sv", "us"):
        entente("charter", "sign", other, "--keys", said[member].keys)
    done = partner.verify(name, "--json", check=1)
    assert json.loads(done.stdout)["conclusion"] == "bad"


CLASSES = [string.ascii_lowercase, string.ascii_uppercase, string.digits, "+/=-_", '"{}[]:,', " \n.#"]


def mutations(text, count, seed):
    """The text with one character replaced by another of its class, at places spread over it."""
    chooser = random.Random(seed)
    places = {kind: [index for index, one in enumerate(text) if one in kind] for kind in CLASSES}
    for number in range(count):
        kind = CLASSES[number % len(CLASSES)]
        at = places[kind]
        index = at[(number // len(CLASSES) * len(at)) // (count // len(CLASSES) + 1)]
        other = chooser.choice([one for one in kind if one != text[index]])
        yield index, text[:index] + other + text[index + 1 :]


@pytest.mark.parametrize("key", ["PROOF-GOOD", "PROOF-ERROR", "PROOF-NEVER"])
def test_no_changed_character_gives_another_answer(said, partner, key):
    """200 changes of one character each over three proofs: none is good with another answer, question or holder."""
    count = {"PROOF-GOOD": 100, "PROOF-ERROR": 60, "PROOF-NEVER": 40}[key]
    proof = said["us"].prove("vasp-licences", key, "pk").decode()
    original = json.loads(partner.verify(partner.take(proof.encode()), "--json", check=0).stdout)

    def what_counts(report):
        return {name: report.get(name) for name in ("answer", "question", "signedBy", "needed", "charter")}

    def try_one(change):
        number, (index, text) = change
        name = partner.take(text.encode(), f"{number}.entente-proof")
        done = subprocess.run(
            [program(), "verify", name, "--charter", "alliance.charter", "--json"],
            cwd=partner.folder,
            env=partner.env,
            capture_output=True,
            text=True,
            timeout=60,
        )
        around = text[max(0, index - 40) : index + 40]
        assert done.returncode in (0, 1, 2, 3), (index, done.returncode, done.stderr, around)
        assert "Fatal" not in done.stderr and "Crash" not in done.stderr
        if done.returncode == 0:
            assert what_counts(json.loads(done.stdout)) == what_counts(original), around
            # Only the claim, which nobody may rely on, can be changed in a proof that is good.
            assert index < proof.index("\n", proof.index('"claim"')) or is_cosignature(proof, index), around
        return done.returncode

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        statuses = list(pool.map(try_one, enumerate(mutations(proof, count, seed=key))))
    assert statuses.count(0) < count / 4
    assert statuses.count(1) > count / 2


def is_cosignature(proof, index):
    """Whether a character belongs to a signature line: one of an unknown name or key ID is ignored, if enough remain."""
    line = proof[proof.rfind("\\n", 0, index) : proof.find("\\n", index)]
    return "\u2014" in line


@pytest.mark.parametrize("where", ["start", "middle", "end"])
def test_a_proof_cut_off(said, partner, where):
    proof = said["us"].prove("vasp-licences", "PROOF-GOOD", "pk")
    cut = {"start": proof[:40], "middle": proof[: len(proof) // 2], "end": proof[:-1]}[where]
    done = partner.verify(partner.take(cut), check=1)
    assert len(done.stderr.splitlines()) == 1 and done.stderr.startswith("entente: reply.entente-proof: ")
