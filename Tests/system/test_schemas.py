"""Validates the schemas of the specification, and what the code writes against them."""

import base64
import json
import pathlib

import pytest

jsonschema = pytest.importorskip("jsonschema")

ROOT = pathlib.Path(__file__).resolve().parents[2]
SPECIFICATION = ROOT / "Docs" / "specification"
SCHEMAS = sorted((SPECIFICATION / "schemas").glob("*.schema.json"))


def validator(name):
    schema = json.loads((SPECIFICATION / "schemas" / f"{name}.schema.json").read_text("utf-8"))
    return jsonschema.Draft202012Validator(schema)


def vectors(name):
    return json.loads((SPECIFICATION / "vectors" / f"{name}.json").read_text("utf-8"))


def payload(entry):
    text = json.loads(entry)["payload"] if entry.startswith("{") else entry.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.name)
def test_schema_is_a_schema(path):
    jsonschema.Draft202012Validator.check_schema(json.loads(path.read_text("utf-8")))


@pytest.mark.parametrize(
    "path", sorted((ROOT / "Sources/Alliance/Registers/Definitions").glob("*.json")), ids=lambda path: path.name
)
def test_built_in_definitions(path):
    validator("register-descriptor").validate(json.loads(path.read_text("utf-8")))


def test_charter():
    validator("charter").validate(json.loads(vectors("charters")["charters"][0]["payload"]))


def test_statements():
    kinds = set()
    for case in vectors("statements")["statements"]:
        if case["valid"]:
            name = "register-statement" if case["kind"] == "register" else case["kind"]
            validator(name).validate(payload(case["entry"]))
            kinds.add(name)
    assert len(kinds) == 8


def test_entries_of_a_log():
    names = {"vc+jwt": "attestation", "entente-register+jwt": "register-statement"}
    for entry in vectors("logs")["entries"]:
        if entry["verdict"] != "counted":
            continue
        header = entry["entry"].split(".")[0]
        typ = json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))["typ"]
        name = names.get(typ) or typ.removeprefix("entente-").removesuffix("+jwt")
        validator(name).validate(payload(entry["entry"]))


def test_proof_files():
    for case in vectors("proofs")["proofs"]:
        validator("proof-file").validate(json.loads(case["file"]))


def test_plan():
    """A plan as the command line writes it; the lines are those of the specification's example."""
    header = {
        "entente-plan": 1, "alliance": "A" * 43, "member": "did:web:pk.alliance.example", "title": "Pakistan",
        "zone": "Asia/Karachi", "register": "vasp-licences", "made": 1, "base": 4,
        "officers": [{"name": "ayesha", "key": "A" * 43}], "twoOfficers": False, "summary": ["1 change"],
        "documents": [], "steps": 1,
    }
    validator("plan-header").validate(header)
    validator("plan-step").validate({"kind": "attestation", "payload": "e30"})
    validator("plan-step").validate({"entry": "a.b.c"})
    roster = header | {"roots": {"threshold": 1, "keys": [{"name": "root-1", "key": "A" * 43}], "previous": "e30"}}
    validator("plan-header").validate(roster)
    validator("plan-step").validate({"kind": "roster", "payload": "e30"})
    with pytest.raises(jsonschema.ValidationError):
        validator("plan-header").validate(roster | {"roots": {"threshold": 0, "keys": [], "previous": "e30"}})
    with pytest.raises(jsonschema.ValidationError):
        validator("plan-step").validate({"kind": "state", "payload": "e30"})


@pytest.mark.parametrize(
    ("name", "member"), [("charter", "quorum"), ("roster", "ordinal"), ("attestation", "validFrom"), ("document", "work")]
)
def test_a_missing_member_is_refused(name, member):
    if name == "charter":
        value = json.loads(vectors("charters")["charters"][0]["payload"])
    else:
        value = next(payload(c["entry"]) for c in vectors("statements")["statements"] if c.get("kind") == name)
    del value[member]
    with pytest.raises(jsonschema.ValidationError):
        validator(name).validate(value)
