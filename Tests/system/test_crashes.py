"""SIGKILL of nodes at any moment of publishing, importing, replicating and starting: nothing acknowledged is lost, no log
forks, every folder is sound, and all come to hold the same again.

ENTENTE_TEST_SIZE=long kills 1,000 times; $ENTENTE_CRASH_SEED replays the choices of one run (not the moments of the kernel).
"""

import os
import random

import pytest

import crashes
from alliance import Alliance, waiving
from program import eventually

KILLS = 100
RUNS = 10 if os.environ.get("ENTENTE_TEST_SIZE") == "long" else 1


@pytest.mark.timeout(900)
@pytest.mark.parametrize("run", range(RUNS))
def test_kills_lose_nothing(workspace, cheap_keys, run):
    seed = int(os.environ.get("ENTENTE_CRASH_SEED") or random.randrange(1 << 32))
    print(f"ENTENTE_CRASH_SEED={seed}")
    made = Alliance(workspace / f"crashes-{run}", cheap_keys, crashes.NODES)
    made.start()
    try:
        made.connected()
        harness = crashes.Harness(made.folder, made, seed)
        for name in crashes.PUBLISHERS:
            made[name].submit(made[name].definition("vasp-licences") + made[name].definition("agreements"))
        while harness.kills < KILLS:
            harness.round()
        harness.fsck()
        print(harness.summary())
    finally:
        made.stop()


def test_a_loss_is_noticed(workspace, cheap_keys):
    """That the harness finds what it looks for: a folder of some entries ago is a loss, other entries are a fork."""
    made = Alliance(workspace / "noticed", cheap_keys, crashes.NODES)
    pk, made_of = made["pk"], "entente.sqlite"
    alone = waiving(name for name in crashes.NODES if name != "pk")
    pk.start(*alone)
    try:
        harness = crashes.Harness(made.folder, made, 0)
        pk.publish("BEFORE")
        status, _ = pk.end()
        assert status == 0
        old = (pk.folder / made_of).read_bytes()
        pk.start(*alone)
        with harness.publishing("pk"):
            eventually(lambda: len(harness.acknowledged["pk"]) > 5, "entries are acknowledged")
        harness.check("pk")
        harness.check_acknowledged("pk")
        index, statement = pk.submit([harness.statement("pk")])["first"], b"another"
        harness.acknowledged["pk"].append((index, statement))
        with pytest.raises(AssertionError, match="is another one"):
            harness.check_acknowledged("pk")
        pk.kill()
        for path in pk.folder.glob(f"{made_of}*"):
            path.unlink()
        (pk.folder / made_of).write_bytes(old)
        # Else the node itself sees what is missing, and publishes nothing.
        (pk.folder / "audit.jsonl").unlink()
        pk.start(*alone)
        with pytest.raises(AssertionError, match="lost entries"):
            harness.check("pk")
        harness.held.clear()
        with pytest.raises(AssertionError, match="went back"):
            harness.check("pk")
        while pk.log_of("pk")["entries"] < harness.chains["pk"].size:
            pk.publish(f"AFTER-{pk.log_of('pk')['entries']}")
        with pytest.raises(AssertionError, match="a fork"):
            harness.check("pk")
    finally:
        made.stop()
