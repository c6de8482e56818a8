"""SIGKILL of nodes at any moment of publishing, importing, replicating and starting: nothing acknowledged is lost, no log
forks, every folder is sound, and all come to hold the same again.

ENTENTE_TEST_SIZE=long kills 1,000 times; $ENTENTE_CRASH_SEED replays the choices of one run (not the moments of the kernel).
"""

import os
import random

import pytest

import crashes
from alliance import Alliance

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
