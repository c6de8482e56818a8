"""A node whose folder was put back from a copy signs nothing before every other member has said what it holds of its log, and takes
back what it lacks. (What marks a folder as restored is `entente restore`; here the test does.)"""

import shutil

import pytest

from alliance import Refused
from program import eventually
from test_charters import alliance_of  # noqa: F401


def set_back(node, copy):
    """Puts an old copy of the database in the place of the newer one, as a restored backup does."""
    node.end()
    for path in node.folder.glob("entente.sqlite*"):
        path.unlink()
    for path in copy.iterdir():
        shutil.copy(path, node.folder / path.name)
    (node.folder / "restored").write_text("{}")


def copy_of(node, folder):
    node.end()
    folder.mkdir()
    for path in node.folder.glob("entente.sqlite*"):
        shutil.copy(path, folder / path.name)
    node.start()
    return folder


def waits_for(node):
    return next((one["text"] for one in node.status()["concerns"] if one["code"] == "starting"), "")


def test_a_restored_node_takes_back_its_newer_entries_before_it_signs(alliance_of, tmp_path):
    alliance = alliance_of("restored", ("pk", "sv", "us", "imf"))
    alliance.connected()
    pk, sv, us, imf = alliance
    pk.publish("PK-OLD")
    alliance.converged()
    copy = copy_of(pk, tmp_path / "copy")
    alliance.connected()
    newest = pk.publish("PK-NEWER")
    alliance.converged()

    # Everybody is there: it takes back what it lacks, and goes on.
    set_back(pk, copy)
    pk.start()
    eventually(lambda: pk.log_of("pk")["entries"] == newest["size"], "pk has its newer entries again")
    eventually(lambda: not (pk.folder / "restored").exists(), "the folder is complete")
    said = pk.publish("PK-AFTER")
    assert said["first"] == newest["size"]
    for node in (sv, us, imf):
        node.receipts("pk", said["first"], ["sv", "us", "imf"])
        assert node.row("vasp-licences", "PK-NEWER", "pk") and node.log_of("pk")["problem"] is None
    newest = said

    # One is missing: it holds and checks, and publishes nothing, also after a restart; the operator may waive it by name.
    imf.end()
    set_back(pk, copy)
    pk.start()
    eventually(lambda: pk.log_of("pk")["entries"] == newest["size"], "pk has its newer entries again")
    for _ in range(2):
        eventually(lambda: "imf must say what they hold" in waits_for(pk), f"pk waits for imf alone: {waits_for(pk)}", 40)
        with pytest.raises(Refused) as error:
            pk.publish("PK-TOO-EARLY")
        assert "was restored" in error.value.error["reason"]
        said = sv.publish(f"SV-{_}")
        sv.receipts("sv", said["first"], ["pk", "us"])
        pk.end()
        pk.start()
    assert pk.cli("node", "waive", "nobody", check=False).returncode == 1
    eventually(lambda: "imf must say what they hold" in waits_for(pk), "it waits for imf alone", 40)
    pk.cli("node", "waive", "imf")
    eventually(lambda: not (pk.folder / "restored").exists(), "the folder is complete")
    said = pk.publish("PK-WAIVED")
    us.receipts("pk", said["first"], ["sv", "us"])
    assert "without the word of imf" in pk.cli("audit").stdout
    assert "there is nothing to waive" in pk.cli("node", "waive", "imf", check=False).stderr
    imf.start()
    alliance.connected()
    alliance.converged()
    for node in alliance:
        assert node.log_of("pk")["problem"] is None
