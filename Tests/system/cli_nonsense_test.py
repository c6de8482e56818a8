"""Nonsense to every command: one clear line on standard error, a status that is not 0, nothing that reads like a trap,
and nothing written."""

import json
import os
import shutil

import pytest

from program import PASSPHRASE, entente, environment

TRAPS = ("Fatal error", "Stack dump", "Thread 0", "Swift/", "Crash", "error: ", "Optional(")


def tree(folder):
    """Every file below a folder with its size and time of change."""
    return {
        str(path.relative_to(folder)): (path.lstat().st_size, path.lstat().st_mtime_ns)
        for path in folder.rglob("*") if not path.is_socket()
    }


def refused(*arguments, cwd, statuses=(1,), env=None, stdin=None):
    """Runs a command that must fail in one line and write nothing; returns the line."""
    before = tree(cwd)
    done = entente(*arguments, cwd=cwd, check=False, env=env, stdin=stdin)
    said = f"{arguments}: status {done.returncode}\n{done.stdout}{done.stderr}"
    assert done.returncode in statuses, said
    lines = done.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("entente: ") and len(lines[0]) > 20, said
    assert not any(trap in lines[0] for trap in TRAPS), said
    assert PASSPHRASE not in done.stderr + done.stdout, said
    assert tree(cwd) == before, f"{said}\nwrote something"
    return lines[0]


@pytest.fixture(scope="module")
def place(tmp_path_factory, member_keys):
    """A folder with good files beside the nonsense: keys, member files, a charter that is not signed."""
    folder = tmp_path_factory.mktemp("nonsense")
    shutil.copytree(member_keys["pk"], folder / "keys")
    members = [member_keys[name] / f"{name}.member" for name in ("pk", "sv", "us")]
    entente("charter", "new", "--name", "A", "--quorum", 2, "--out", "draft.charter", *members, cwd=folder)
    shutil.copy(folder / "draft.charter", folder / "signed.charter")
    for name in ("pk", "sv", "us"):
        entente("charter", "sign", "signed.charter", "--keys", member_keys[name], cwd=folder)
    return folder


NONSENSE = {
    "missing": None,
    "empty": b"",
    "blank": b"\n \n",
    "binary": bytes(range(256)) * 16,
    "text": "Keine Datei dieser Art: ünd so.\n".encode(),
    "mark": b"\xef\xbb\xbf{}",
    "latin": b'{"a":"\xe9"}',
    "null": b"null",
    "list": b"[]\n",
    "object": b"{}\n",
    "unknown": b'{"entente-plan":1,"entente-key":1,"entente-member":1,"entente-proof":1,"surprise":true}\n',
    "twice": b'{"payload":"","payload":"","signatures":[]}\n',
    "draft": b'{"payload":"e30","signatures":[]}\n',
    "jws": b"e30.e30.e30",
    "deep": b"[" * 100_000,
    "number": b'{"entente-plan":1e999}\n',
    "surrogate": b'{"entente-plan":"\\ud800"}\n',
    "trailing": b"{} {}\n",
}


@pytest.fixture(scope="module", params=[*NONSENSE, "folder", "huge", "pipe", "loop", "forbidden"])
def nonsense(request, place):
    """The path of one bad file."""
    path = place / f"bad-{request.param}"
    content = NONSENSE.get(request.param)
    if request.param == "folder":
        path.mkdir()
    elif request.param == "huge":
        with open(path, "wb") as file:
            file.truncate(8 << 30)
    elif request.param == "pipe":
        os.mkfifo(path)
    elif request.param == "loop":
        path.symlink_to(path)
    elif request.param == "forbidden":
        if os.geteuid() == 0:
            pytest.skip("root reads everything")
        path.write_bytes(b"{}")
        path.chmod(0)
    elif content is not None:
        path.write_bytes(content)
    return path


FILE_COMMANDS = {
    "charter show": ["charter", "show", "{}"],
    "charter verify": ["charter", "verify", "{}"],
    "charter sign": ["charter", "sign", "{}", "--keys", "keys"],
    "charter new": ["charter", "new", "--name", "B", "--quorum", "1", "--out", "b.charter", "{}"],
    "init charter": [
        "init", "--charter", "{}", "--member", "pk", "--officer", "keys/ayesha.pub", "--listen", "none", "--data", "n"],
    "sign": ["sign", "{}", "--key", "ayesha"],
    "submit": ["submit", "{}", "--data", "no-node"],
    "submit ssh": ["submit", "{}", "--node", "ssh://127.0.0.1:1"],
    "verify proof": ["verify", "{}", "--charter", "signed.charter"],
    "verify charter": ["verify", "draft.charter", "--charter", "{}"],
    "import": ["import", "vasp-licences", "{}", "--plan", "p.plan", "--data", "no-node"],
    "publish document": [
        "publish", "document", "{}", "--work", "/akn/pk/act/2025/x", "--plan", "p.plan", "--data", "no-node"],
    "tls status": ["tls", "status", "{}"],
    "tls renew": ["tls", "renew", "--certificate", "{}", "--out", "new.pem", "--keys", "keys"],
    "tls issue": ["tls", "issue", "{}", "--out", "new.pem", "--keys", "keys"],
    "passphrase": ["keys", "new", "omid", "--passphrase", "file:{}"],
}


@pytest.mark.parametrize("command", FILE_COMMANDS)
def test_bad_files(command, nonsense, place):
    refused(*[word.replace("{}", str(nonsense)) for word in FILE_COMMANDS[command]], cwd=place)


def test_bad_officers(nonsense, place):
    path = place / f"{nonsense.name}.pub"
    path.symlink_to(nonsense)
    try:
        refused(
            "init", "--charter", "signed.charter", "--member", "pk", "--listen", "none", "--data", "n",
            "--officer", path, cwd=place)
    finally:
        path.unlink()


@pytest.mark.parametrize("name", [name for name in NONSENSE if name not in ("missing", "object")])
def test_bad_configuration(name, tmp_path):
    (tmp_path / "node").mkdir()
    (tmp_path / "node" / "config.json").write_bytes(NONSENSE[name])
    for command in (["config", "show"], ["node"], ["status"]):
        assert "config.json" in refused(*command, "--data", "node", cwd=tmp_path)


@pytest.mark.parametrize(
    "setting, value",
    [
        ("listen", "nowhere"), ("listen", "127.0.0.1:0"), ("listen", "127.0.0.1:99999"), ("listen", 7), ("member", "PK"),
        ("peers", "sv=1.2.3.4:5"), ("peers", ["sv"]), ("peers", [7]), ("proxy", "ftp://x:1"), ("logLevel", "loud"),
        ("logFormat", "xml"), ("maximumConnections", 0), ("maximumConnections", "8"), ("exchangeInterval", 1.5),
        ("passphraseSource", "secret"), ("controlSocket", "x" * 200), ("authorityKey", ""), ("authorityKey", 7), ("surprise", 1), ("data", "elsewhere"),
    ],
)
def test_bad_settings(setting, value, tmp_path):
    (tmp_path / "node").mkdir()
    (tmp_path / "node" / "config.json").write_text(json.dumps({"member": "pk"} | {setting: value}))
    line = refused("config", "show", "--data", "node", cwd=tmp_path)
    assert "config.json" in line and setting in line


@pytest.mark.parametrize(
    "variable, value", [("LISTEN", "x"), ("MAXIMUM_CONNECTIONS", "many"), ("LOG_LEVEL", ""), ("PEERS", "sv:1")]
)
def test_bad_environment(variable, value, tmp_path):
    (tmp_path / "node").mkdir()
    (tmp_path / "node" / "config.json").write_text('{"member":"pk"}')
    env = environment(**{f"ENTENTE_{variable}": value})
    assert f"ENTENTE_{variable}" in refused("config", "show", "--data", "node", cwd=tmp_path, env=env)


USAGE = [
    ["surprise"], ["keys", "surprise"], ["status", "--surprise"], ["keys", "new"], ["keys", "new", "a", "b"],
    ["keys", "new", "--all"], ["keys", "new", "a", "--all"], ["keys", "new", "a", "--id", "did:web:x"],
    ["charter", "new"], ["charter", "new", "--quorum", "two"], ["charter", "sign"], ["charter", "verify"], ["init"],
    ["import"], ["import", "vasp-licences", "x.csv"],
    ["import", "vasp-licences", "x.csv", "--plan", "p", "--missing", "burn"], ["publish", "document"],
    ["publish", "document", "x"], ["publish", "entry", "vasp-licences"],
    ["publish", "entry", "vasp-licences", "--key", "k", "--status", "s"],
    ["publish", "entry", "vasp-licences", "--key", "k", "--status", "s", "--plan", "p", "--sign-with", "a"],
    ["retract", "--sign-with", "a"], ["retract", "vasp-licences", "--sign-with", "a"],
    ["retract", "vasp-licences", "k", "--reason", "none", "--sign-with", "a"], ["undo", "x", "--sign-with", "a"],
    ["undo", "-1", "--sign-with", "a"], ["sign"], ["sign", "p"], ["submit"], ["show"], ["show", "x", "--limit", "0"],
    ["history"], ["history", "a", "b", "c"], ["history", "a", "b", "--register", "c"], ["why", "vasp-licences"],
    ["endorse", "--sign-with", "a"], ["endorse", "warnings", "--sign-with", "a"], ["endorse", "warnings", "k"],
    ["endorse", "warnings", "k", "--kind", "likes", "--plan", "p"], ["endorse", "--index", "3", "--plan", "p"],
    ["resolve", "warnings", "--take", "pk", "--plan", "p"], ["resolve", "warnings", "k", "--plan", "p"],
    ["resolve", "warnings", "k", "--take", "pk"], ["conflicts", "--limit", "0"], ["conflicts", "a", "b"],
    ["endorse", "--identity", "xyz", "--plan", "p"], ["endorse", "warnings", "k", "--note", "n", "--plan", "p"],
    ["declare-complete", "warnings", "--sign-with", "a"], ["declare-complete", "--until", "2027-01-01", "--plan", "p"],
    ["entries", "--limit", "100000"], ["entries", "--from", "-1"], ["documents", "--save", "x"],
    ["receipts"], ["receipts", "x", "--timeout", "0"], ["status", "--wait", "soon"], ["prove", "vasp-licences"],
    ["verify", "x"], ["verify", "x", "--charter", "y", "--max-age", "old"],
    ["verify", "x", "--charter", "y", "--expect", "A B"], ["tls", "surprise", "x"], ["tls", "issue", "x"],
    ["tls", "issue", "--out", "x"], ["tls", "request", "x"],
]


@pytest.mark.parametrize("arguments", USAGE, ids=" ".join)
def test_bad_usage(arguments, tmp_path):
    refused(*arguments, cwd=tmp_path, statuses=(64,))


VALUES = [
    (["keys", "new", "Ayesha!"], "ayesha"), (["keys", "new", "../escape"], ""), (["keys", "new", "a", "--kind", "queen"], "queen"),
    (["keys", "new", "a", "--passphrase", "pass:secret"], "env:NAME"), (["keys", "list", "--keys", "nowhere"], "nowhere"),
    (["tls", "request", "--data", "nowhere"], "no node here"), (["tls", "--data", "nowhere"], "no node here"),
    (["submit", "x", "--node", "http://host"], ""), (["sign", "x", "--key", "a/b"], ""),
]


@pytest.mark.parametrize("arguments, word", VALUES, ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_bad_values(arguments, word, tmp_path):
    assert word.lower() in refused(*arguments, cwd=tmp_path).lower()


@pytest.mark.parametrize(
    "option, value",
    [
        ("--id", "pk.example"), ("--id", "did:web:PK.example"), ("--id", "did:web:"), ("--name", "PK"), ("--title", ""),
        ("--country", "Pakistan"), ("--zone", "Mars/Olympus"), ("--role", "king"), ("--address", "http://x:1"),
        ("--address", "https://x"),
    ],
)
def test_bad_member(option, value, tmp_path):
    words = {
        "--id": "did:web:pk.example", "--name": "pk", "--title": "Pakistan", "--country": "PK", "--zone": "Asia/Karachi",
    } | {option: value}
    pairs = [part for pair in words.items() for part in pair]
    refused("keys", "new", "--all", *pairs, "--keys", "keys", cwd=tmp_path)


def test_short_or_wrong_passphrases(place):
    refused("keys", "new", "omid", cwd=place, env=environment(ENTENTE_PASSPHRASE="short"))
    refused("keys", "new", "omid", cwd=place, env=environment(ENTENTE_PASSPHRASE=""))
    refused("charter", "sign", "draft.charter", cwd=place, env=environment(ENTENTE_PASSPHRASE="another passphrase"))
    open_file = place / "open-passphrase"
    open_file.write_text(PASSPHRASE)
    open_file.chmod(0o644)
    refused("keys", "new", "omid", "--passphrase", f"file:{open_file}", cwd=place)


def test_what_is_there_is_left(place):
    refused("keys", "new", "ayesha", cwd=place)
    refused("charter", "new", "--name", "B", "--quorum", "2", "--out", "signed.charter", "keys/pk.member", cwd=place)
    refused(
        "init", "--charter", "signed.charter", "--member", "pk", "--officer", "keys/ayesha.pub", "--listen", "none",
        "--data", ".", cwd=place)


def test_init_refuses_what_does_not_fit(place, member_keys):
    common = ["--officer", "keys/ayesha.pub", "--listen", "none", "--data", "n"]
    assert "sign" in refused("init", "--charter", "draft.charter", "--member", "pk", *common, cwd=place)
    assert "pk, sv, us" in refused("init", "--charter", "signed.charter", "--member", "xx", *common, cwd=place)
    refused("init", "--charter", "signed.charter", "--member", "sv", *common, cwd=place)
    refused("init", "--charter", "signed.charter", "--member", "pk", "--keys", "nowhere", *common, cwd=place)
    refused("init", "--charter", "signed.charter", "--member", "pk", "--listen", "none", "--data", "n", cwd=place)
    refused("init", "--charter", "signed.charter", "--member", "pk", "--two-officers", "A B", *common, cwd=place)
    refused("init", "--charter", "signed.charter", "--member", "pk", *common, "--listen", "here", cwd=place)
    long = "n" * 120
    refused("init", "--charter", "signed.charter", "--member", "pk", *common[:-1], long, cwd=place)


LOOKING = [
    ["status"], ["peers"], ["registers"], ["show", "vasp-licences"], ["history", "vasp-licences", "k"], ["documents"],
    ["why", "vasp-licences", "k"], ["declare-complete", "warnings", "--until", "2999-01-01", "--plan", "p"],
    ["endorse", "warnings", "k", "--plan", "p"], ["conflicts"], ["resolve", "warnings", "k", "--take", "pk", "--plan", "p"],
    ["entries"], ["receipts", "1"], ["prove", "vasp-licences", "k"], ["undo", "1", "--plan", "p"],
    ["retract", "vasp-licences", "k", "--plan", "p"],
    ["publish", "entry", "vasp-licences", "--key", "k", "--status", "authorised", "--plan", "p"],
]


@pytest.mark.parametrize("arguments", LOOKING, ids=" ".join)
def test_no_node(arguments, tmp_path):
    assert "entente init" in refused(*arguments, "--data", "none", cwd=tmp_path)
    (tmp_path / "node").mkdir()
    (tmp_path / "node" / "config.json").write_text('{"member":"pk"}')
    assert "entente node" in refused(*arguments, "--data", "node", cwd=tmp_path)


ASKED = [
    ["show", "no-such"], ["show", "A B"], ["show", "vasp-licences/no-such", "x"], ["show", "vasp-licences", "k", "--on", "soon"],
    ["show", "vasp-licences", "--member", "xx"], ["show", "vasp-licences", "k", "--on", "2026-02-30"],
    ["show", "vasp-licences", "--known-at", "soon"], ["show", "vasp-licences", "--known-at", "2999-01-01"],
    ["show", "vasp-licences", "--known-at", "2001-01-01"], ["show", "vasp-licences", "--known-at", "pk:999999999"],
    ["why", "no-such", "k"], ["why", "vasp-licences", "k", "--member", "xx"], ["why", "@rosters", "0"],
    ["declare-complete", "no-such", "--until", "2999-01-01", "--plan", "p"],
    ["conflicts", "no-such"], ["conflicts", "A B"], ["conflicts", "--on", "soon"], ["endorse", "no-such", "k", "--plan", "p"],
    ["resolve", "no-such", "k", "--take", "pk", "--plan", "p"], ["resolve", "warnings", "k", "--take", "pk", "--plan", "p"],
    ["declare-complete", "warnings", "--until", "2001-01-01", "--plan", "p"],
    ["declare-complete", "warnings", "--until", "never", "--plan", "p"],
    ["history", "no-such", "k"], ["entries", "--member", "xx"], ["receipts", "999999999"], ["receipts", "no-such-key"],
    ["receipts", "1", "--wait", "xx"], ["prove", "no-such", "k"], ["prove", "vasp-licences", "k", "--member", "xx"],
    ["prove", "vasp-licences", "k", "--on", "24/11/2026"], ["undo", "999999999", "--plan", "p"], ["undo", "0", "--plan", "p"],
    ["undo", "1", "--plan", "p"], ["retract", "vasp-licences", "no-such-key", "--plan", "p"],
    ["retract", "--index", "0", "--plan", "p"], ["documents", "--save", "00000000", "--out", "d"],
    ["publish", "entry", "no-such", "--key", "k", "--status", "s", "--plan", "p"],
    ["publish", "entry", "vasp-licences", "--key", "k", "--status", "splendid", "--plan", "p"],
    ["publish", "entry", "vasp-licences", "--key", "k", "--status", "authorised", "--field", "x", "--plan", "p"],
    ["publish", "entry", "vasp-licences", "--key", "k", "--status", "authorised", "--field", "x=y", "--plan", "p"],
    ["publish", "entry", "vasp-licences", "--key", "k", "--status", "authorised", "--from", "x", "--plan", "p"],
    ["publish", "entry", "vasp-licences", "--key", "", "--status", "authorised", "--plan", "p"],
    ["publish", "document", "/etc/hostname", "--work", "not/a/work", "--plan", "p"],
    ["publish", "document", "/etc/hostname", "--work", "/akn/pk/x", "--date", "31/07/2025", "--plan", "p"],
    ["publish", "document", "/etc/hostname", "--plan", "p"],
    ["publish", "document", "/etc/hostname", "--work", "/akn/pk/x", "--replaces", "0", "--plan", "p"],
    ["import", "no-such", "/etc/hostname", "--plan", "p"], ["import", "vasp-licences", "/etc/hostname", "--plan", "p"],
]


@pytest.mark.parametrize("arguments", ASKED, ids=" ".join)
def test_bad_questions(arguments, alliance, tmp_path):
    refused(*arguments, "--data", alliance["pk"].folder, cwd=tmp_path)


def test_refused_rows_hold_the_plan_back(alliance, tmp_path):
    (tmp_path / "rows.csv").write_text(
        "key,status,validFrom,legalName,competentAuthority\n"
        "N-1,authorised,2026-01-02,Good Ltd,A\nN-2,splendid,2026-01-02,Bad Ltd,A\nN-3,authorised,31.31.2026,Bad Ltd,A\n")
    arguments = ["import", "vasp-licences", "rows.csv", "--plan", "rows.plan", "--data", alliance["pk"].folder]
    assert "2 rows refused" in refused(*arguments, cwd=tmp_path)
    done = entente(*arguments, "--partial", cwd=tmp_path)
    assert "1 new" in done.stdout and (tmp_path / "rows.plan").exists()


def test_changed_plans(alliance, tmp_path):
    """A plan that was cut, changed or is of somebody else is neither signed nor submitted."""
    pk, sv = alliance["pk"], alliance["sv"]
    entente(
        "publish", "entry", "vasp-licences", "--key", "N-9", "--status", "authorised", "--field", "legalName=Nine Ltd",
        "--field", "competentAuthority=A", "--plan", "good.plan", "--data", pk.folder, cwd=tmp_path)
    good = (tmp_path / "good.plan").read_bytes()
    lines = good.splitlines(keepends=True)
    assert "sign" in refused("submit", "good.plan", "--data", pk.folder, cwd=tmp_path)
    bad = tmp_path / "bad.plan"
    variants = [good[:-1], b"".join(lines[:-1]), good + b"\n", good + lines[-1], lines[0], good.replace(b"payload", b"paylaod")]
    variants.append(lines[0] + b"".join(line.replace(b'"payload":"', b'"payload":"AB') for line in lines[1:]))
    for content in variants:
        bad.write_bytes(content)
        refused("sign", "bad.plan", "--key", "ayesha", "--keys", pk.keys, cwd=tmp_path)
        refused("submit", "bad.plan", "--data", pk.folder, cwd=tmp_path)
    # Another member's officer, and another member's node.
    refused("sign", "good.plan", "--key", "ayesha", "--keys", sv.keys, cwd=tmp_path)
    refused("sign", "good.plan", "--key", "root-1", "--keys", pk.keys, cwd=tmp_path)
    entente("sign", "good.plan", "--key", "ayesha", "--keys", pk.keys, cwd=tmp_path)
    refused("submit", "good.plan", "--data", sv.folder, cwd=tmp_path)
    signed = (tmp_path / "good.plan").read_bytes()
    bad.write_bytes(signed[:-40] + (b"A" if signed[-40:-39] != b"A" else b"B") + signed[-39:])
    refused("submit", "bad.plan", "--data", pk.folder, cwd=tmp_path)
