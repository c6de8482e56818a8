"""What the scale programs share: the machine's rate of verification, a node's memory, waiting for a size."""

import os
import pathlib
import re
import statistics
import subprocess
import sys
import time


def verification_rate():
    """Ed25519 verifications a second by OpenSSL, on one core and on all."""
    cores = os.cpu_count() or 1

    def run(*options):
        output = subprocess.run(
            ["openssl", "speed", "-seconds", "2", *options, "ed25519"], capture_output=True, text=True, check=True
        ).stdout
        return float(re.findall(r"Ed25519.*?([\d.]+)\s*$", output, re.M)[-1])

    return run(), run("-multi", str(cores))


def resident(node):
    """Megabytes of memory that a node's process holds now, and held at the most."""
    text = pathlib.Path(f"/proc/{node.process.pid}/status").read_text()
    return tuple(int(re.search(rf"{name}:\s+(\d+)", text)[1]) // 1024 for name in ("VmRSS", "VmHWM"))


def wait_for_size(node, member, size, seconds=600):
    end = time.monotonic() + seconds
    while node.log_of(member)["entries"] < size:
        if time.monotonic() > end:
            sys.exit(f"{node.name} does not hold {size} entries of {member}:\n{node.log_tail()}")
        time.sleep(0.02)


def spread(values):
    ordered = sorted(values)
    return {"median": statistics.median(ordered), "p99": ordered[int(len(ordered) * 0.99) - 1], "max": ordered[-1]}
