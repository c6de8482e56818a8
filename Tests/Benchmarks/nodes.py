#!/usr/bin/env python3
"""Measures real nodes: bulk publication, cold sync, publish-to-visible latency, disk and memory.

    Tests/Benchmarks/nodes.py [--rows 100000] [--single 500] [--json FILE]

Needs the release build of entente and the packages of Tests/system/requirements.txt. Speeds are shown beside the
machine's own rate of Ed25519 verification in the same run, because machines differ and are noisy.
"""

import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "system"))

import alliance as sample  # noqa: E402
from program import entente  # noqa: E402


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


def write_rows(path, count):
    with open(path, "w") as file:
        file.write("key,status,validFrom,competentAuthority,legalName,licenceNumber,address,comments\n")
        for number in range(count):
            file.write(
                f"PK-{number:07d},authorised,2026-01-01,Pakistan Virtual Assets Regulatory Authority,"
                f"Sample Firm {number} Ltd,PK-{number:07d},\"{number} Constitution Avenue, Islamabad\",benchmark row\n"
            )


def bulk(pk, folder, rows):
    csv, plan = folder / "rows.csv", folder / "rows.plan"
    write_rows(csv, rows)
    times = {}
    for name, arguments in {
        "import": ["import", "vasp-licences", csv, "--plan", plan],
        "sign": ["sign", plan, "--key", "ayesha", "--keys", pk.keys],
        "submit": ["submit", plan],
    }.items():
        options = ["--data", pk.folder] if name != "sign" else []
        start = time.monotonic()
        entente(*arguments, *options, timeout=1800)
        times[name] = time.monotonic() - start
    return times


def wait_for_size(node, member, size, seconds=600):
    end = time.monotonic() + seconds
    while node.log_of(member)["entries"] < size:
        if time.monotonic() > end:
            sys.exit(f"{node.name} does not hold {size} entries of {member}:\n{node.log_tail()}")
        time.sleep(0.02)


def latency(pk, others, officer, count):
    """Milliseconds from submitting one statement to its being visible at each other node, and to all receipts."""
    visible, receipts, submitted = [], [], []
    for number in range(count):
        key = f"LAT-{number:05d}"
        statement = officer.attestation("vasp-licences", key, "authorised")
        seen = {}

        def watch(node, key=key, seen=seen):
            connection = sample.SocketConnection(node.socket, 30)
            while node.name not in seen:
                connection.request("GET", f"/v1/rows?register=vasp-licences&key={key}&member=pk")
                if json.loads(connection.getresponse().read())["rows"]:
                    seen[node.name] = time.monotonic()
            connection.close()

        watcher = threading.Thread(target=watch, args=(others[number % len(others)],))
        watcher.start()
        start = time.monotonic()
        answer = json.loads(pk.request("POST", "/v1/submit", body=json.dumps({"statements": [statement]}).encode()))
        submitted.append((time.monotonic() - start) * 1000)
        watcher.join()
        visible.append((max(seen.values()) - start) * 1000)
        pk.get("/v1/receipts", index=answer["last"], wait=",".join(node.name for node in others), timeout=20)
        receipts.append((time.monotonic() - start) * 1000)
    return visible, receipts, submitted


def spread(values):
    ordered = sorted(values)
    return {"median": statistics.median(ordered), "p99": ordered[int(len(ordered) * 0.99) - 1], "max": ordered[-1]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--single", type=int, default=500)
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    result = {"rows": options.rows}
    one, all_cores = verification_rate()
    result["verifications a second, OpenSSL"] = {"one core": one, "all cores": all_cores}
    with tempfile.TemporaryDirectory(prefix="entente-benchmark-") as name:
        folder = pathlib.Path(name)
        try:
            measure(folder, options, result)
        finally:
            sample.Node.kill_all()
    _, again = verification_rate()
    result["verifications a second, OpenSSL"]["all cores, after"] = again
    print(json.dumps(result, indent=2))
    if options.json:
        options.json.write_text(json.dumps(result))


def measure(folder, options, result):
    nodes = make(folder)
    pk, sv, us, imf = (nodes[name] for name in sample.MEMBERS)
    pk.start(), sv.start(), us.start()
    first = pk.publish("LAT-FIRST")
    pk.receipts("pk", first["last"], ["sv", "us"])
    visible, receipts, submitted = latency(pk, [sv, us], pk.officer("ayesha"), options.single)
    result["milliseconds from submission to"] = {
        "durable": spread(submitted), "visible at another node": spread(visible), "receipts of two": spread(receipts)
    }
    sv.end(), us.end()
    before = pk.log_of("pk")["entries"]
    result["bulk publication, seconds"] = times = bulk(pk, folder, options.rows)
    size = pk.log_of("pk")["entries"]
    result["bulk publication, entries a second"] = {
        "submit": (size - before) / times["submit"], "sign": (size - before) / times["sign"]
    }
    result["memory of the publisher, MB (now, most)"] = resident(pk)
    start = time.monotonic()
    imf.start()
    begun = time.monotonic()
    wait_for_size(imf, "pk", size)
    end = time.monotonic()
    result["cold sync, seconds"] = {"start of the process": begun - start, "sync": end - begun}
    result["cold sync, entries a second"] = size / (end - begun)
    result["memory of the receiver, MB (now, most)"] = resident(imf)
    database = sum(path.stat().st_size for path in imf.folder.glob("entente.sqlite"))
    imf.end()
    database = sum(path.stat().st_size for path in imf.folder.glob("entente.sqlite*"))
    raw = entry_bytes(pk, before, size)
    result["disk"] = {"bytes per entry": database / size, "an entry": raw, "ratio": database / size / raw}
    start = time.monotonic()
    imf.start()
    result["start with all of it, seconds"] = time.monotonic() - start
    result["memory after a start, MB (now, most)"] = resident(imf)


def entry_bytes(node, first, size):
    views = [node.get("/v1/entry", member="pk", index=index) for index in range(first + 1, size - 1, max(1, size // 200))]
    return statistics.mean(len(view["raw"]) for view in views)


def make(folder):
    (folder / "keys").mkdir()
    keys = {name: sample.make_keys(folder / "keys" / name, name) for name in sample.MEMBERS}
    return sample.Alliance(folder / "alliance", keys, sample.MEMBERS).nodes


if __name__ == "__main__":
    main()
