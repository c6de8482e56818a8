"""The files of Tests/BadInput, given to the real commands: one line that says what is wrong and where, a status that is
not 0, and nothing that reads like a trap."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cli_nonsense_test import TRAPS
from program import PASSPHRASE, entente

CORPUS = Path(__file__).resolve().parent.parent / "BadInput"

# The folder, and the command that reads its files; a charter's signatures are looked at by other readers than a draft's.
COMMANDS = {
    "charters": ["charter", "verify", "{}"],
    "proof-files": ["verify", "{}", "--charter", "{charter}"],
    "plans": ["sign", "{}", "--key", "ayesha"],
    "member-files": ["charter", "new", "--name", "B", "--quorum", "1", "--out", "b.charter", "{}"],
    "config": ["config", "show", "--data", "{}"],
}


def cases(folder):
    lines = (CORPUS / folder / "expected.tsv").read_text().splitlines()[1:]
    return [(name, code) for name, code, _, _ in (line.split("\t") for line in lines)]


def run(folder, name, place):
    path = CORPUS / folder / name
    if folder == "config":
        home = place / "nodes" / name
        home.mkdir(parents=True)
        (home / "config.json").write_bytes(path.read_bytes())
        path = home
    words = [word.replace("{}", str(path)).replace("{charter}", str(CORPUS / "charters/good-all-signed"))
             for word in COMMANDS[folder]]
    return name, entente(*words, cwd=place, check=False)


@pytest.mark.parametrize("folder", COMMANDS)
def test_every_bad_file(folder, tmp_path):
    bad = [name for name, code in cases(folder) if code != "accepted"]
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda name: run(folder, name, tmp_path), bad))
    wrong = []
    for name, done in answers:
        lines = done.stderr.splitlines()
        is_plain = len(lines) == 1 and lines[0].startswith("entente: ") and len(lines[0]) > 20
        said = done.stderr + done.stdout
        # A charter that is well formed gets a table of who signed, and the status.
        if folder == "charters" and done.returncode == 1 and done.stdout.startswith(("NOT YET. ", "CANNOT TELL. ")):
            continue
        # 1 or 2: refused, or for a proof "cannot tell"; a signal would be negative.
        if done.returncode not in (1, 2) or not is_plain or any(trap in said for trap in TRAPS) or PASSPHRASE in said:
            wrong.append(f"{folder}/{name}: status {done.returncode}: {said[:300]}")
        elif name not in lines[0] and folder != "config":
            wrong.append(f"{folder}/{name}: the file is not named: {lines[0]}")
    assert not wrong, "\n".join(wrong)
