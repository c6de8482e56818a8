#!/usr/bin/env python3
"""Measures how real nodes bear one long log, each figure beside the same one for a short log of the same run.

    Tests/Benchmarks/scale/million.py [--entries 1000000] [--small 10000] [--behind 100000] [--folder DIR] [--json FILE]
    Tests/Benchmarks/scale/million.py --short      20,000 entries: under a minute

Needs the release build of entente and the packages of Tests/system/requirements.txt. With --folder the alliance is
kept there, and a later run with the same folder starts from it: it measures opening and queries alone.
"""

import argparse
import json
import os
import pathlib
import pickle
import random
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent.parent / "system"))

import alliance as sample  # noqa: E402
from measures import resident, spread, verification_rate, wait_for_size  # noqa: E402

CHUNK = 10_000
REGISTER = "vasp-licences"


class Samples:
    """What the run keeps between its parts."""

    def __init__(self):
        self.rows = 0
        self.chunks = []
        self.wal = 0


def statements(officer, first, count):
    return [
        officer.attestation(
            REGISTER, f"PK-{number:08d}", "authorised", legalName=f"Sample Firm {number} Ltd",
            competentAuthority="Pakistan Virtual Assets Regulatory Authority", address=f"{number} Constitution Avenue",
        )
        for number in range(first, first + count)
    ]


def wal_bytes(node):
    path = node.folder / "entente.sqlite-wal"
    return path.stat().st_size if path.exists() else 0


def publish_until(node, samples, rows):
    """Publishes in chunks, and notes how long each took and how long the database's log got."""
    officer = node.officer()
    while samples.rows < rows:
        count = min(CHUNK, rows - samples.rows)
        chunk = node.definition(REGISTER) if samples.rows == 0 else []
        chunk += statements(officer, samples.rows, count)
        start = time.monotonic()
        node.submit(chunk, timeout=600)
        samples.chunks.append((samples.rows, count / (time.monotonic() - start)))
        samples.rows += count
        samples.wal = max(samples.wal, wal_bytes(node))


def singles(node, count, tag):
    """Milliseconds until a single statement is durable."""
    officer = node.officer()
    times = []
    for number in range(count):
        statement = officer.attestation(REGISTER, f"{tag}-{number:04d}", "authorised", legalName="x",
                                        competentAuthority="y")
        start = time.monotonic()
        node.submit([statement])
        times.append((time.monotonic() - start) * 1000)
    return spread(times) | {"first": times[0]}


def alone(node):
    """What a node is started with that publishes whoever of the others is there."""
    return sample.waiving(name for name in sample.MEMBERS if name != node.name)


def sync(node, member, size):
    """Starts a node and waits until it holds so much: the time for its start, the rate, the rate of the last tenth."""
    start = time.monotonic()
    node.start(*alone(node))
    begun = time.monotonic()
    from_size = last = node.log_of(member)["entries"]
    steps = [(begun, from_size)]
    wal = 0
    while last < size:
        if time.monotonic() - steps[-1][0] > 120:
            sys.exit(f"{node.name} stands still at {last} entries of {member}:\n{node.log_tail()}")
        time.sleep(0.02)
        now = node.log_of(member)["entries"]
        wal = max(wal, wal_bytes(node))
        if now > last:
            steps.append((time.monotonic(), now))
            last = now
    end = steps[-1][0]
    tenth = next(step for step in steps if step[1] >= from_size + (size - from_size) * 0.9)
    now, most = resident(node)
    return {
        "start, s": begun - start, "entries": size - from_size, "entries a second": (size - from_size) / (end - begun),
        "entries a second, last tenth": (size - tenth[1]) / (end - tenth[0]) if end > tenth[0] else None,
        "memory, MB": now, "most memory, MB": most, "longest database log, MB": wal / 1e6,
    }


class Asker:
    """Asks a node over one connection, as an operator's tool does."""

    def __init__(self, node):
        self.connection = sample.SocketConnection(node.socket, 60)

    def get(self, target):
        start = time.monotonic()
        self.connection.request("GET", target)
        response = self.connection.getresponse()
        body = response.read()
        elapsed = (time.monotonic() - start) * 1000
        if response.status != 200:
            raise sample.Refused(response.status, body)
        return elapsed, body

    def times(self, targets):
        return spread([self.get(target)[0] for target in targets])


def queries(node, rows, count):
    """Milliseconds of what people ask, over one connection, one after the other."""
    asker = Asker(node)
    drawn = random.Random(1)
    size = node.log_of("pk")["entries"]
    keys = [f"PK-{drawn.randrange(rows):08d}" for _ in range(count)]
    result = {
        "row by key": asker.times([f"/v1/rows?register={REGISTER}&key={key}&member=pk" for key in keys]),
        "history of a key": asker.times([f"/v1/history?register={REGISTER}&key={key}&member=pk" for key in keys]),
        "entry by index": asker.times(
            [f"/v1/entry?member=pk&index={drawn.randrange(size)}" for _ in range(count)]),
        "status": asker.times(["/v1/status"] * 20),
        "1,000 rows from anywhere": asker.times(
            [f"/v1/rows?register={REGISTER}&member=pk&limit=1000&after=pk:{key}" for key in keys[:10]]),
    }
    log = node.log_of("pk")
    if log["quorum"] == log["entries"]:
        result["proof of a row"] = asker.times(
            [f"/v1/prove?register={REGISTER}&key={key}&member=pk" for key in keys[: max(10, count // 10)]])
    return result


def drop_cache(node):
    """The node's files are read from the disk next time."""
    for path in node.folder.glob("entente.sqlite*"):
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def ready(node):
    """Seconds from the start of the process to its line "ready"; the passphrase opens three keys meanwhile."""
    before = node.log.stat().st_size if node.log.exists() else 0
    start = time.monotonic()
    node.launch()
    while True:
        with open(node.log, "rb") as log:
            log.seek(before)
            if b"ready" in log.read():
                return time.monotonic() - start
        if node.process.poll() is not None or time.monotonic() - start > 60:
            sys.exit(f"{node.name} does not start:\n{node.log_tail()}")
        time.sleep(0.002)


def opening(node, rows, count):
    node.end()
    drop_cache(node)
    cold = ready(node)
    node.answers()
    node.end()
    warm = ready(node)
    node.answers()
    after, most = resident(node)
    return {"cold cache, s": cold, "warm cache, s": warm, "memory, MB": after, "most memory, MB": most}


def with_quorum(nodes, seconds=60):
    """Waits until pk knows a quorum of its newest head."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        log = nodes["pk"].log_of("pk")
        if log["quorum"] == log["entries"]:
            return
        time.sleep(0.05)
    sys.exit("no quorum of pk's newest head")


def looked_at(nodes, rows, count):
    """Opening and queries with a quorum of the newest head."""
    pk = nodes["pk"]
    result = {"opening": opening(pk, rows, count)}
    for name in ("imf", "us"):
        if not nodes[name].runs:
            nodes[name].start(*alone(nodes[name]))
            wait_for_size(nodes[name], "pk", pk.log_of("pk")["entries"])
    with_quorum(nodes)
    result["queries, ms"] = queries(pk, rows, count)
    result["memory after queries, MB"], _ = resident(pk)
    for name in ("imf", "us"):
        nodes[name].end()
    return result


def make(folder, options, result):
    (folder / "keys").mkdir(parents=True)
    keys = {name: sample.make_keys(folder / "keys" / name, name) for name in sample.MEMBERS}
    made = sample.Alliance(folder / "alliance", keys, sample.MEMBERS)
    nodes = made.nodes
    pk, imf, samples = nodes["pk"], nodes["imf"], Samples()
    pk.start(*alone(pk))
    publish_until(pk, samples, options.small)
    small = result[f"{options.small} entries"] = {"cold sync": sync(imf, "pk", pk.log_of("pk")["entries"])}
    imf.end()
    small["single publication, ms"] = singles(pk, options.single, "SMALL")
    small |= looked_at(nodes, samples.rows, options.queries)
    publish_until(pk, samples, options.entries - options.behind)
    large = result[f"{options.entries} entries"] = {}
    large["following from the short log on"] = sync(imf, "pk", pk.log_of("pk")["entries"])
    imf.end()
    publish_until(pk, samples, options.entries)
    large["catching up with what was published meanwhile"] = sync(imf, "pk", pk.log_of("pk")["entries"])
    imf.end()
    large["cold sync"] = sync(nodes["sv"], "pk", pk.log_of("pk")["entries"])
    nodes["sv"].end()
    large["single publication, ms"] = singles(pk, options.single, "LARGE")
    rates = [rate for _, rate in samples.chunks]
    result["publishing in chunks of 10,000, entries a second"] = {
        "first": rates[0], "the next three": rates[1:4], "the last three": rates[-3:],
        "longest database log, MB": samples.wal / 1e6,
    }
    large |= looked_at(nodes, samples.rows, options.queries)
    large["memory of the publisher, MB (now, most)"] = resident(pk)
    large["database, bytes an entry"] = (pk.folder / "entente.sqlite").stat().st_size / pk.log_of("pk")["entries"]
    made.stop()
    for node in made:
        node.process, node._officers = None, {}
    with open(folder / "made.pickle", "wb") as file:
        pickle.dump((made, samples), file)



def again(folder, options, result):
    with open(folder / "made.pickle", "rb") as file:
        made, samples = pickle.load(file)
    sample.Node.known.extend(made.nodes.values())
    made.nodes["pk"].start(*alone(made.nodes["pk"]))
    result[f"{samples.rows} entries"] = looked_at(made.nodes, samples.rows, options.queries)
    made.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--small", type=int, default=10_000)
    parser.add_argument("--behind", type=int, default=100_000)
    parser.add_argument("--single", type=int, default=200)
    parser.add_argument("--queries", type=int, default=1_000)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--folder", type=pathlib.Path)
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    if options.short:
        options.entries, options.small, options.behind = 20_000, 5_000, 5_000
        options.single, options.queries = 50, 100
    one, cores = verification_rate()
    result = {"verifications a second, OpenSSL": {"one core": one, "all cores": cores}}
    with tempfile.TemporaryDirectory(prefix="entente-scale-") as name:
        folder = options.folder or pathlib.Path(name)
        try:
            (again if (folder / "made.pickle").exists() else make)(folder, options, result)
        finally:
            sample.Node.kill_all()
            print(json.dumps(result, indent=2))
    if options.json:
        options.json.write_text(json.dumps(result))


if __name__ == "__main__":
    main()
