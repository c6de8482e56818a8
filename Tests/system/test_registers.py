"""Registers by the command line: definitions, empty files to fill, registers of a member's own, rows that break their
definition."""

import csv
import io
import json
import os
import pathlib
import zipfile

import pytest

from alliance import Refused
from program import entente
from test_alliance import published_by

SANDBOX = {
    "name": "pk.sandbox",
    "version": 1,
    "title": "Sandbox",
    "titles": {"ur": "سینڈ باکس"},
    "language": "en",
    "fields": [
        {"name": "key", "type": "string", "title": "Key", "constraints": {"required": True}},
        {"name": "status", "type": "string", "title": "Status", "constraints": {"required": True, "enum": ["in", "out"]}},
        {"name": "validFrom", "type": "datetime", "title": "From", "constraints": {"required": True}},
        {"name": "validUntil", "type": "datetime", "title": "Until"},
        {"name": "firm", "type": "string", "title": "Firm", "constraints": {"required": True, "maxLength": 40}},
        {"name": "lei", "type": "string", "title": "LEI"},
    ],
    "primaryKey": ["key", "validFrom"],
    "entente": {
        "key": {"form": "exact", "field": "firm"},
        "lookups": [{"field": "lei", "form": "lei"}],
        "statuses": [
            {"name": "in", "permitsBusiness": True, "title": "In", "titles": {"ur": "اندر"}},
            {"name": "out", "permitsBusiness": False, "title": "Out"},
        ],
        "erasable": [],
    },
}


def write(path, definition, **changes):
    path.write_text(json.dumps(definition | changes, indent=2, ensure_ascii=False))
    return path


def define(node, path, check=True):
    return node.cli("register", "define", path, "--sign-with", "ayesha", "--keys", node.keys, "--json", check=check)


# Definitions


def test_nine_definitions_without_a_node():
    listed = json.loads(entente("register", "list", "--built-in", "--json").stdout)["definitions"]
    assert [one["register"] for one in listed] == [
        "agreements", "authorities", "bitcoin-reserves", "cbdc-pilots", "mining-allocations", "recognitions",
        "token-white-papers", "vasp-licences", "warnings",
    ]  # fmt: skip
    shown = entente("register", "show", "vasp-licences", "--built-in", "--language", "es").stdout
    assert "Licencias de proveedores" in shown and "permits business" in shown and "licenceNumber" in shown
    descriptor = entente("register", "show", "vasp-licences", "--built-in", "--descriptor").stdout
    assert json.loads(descriptor)["titles"]["ur"]
    said = json.loads(entente("register", "show", "vasp-licences", "--built-in", "--json").stdout)
    assert said["definition"] == json.loads(descriptor)
    assert said["digest"] == next(one["digest"] for one in listed if one["register"] == "vasp-licences")
    assert said["languages"] == ["en", "es", "ur"]
    wrong = entente("register", "show", "taxes", "--built-in", check=False)
    assert wrong.returncode == 1 and "vasp-licences" in wrong.stderr


def test_a_node_knows_the_shared_definitions(alliance):
    listed = json.loads(alliance["sv"].cli("register", "list", "--json").stdout)["definitions"]
    shared = {one["register"]: one for one in listed if one["shared"]}
    assert len(shared) == 9 and shared["recognitions"]["merge"].startswith("by ")
    built_in = json.loads(entente("register", "list", "--built-in", "--json").stdout)["definitions"]
    assert {one["register"]: one["digest"] for one in built_in} == {k: one["digest"] for k, one in shared.items()}


def test_templates_are_empty_files_with_the_header(tmp_path):
    for kind in ("csv", "xlsx"):
        entente("register", "template", "warnings", "--built-in", "--out", tmp_path / f"w.{kind}")
    text = (tmp_path / "w.csv").read_bytes().decode()
    header = next(csv.reader(io.StringIO(text)))
    assert header[:4] == ["key", "status", "validFrom", "validUntil"] and "domains" in header
    assert text == ",".join(header) + "\r\n"
    with zipfile.ZipFile(tmp_path / "w.xlsx") as workbook:
        assert workbook.testzip() is None
        rows = workbook.read("xl/worksheets/sheet1.xml").decode()
        assert [part.split("<")[0] for part in rows.split('<t xml:space="preserve">')[1:]] == header
        assert "dataValidation" in rows and "About the statuses" in rows
        columns = workbook.read("xl/worksheets/sheet2.xml").decode()
        assert "Nombres" in columns or "Personas" in columns
        assert "prohibited" in workbook.read("xl/worksheets/sheet3.xml").decode()
    again = entente("register", "template", "warnings", "--built-in", "--out", tmp_path / "w.csv", check=False)
    assert again.returncode == 1 and "already" in again.stderr


def test_what_is_wrong_with_a_definition_is_said_with_its_line(tmp_path):
    path = write(tmp_path / "sandbox.json", SANDBOX)
    assert "is a definition" in entente("register", "check", path).stdout
    lines = path.read_text().splitlines()
    at = next(number for number, line in enumerate(lines, 1) if '"maxLength"' in line)
    path.write_text(path.read_text().replace('"maxLength": 40', '"maxLength": "long"'))
    done = entente("register", "check", path, check=False)
    assert done.returncode == 1
    assert f"line {at}: fields[4].constraints.maxLength: must be a whole number" in done.stderr
    path.write_text('{"name": "x",\n "name": "y"}')
    done = entente("register", "check", path, check=False)
    assert done.returncode == 1 and "line 2" in done.stderr and "not valid JSON" in done.stderr


# A member's own register


@pytest.fixture(scope="module")
def sandbox(alliance, tmp_path_factory):
    """pk.sandbox with one row in it."""
    pk = alliance["pk"]
    path = write(tmp_path_factory.mktemp("sandbox") / "sandbox.json", SANDBOX)
    assert json.loads(define(pk, path).stdout)["changes"] == 1
    published_by(pk, "entry", "pk.sandbox", "--key", "Indus", "--status", "in", "--from", "2026-01-01")
    return path


def test_a_register_of_a_members_own(alliance, sandbox, tmp_path):
    pk, sv = alliance["pk"], alliance["sv"]
    last = pk.log_of("pk")["entries"] - 1
    sv.receipts("pk", last, ["sv", "us"])
    # Another member's node knows the definition, and what is in the register.
    known = json.loads(sv.cli("register", "show", "pk.sandbox", "--json").stdout)
    assert known["definition"] == SANDBOX and known["member"] == "pk" and not known["shared"]
    assert "سینڈ باکس" in sv.cli("register", "show", "pk.sandbox", "--language", "ur").stdout
    row = sv.row("pk.sandbox", "Indus", "pk")
    assert (row["status"], row["permitsBusiness"], row["problems"]) == ("in", True, [])
    # It is filled like every other.
    template = tmp_path / "rows.csv"
    pk.cli("register", "template", "pk.sandbox", "--out", template)
    template.write_text(template.read_text() + ",in,2026-01-02,,Sutlej,529900032tyr45xiew79\r\n")
    report = json.loads(
        pk.cli("import", "pk.sandbox", template, "--plan", tmp_path / "rows.plan", "--json").stdout
    )
    assert [change["key"] for change in report["changes"]] == ["Sutlej"]


def test_what_cannot_be_defined(alliance, sandbox, tmp_path):
    pk = alliance["pk"]

    def refused(says, **changes):
        done = define(pk, write(tmp_path / "other.json", SANDBOX, **changes), check=False)
        assert done.returncode == 1 and says in done.stderr, done.stderr

    refused("there is nothing to do")
    refused("must be above 1", title="Another title")
    refused("takes a new name", version=2, entente=SANDBOX["entente"] | {"lookups": []})
    refused('begin with "pk."', name="sv.sandbox")
    refused('begin with "pk."', name="vasp-licences")


def test_a_row_that_breaks_its_definition_is_refused_here(alliance, sandbox, tmp_path):
    """By file, line and column when it is imported; by the node, however the statement was made."""
    pk = alliance["pk"]
    path = tmp_path / "rows.csv"
    path.write_text(f"status,validFrom,firm\nin,2026-01-01,{'x' * 41}\nin,2026-01-01,\n")
    done = pk.cli("import", "pk.sandbox", path, "--plan", tmp_path / "no.plan", check=False)
    assert done.returncode == 1 and not (tmp_path / "no.plan").exists()
    assert "rows.csv" in done.stderr and "line 2" in done.stdout and "(column firm)" in done.stdout
    assert "longer than 40 characters" in done.stdout
    size = pk.log_of("pk")["entries"]
    good = pk.officer().attestation("pk.sandbox", "Chenab", "in", firm="Chenab")
    for bad in (
        pk.officer().attestation("pk.sandbox", "Ravi", "splendid", firm="Ravi"),
        pk.officer().attestation("pk.sandbox", "Ravi", "in", colour="green"),
        pk.officer().attestation("pk.sandbox", "Ravi", "in", firm=7),
    ):
        with pytest.raises(Refused) as refused:
            pk.submit([good, bad])
        (one,) = refused.value.error["refused"]
        assert (one["position"], one["code"]) == (1, "row-not-valid"), one
        assert "breaks the definition" in one["reason"]
    assert pk.log_of("pk")["entries"] == size


def test_a_row_from_a_peer_that_is_not_valid_is_held_proven_and_shown_so(alliance, sandbox, tmp_path):
    """A later version of the definition makes an older row invalid: it still counts, everywhere, and is shown as it is."""
    pk, us = alliance["pk"], alliance["us"]
    changed = json.loads(json.dumps(SANDBOX))
    changed["version"] = 2
    changed["fields"][5]["constraints"] = {"required": True}
    answer = json.loads(define(pk, write(tmp_path / "sandbox-2.json", changed)).stdout)
    us.receipts("pk", answer["last"], ["sv", "us", "imf"])
    row = us.row("pk.sandbox", "Indus", "pk")
    assert (row["answer"], row["status"]) == ("present", "in")
    assert row["problems"] == ["lei is missing"]
    assert "not valid" in us.cli("show", "pk.sandbox", "Indus").stdout
    assert "in (not valid)" in us.cli("show", "pk.sandbox", "--member", "pk").stdout
    proof = tmp_path / "indus.entente-proof"
    proof.write_bytes(us.prove("pk.sandbox", "Indus", "pk"))
    report = json.loads(
        entente("verify", proof, "--charter", alliance.charter, "--expect", "in", "--json").stdout
    )
    assert (report["conclusion"], report["problems"]) == ("good", ["lei is missing"])
    assert "not valid  lei is missing" in entente("verify", proof, "--charter", alliance.charter).stdout
    with pytest.raises(Refused):
        pk.submit([pk.officer().attestation("pk.sandbox", "Indus", "out", firm="Indus")])


# Export


def test_what_is_exported_is_valid_and_changes_nothing_when_it_is_imported(alliance, tmp_path):
    from frictionless import Package

    sv = alliance["sv"]
    path = tmp_path / "in.csv"
    path.write_text(
        "licenceNumber,status,validFrom,legalName,competentAuthority,services,website,domains\n"
        'EX-1,authorised,2026-01-01,"Volc\u00e1n, S.A. de C.V.",CNAD,a|j,https://volcan.example,volcan.example\n'
        "EX-1,suspended,2026-02-01,\"Two\nlines\",CNAD,a|j,,\n"
        'EX-2,revoked,2026-01-01,"\u06a9\u0648\u06c1 ""\u0622\u062a\u0634""",CNAD,,,\n'
    )
    plan = tmp_path / "in.plan"
    sv.cli("import", "vasp-licences", path, "--plan", plan)
    entente("sign", plan, "--key", "ayesha", "--keys", sv.keys)
    answer = json.loads(sv.cli("submit", plan, "--json").stdout)
    alliance["us"].receipts("sv", answer["last"], ["us"])
    # Every node that holds the log exports the same bytes.
    for node, name in ((sv, "a"), (alliance["us"], "b")):
        node.cli("export", "vasp-licences", "--member", "sv", "--out", tmp_path / f"{name}.csv")
    data = (tmp_path / "a.csv").read_bytes()
    assert data == (tmp_path / "b.csv").read_bytes()
    definition = json.loads(entente("register", "show", "vasp-licences", "--built-in", "--descriptor").stdout)
    rows = list(csv.DictReader(io.StringIO(data.decode(), newline="")))
    assert list(rows[0]) == [field["name"] for field in definition["fields"]]
    assert [row["status"] for row in rows if row["key"] == "EX-1"] == ["authorised", "suspended"]
    # Imported again, under any missing policy, nothing has to be published.
    again = sv.cli("import", "vasp-licences", tmp_path / "a.csv", "--plan", tmp_path / "no.plan", "--missing", "retract")
    assert "nothing to publish" in again.stdout and not (tmp_path / "no.plan").exists()
    # JSON lines say the same.
    sv.cli("export", "vasp-licences", "--out", tmp_path / "a.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert [(one["key"], one["status"], one["legalName"]) for one in lines] == [
        (row["key"], row["status"], row["legalName"]) for row in rows
    ]
    # A stranger's validator accepts the data package, types, constraints and primary key included.
    sv.cli("export", "vasp-licences", "--out", tmp_path / "package")
    described = json.loads((tmp_path / "package/datapackage.json").read_text())
    assert described["resources"][0]["schema"] == definition
    report = Package(str(tmp_path / "package/datapackage.json")).validate()
    assert report.valid, report.flatten(["rowNumber", "fieldName", "type", "note"])
    assert report.stats["tasks"] == 1 and report.tasks[0].stats["rows"] == len(rows)
    # And it does look: one status changed, and it does not.
    (tmp_path / "package/vasp-licences.csv").write_bytes(data.replace(b",suspended,", b",splendid,"))
    described["resources"][0].pop("hash")
    described["resources"][0].pop("bytes")
    (tmp_path / "package/datapackage.json").write_text(json.dumps(described))
    assert not Package(str(tmp_path / "package/datapackage.json")).validate().valid


# Lookups


def test_a_warning_is_found_by_domain_and_its_absence_is_proven_of_every_member(alliance, tmp_path):
    pk, us = alliance["pk"], alliance["us"]
    base = ("--status", "warned", "--from", "2026-01-01", "--field", "competentAuthority=PDAA")
    for key, domains in (("W-1", "bad.example|worse.example"), ("W-2", "bad.example")):
        said = published_by(pk, "entry", "warnings", "--key", key, *base, "--field", f"domains={domains}")
    us.receipts("pk", said["last"], ["sv", "us", "imf"])
    shown = json.loads(us.cli("show", "warnings", "--domain", "BAD.example.", "--json").stdout)["rows"]
    assert [(row["member"], row["key"], row["status"], row["value"]) for row in shown] == [
        ("pk", "W-1", "warned", "bad.example"),
        ("pk", "W-2", "warned", "bad.example"),
    ]
    assert "W-2" in us.cli("show", "warnings", "--domain", "bad.example").stdout
    assert "Nobody ever stated good.example" in us.cli("show", "warnings", "--domain", "good.example").stdout
    assert "LEI" in us.cli("show", "warnings", "--lei", "123", check=False).stderr

    def verify(folder, *arguments):
        files = sorted(folder.glob("*.entente-proof"))
        done = entente(
            "verify", *files, "--charter", alliance.charter, "--every-member", "--expect", "absent", *arguments, check=False
        )
        return done.returncode, done.stdout

    for domain in ("good.example", "worse.example"):
        us.cli("prove", "warnings", "--domain", domain, "--every-member", "--out", tmp_path / domain)
    assert sorted(path.stem for path in (tmp_path / "good.example").iterdir()) == ["imf", "pk", "sv", "us"]
    status, said = verify(tmp_path / "good.example")
    assert status == 0 and "together: good" in said, said
    # One member warned of the other: not absent. Without a member's proof: cannot tell. With another question: neither.
    assert verify(tmp_path / "worse.example")[0] == 3
    (tmp_path / "good.example/sv.entente-proof").rename(tmp_path / "sv.entente-proof")
    status, said = verify(tmp_path / "good.example")
    assert status == 2 and "no proof of El Salvador" in said
    (tmp_path / "worse.example/sv.entente-proof").rename(tmp_path / "good.example/sv.entente-proof")
    assert verify(tmp_path / "good.example")[0] == 2


# Files


def test_workbooks_and_files_with_columns_of_ones_own(alliance, tmp_path):
    us = alliance["us"]
    template = tmp_path / "w.xlsx"
    us.cli("register", "template", "warnings", "--out", template)
    # Fill the second row as a spreadsheet would: deflated, with shared texts gone and inline ones in their place.
    filled = tmp_path / "filled.xlsx"
    row = (
        '<row r="2"><c r="A2" t="inlineStr"><is><t>X-1</t></is></c><c r="B2" t="inlineStr"><is><t>warned</t></is></c>'
        '<c r="C2" t="inlineStr"><is><t>2026-01-06</t></is></c><c r="E2" t="inlineStr"><is><t>SEC</t></is></c></row>'
    )
    with zipfile.ZipFile(template) as old, zipfile.ZipFile(filled, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            text = old.read(name).decode()
            new.writestr(name, text.replace("</sheetData>", f"{row}</sheetData>") if "sheet1" in name else text)
    report = json.loads(us.cli("import", "warnings", filled, "--plan", tmp_path / "x.plan", "--json").stdout)
    assert report["counts"] | {"withNotes": 0, "asWritten": 1} == report["counts"], report
    assert report["changes"][0]["key"] == "X-1" and report["changes"][0]["validFrom"].startswith("2026-01-06T00:00:00")
    damaged = tmp_path / "damaged.xlsx"
    damaged.write_bytes(filled.read_bytes()[:-30])
    done = us.cli("import", "warnings", damaged, "--plan", tmp_path / "y.plan", check=False)
    assert done.returncode == 1 and "no workbook that can be read" in done.stderr
    # Columns of one's own.
    own, mapped = tmp_path / "own.csv", tmp_path / "own.map"
    own.write_text("Nr;Firm;State;Remarks\n7;Mississippi LLC;Licensed;x\n")
    mapped.write_text(
        json.dumps(
            {
                "entente-map": 1,
                "register": "vasp-licences",
                "columns": {"Nr": "licenceNumber", "Firm": "legalName", "State": "status"},
                "ignore": ["Remarks"],
                "constants": {"competentAuthority": "SEC"},
                "statuses": {"Licensed": "authorised"},
            }
        )
    )
    report = json.loads(
        us.cli("import", "vasp-licences", own, "--map", mapped, "--plan", tmp_path / "z.plan", "--json").stdout
    )
    assert [(one["key"], one["status"]) for one in report["changes"]] == [("7", "authorised")]
    mapped.write_text('{"entente-map": 1}')
    done = us.cli("import", "vasp-licences", own, "--map", mapped, "--plan", tmp_path / "q.plan", check=False)
    assert done.returncode == 1 and "own.map: the map: register" in done.stderr


ESMA = pathlib.Path(
    os.environ.get("ENTENTE_REGISTER_FILES") or pathlib.Path(__file__).resolve().parents[3] / "shared/data/esma"
)


@pytest.mark.skipif(not ESMA.exists(), reason="ESMA's files are not beside the repository")
def test_the_files_of_esma_are_read_row_by_row(alliance, tmp_path):
    us = alliance["us"]
    files = {
        "CASP20251215": ("vasp-licences", 119),
        "NCASP20260129": ("warnings", 101),
        "EMT20260129": ("token-white-papers", 31),
        "OTHER20260129": ("token-white-papers", 694),
        "ART20260129": ("token-white-papers", 0),
    }
    for name, (register, rows) in files.items():
        plan = tmp_path / f"{name}.plan"
        report = json.loads(
            us.cli("import", register, ESMA / f"{name}.csv", "--plan", plan, "--from", "2026-01-29", "--json").stdout
        )
        counts = report["counts"]
        assert counts["read"] == rows and counts["refused"] == 0, (name, counts, report["refused"])
        repeated = {note["line"] for note in report["notes"] if note["kind"] == "repeated"}
        assert len(report["changes"]) == rows - len(repeated), (name, counts, len(repeated))
    entente("sign", tmp_path / "CASP20251215.plan", "--key", "ayesha", "--keys", us.keys)
    us.cli("submit", tmp_path / "CASP20251215.plan")
    newer = ("import", "vasp-licences", ESMA / "CASP20260106.csv", "--plan", tmp_path / "january.plan", "--json")
    kinds = [change["kind"] for change in json.loads(us.cli(*newer).stdout)["changes"]]
    assert (kinds.count("new"), len(kinds)) == (23, 24)
