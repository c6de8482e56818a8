"""The officer's journey: plan, sign (perhaps twice), submit, look, undo; by the commands, at a real node."""

import json
import os
import pathlib

import pytest

from alliance import MEMBERS, Alliance
from program import ROOT, entente, environment, eventually

ESMA = pathlib.Path(os.environ.get("ENTENTE_REGISTER_FILES", ROOT.parent / "shared" / "data" / "esma"))
HEADER = "key,status,validFrom,agreement,title,kind,parties\n"


@pytest.fixture(scope="module")
def pk(workspace, member_keys):
    """Pakistan's node, alone, where agreements and documents need two officers."""
    made = Alliance(
        workspace / "plans", member_keys, MEMBERS[:3],
        init=lambda _, name: ("--two-officers", "agreements", "--two-officers", "@documents") if name == "pk" else ())
    made.start("pk", without=("sv", "us"))
    eventually(lambda: made["pk"].log_of("pk")["entries"], "the first roster is published")
    yield made["pk"]
    made.stop()


def run(pk, cwd, *arguments, **options):
    return pk.cli(*arguments, cwd=cwd, **options)


def sign(pk, cwd, *plans, key="ayesha"):
    return entente("sign", *plans, "--key", key, "--keys", pk.keys, cwd=cwd).stdout


def answer(pk, register, key):
    row = pk.row(register, key, "pk")
    return row and (row["answer"], row["status"], len(row["statements"]))


def test_two_officers(pk, tmp_path):
    (tmp_path / "a.csv").write_text(HEADER + "".join(
        f"A-{number},signed,2026-01-01,A-{number},Agreement {number},treaty,Pakistan|Other\n" for number in range(1_200)))
    said = run(pk, tmp_path, "import", "agreements", "a.csv", "--plan", "a.plan").stdout
    assert "1,200 new" in said.replace("1200", "1,200") and "Nothing is published" in said
    assert "second officer" in sign(pk, tmp_path, "a.plan")
    alone = run(pk, tmp_path, "submit", "a.plan", check=False)
    assert alone.returncode == 1 and "two officers" in alone.stderr
    # The same officer twice is one officer.
    assert "nothing changed" in sign(pk, tmp_path, "a.plan")
    assert run(pk, tmp_path, "submit", "a.plan", check=False).returncode == 1
    assert "approved by omar" in sign(pk, tmp_path, "a.plan", key="omar")
    first = json.loads(run(pk, tmp_path, "submit", "a.plan", "--json").stdout)
    assert first["changes"] == 1_201 and not first["already"]
    assert answer(pk, "agreements", "A-1199") == ("present", "signed", 1)
    # Again, it is there already.
    size = pk.log_of("pk")["entries"]
    again = json.loads(run(pk, tmp_path, "submit", "a.plan", "--json").stdout)
    assert again["already"] and (again["first"], again["last"]) == (first["first"], first["last"])
    assert pk.log_of("pk")["entries"] == size
    # Importing the same file again changes nothing, and writes no plan.
    said = run(pk, tmp_path, "import", "agreements", "a.csv", "--plan", "b.plan").stdout
    assert "1200 rows unchanged" in said and not (tmp_path / "b.plan").exists()


def test_one_officer_cannot_publish_at_once_where_two_are_due(pk, tmp_path):
    done = run(
        pk, tmp_path, "publish", "document", "/etc/hostname", "--work", "/akn/pk/note/2026/x", "--sign-with", "ayesha",
        "--keys", pk.keys, check=False)
    assert done.returncode == 1 and "--plan" in done.stderr
    before = pk.log_of("pk")["entries"]
    run(pk, tmp_path, "publish", "document", "/etc/hostname", "--work", "/akn/pk/note/2026/x", "--plan", "d.plan")
    for key in ("ayesha", "omar"):
        sign(pk, tmp_path, "d.plan", key=key)
    run(pk, tmp_path, "submit", "d.plan")
    assert pk.log_of("pk")["entries"] == before + 3
    shown = json.loads(run(pk, tmp_path, "documents", "--json").stdout)["documents"]
    assert [(one["work"], one["held"]) for one in shown] == [("/akn/pk/note/2026/x", True)]
    run(pk, tmp_path, "documents", "--save", shown[0]["sha256"], "--out", "saved")
    assert (tmp_path / "saved").read_bytes() == pathlib.Path("/etc/hostname").read_bytes()


def publish(pk, cwd, key, status, *more):
    done = run(
        pk, cwd, "publish", "entry", "vasp-licences", "--key", key, "--status", status, *more, "--sign-with", "ayesha",
        "--keys", pk.keys, "--json")
    return json.loads(done.stdout)["last"]


NEW = ("--from", "2026-01-02", "--field", "legalName=Nine Ltd", "--field", "competentAuthority=A")


def undo(pk, cwd, index):
    done = run(pk, cwd, "undo", index, "--sign-with", "ayesha", "--keys", pk.keys, "--json")
    return json.loads(done.stdout)["last"]


def test_a_change_from_a_date_stands_beside_and_a_correction_replaces(pk, tmp_path):
    publish(pk, tmp_path, "P-1", "authorised", *NEW)
    publish(pk, tmp_path, "P-1", "revoked", "--from", "2126-01-01")
    assert answer(pk, "vasp-licences", "P-1") == ("present", "authorised", 2)
    shown = run(pk, tmp_path, "show", "vasp-licences", "P-1", "--on", "2126-01-01", "--json").stdout
    row = json.loads(shown)["rows"][0]
    assert (row["status"], row["validFrom"]) == ("revoked", "2126-01-01T00:00:00+05:00")
    publish(pk, tmp_path, "P-1", "authorised", "--from", "2026-01-02", "--field", "legalName=Ten Ltd")
    assert answer(pk, "vasp-licences", "P-1") == ("present", "authorised", 2)
    assert pk.row("vasp-licences", "P-1", "pk")["fields"]["legalName"] == "Ten Ltd"


def test_undo(pk, tmp_path):
    first = publish(pk, tmp_path, "U-1", "authorised", *NEW)
    wrong = publish(pk, tmp_path, "U-1", "authorised", "--from", "2026-01-02", "--field", "legalName=Wrong Ltd")
    undo(pk, tmp_path, wrong)
    assert answer(pk, "vasp-licences", "U-1") == ("present", "authorised", 1)
    assert pk.row("vasp-licences", "U-1", "pk")["fields"]["legalName"] == "Nine Ltd"
    last = pk.row("vasp-licences", "U-1", "pk")["index"]
    assert last > wrong > first
    # What replaced nothing is taken back, and what was taken back is stated again.
    single = publish(pk, tmp_path, "U-2", "authorised", *NEW)
    taken = undo(pk, tmp_path, single)
    assert answer(pk, "vasp-licences", "U-2")[0] == "retracted"
    undo(pk, tmp_path, taken)
    assert answer(pk, "vasp-licences", "U-2") == ("present", "authorised", 1)


def test_a_plan_that_is_out_of_date_is_held_back(pk, tmp_path):
    run(pk, tmp_path, "publish", "entry", "vasp-licences", "--key", "O-1", "--status", "authorised", *NEW, "--plan", "o.plan")
    sign(pk, tmp_path, "o.plan")
    publish(pk, tmp_path, "O-2", "authorised", *NEW)
    done = run(pk, tmp_path, "submit", "o.plan", check=False)
    assert done.returncode == 1 and "--anyway" in done.stderr
    run(pk, tmp_path, "submit", "o.plan", "--anyway")
    assert answer(pk, "vasp-licences", "O-1") == ("present", "authorised", 1)


def test_over_ssh(pk, tmp_path):
    """An ssh of our own shows what would run on the node's machine, and runs it here."""
    fake = tmp_path / "bin"
    fake.mkdir()
    (fake / "ssh").write_text('#!/bin/sh\necho "$@" >> "$0.said"\nwhile [ "$1" != entente ]; do shift; done\nshift\nexec "$ENTENTE_PROGRAM" "$@"\n')
    (fake / "ssh").chmod(0o755)
    from program import program

    env = environment(PATH=f"{fake}:{os.environ['PATH']}", ENTENTE_PROGRAM=str(program()))
    (tmp_path / "note.txt").write_text("A note\n")
    run(pk, tmp_path, "publish", "document", "note.txt", "--work", "/akn/pk/note/2026/ssh", "--plan", "s.plan")
    for key in ("ayesha", "omar"):
        sign(pk, tmp_path, "s.plan", key=key)
    entente("submit", "s.plan", "--node", f"ssh://officer@host.example:2222{pk.folder}", cwd=tmp_path, env=env)
    assert (fake / "ssh.said").read_text() == f"-p 2222 officer@host.example entente submit - --data {pk.folder}\n"
    works = [one["work"] for one in json.loads(run(pk, tmp_path, "documents", "--json").stdout)["documents"]]
    assert "/akn/pk/note/2026/ssh" in works
    for bad in ("ssh://-oProxyCommand=x", "ssh://a b", "ssh://host/$(x)", "ssh://a@b@c", "ssh://host:0", "ssh://"):
        done = entente("submit", "s.plan", "--node", bad, cwd=tmp_path, env=env, check=False)
        assert done.returncode == 1 and len(done.stderr.splitlines()) == 1


def test_a_real_register_and_its_update(pk, tmp_path):
    """ESMA's file of December and the one of January over it: 23 new, 1 changed."""
    if not (ESMA / "CASP20251215.csv").exists():
        pytest.skip(f"no CASP20251215.csv in {ESMA}; name its folder in ENTENTE_REGISTER_FILES")
    counts = []
    for name in ("CASP20251215", "CASP20260106"):
        said = run(pk, tmp_path, "import", "vasp-licences", ESMA / f"{name}.csv", "--plan", f"{name}.plan", "--json").stdout
        report = json.loads(said)
        assert report["counts"]["refused"] == 0
        kinds = [change["kind"] for change in report["changes"]]
        counts.append((report["counts"]["read"], kinds.count("new"), len(kinds) - kinds.count("new")))
        sign(pk, tmp_path, f"{name}.plan")
        run(pk, tmp_path, "submit", f"{name}.plan")
    assert counts == [(119, 119, 0), (142, 23, 1)]


def test_missing_rows_do_what_the_officer_chose(pk, tmp_path):
    rows = [f"M-{number},announced,2026-01-01,M-{number},State Bank\n" for number in range(4)]
    header = "key,status,validFrom,pilot,centralBank\n"
    file = tmp_path / "m.csv"
    file.write_text(header + "".join(rows))

    def publish_file(*more):
        plan = tmp_path / "m.plan"
        plan.unlink(missing_ok=True)
        said = run(pk, tmp_path, "import", "cbdc-pilots", "m.csv", "--plan", "m.plan", *more).stdout
        if plan.exists():
            sign(pk, tmp_path, "m.plan")
            run(pk, tmp_path, "submit", "m.plan")
        return said

    publish_file()
    file.write_text(header + rows[0] + rows[1] + rows[2])
    assert "Kept." in publish_file()
    assert answer(pk, "cbdc-pilots", "M-3") == ("present", "announced", 1)
    publish_file("--missing", "retract")
    assert answer(pk, "cbdc-pilots", "M-3")[0] == "retracted"
    file.write_text(header + rows[0] + rows[1])
    publish_file("--missing", "revoke", "--from", "2026-02-01")
    assert answer(pk, "cbdc-pilots", "M-2") == ("present", "closed", 2)
