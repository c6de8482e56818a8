"""A node whose disk is full: it says so and publishes nothing, fetches nothing and blames nobody, long before a write could
fail; and goes on by itself once there is room. With a reserve of nothing, the system's own refusal does no harm either."""

import contextlib
import os
import shutil
import subprocess

import pytest

from alliance import Alliance, Refused
from program import entente, eventually

NODE = "pk"
MIB = 1 << 20
RESERVE = 8


def mounted(folder, mebibytes):
    """A small filesystem of its own; why not, where that can't be."""
    folder.mkdir(parents=True)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m,mode=0700", "tmpfs", folder], capture_output=True, text=True
    )
    return done.stderr.strip() if done.returncode else None


class Full:
    """An alliance in which one node's folder has a disk of 32 MiB."""

    def __init__(self, folder, keys):
        self.folder = folder / NODE
        self.made = Alliance(folder, keys, (NODE, "sv", "imf"))
        self.node, self.other = self.made[NODE], self.made["sv"]
        kept = folder / "kept"
        shutil.move(self.folder, kept)
        problem = mounted(self.folder, 32)
        if problem:
            pytest.skip(f"no filesystem can be mounted here: {problem}")
        shutil.copytree(kept, self.folder, dirs_exist_ok=True)
        self.filling = self.folder / "filling"

    @property
    def free(self):
        facts = os.statvfs(self.folder)
        return facts.f_bavail * facts.f_frsize

    def fill(self, left):
        """Something else takes the disk, but for so many bytes."""
        with open(self.filling, "ab") as file, contextlib.suppress(OSError):
            os.posix_fallocate(file.fileno(), 0, file.tell() + self.free - left)

    def concern(self):
        status = self.node.status()
        return status["state"], [one["text"] for one in status["concerns"] if one["code"] == "disk"]

    def end(self):
        self.made.stop()
        subprocess.run(["umount", self.folder], check=True)


@pytest.fixture
def full(workspace, cheap_keys, request):
    if shutil.which("mount") is None or os.geteuid() != 0:
        pytest.skip("mounting a small filesystem needs root")
    made = Full(workspace / f"full-{request.node.name[-12:]}", cheap_keys)
    yield made
    made.end()


def start(full, reserve):
    full.node.launch("--disk-reserve", reserve)
    full.made.start("sv", "imf")
    full.node.answers()
    full.made.connected()
    full.node.publish("BEFORE")
    full.other.publish("BEFORE")
    return full.made.converged()


def expect_no_blame(full):
    """The others were not refused anything, and hold nothing that contradicts."""
    for node in full.made:
        assert not node.rejections(), node.rejections()
        assert not [log["problem"] for log in node.status()["logs"] if log["problem"]]


def test_a_reserve_is_kept(full):
    sizes = start(full, RESERVE)
    full.fill(RESERVE * MIB - MIB // 2)
    assert full.free < RESERVE * MIB
    with pytest.raises(Refused) as refused:
        full.node.publish("TOO-LATE")
    reason = refused.value.error["reason"]
    assert "nothing was published" in reason and "7 MiB are left on the disk" in reason and "make room" in reason

    state, texts = full.concern()
    assert state == "critical" and "nothing is published" in texts[0]
    shown = entente("status", "--data", full.folder, check=False)
    assert shown.returncode == 2 and "kept in reserve" in shown.stdout

    # A document is refused before its bytes are written.
    text = full.made.folder / "act.md"
    text.write_text("An act")
    done = full.node.cli(
        "publish", "document", text, "--work", "/akn/pk/act/2026/1", "--date", "2026-11-22", "--title", "Act",
        "--sign-with", "ayesha", "--keys", full.node.keys, check=False,
    )  # fmt: skip
    assert done.returncode == 1 and "are left on the disk" in done.stderr

    # What others publish waits, with the others.
    full.other.publish(*[f"WAITS-{number}" for number in range(50)])
    full.made.converged("sv", "imf", cosigned=False)
    said = ("no log is fetched", "could not be stored")
    eventually(lambda: any(words in full.node.new_log_lines() for words in said), "the node has tried")
    assert full.node.log_of("sv")["entries"] == sizes["sv"] and full.node.log_of(NODE)["entries"] == sizes[NODE]
    for node in full.made:
        assert not node.rejections(), node.rejections()

    full.filling.unlink()
    full.node.publish("AFTER")
    full.made.converged(seconds=10)
    expect_no_blame(full)
    assert not any("in reserve" in text for text in full.concern()[1])


def test_without_a_reserve_nothing_is_half_done(full):
    """Every write fails from some byte on, wherever that is."""
    start(full, 0)
    for left in (0, 4_096, 20_000, 60_000, 120_000, 300_000):
        before = full.node.log_of(NODE)["entries"]
        full.fill(left)
        try:
            for number in range(200):
                full.node.publish(f"FILLS-{left}-{number}")
            pytest.fail("the disk never was full")
        except Refused as refused:
            assert "is full" in refused.error["reason"] and "make room" in refused.error["reason"], refused
        assert full.node.log_of(NODE)["entries"] >= before
        full.filling.unlink()
        full.node.publish(f"AFTER-{left}")
        full.made.converged(seconds=10)
    expect_no_blame(full)
    full.node.kill()
    done = entente("fsck", "--data", full.folder, check=False)
    assert done.returncode == 0, done.stdout
    full.node.start("--disk-reserve", 0)
    full.node.publish("LAST")
    full.made.converged()
    assert all(full.other.row("vasp-licences", f"AFTER-{left}", NODE) for left in (0, 300_000))
