#!/usr/bin/env python3
"""Measures a real node that holds many logs, in an alliance at the limits of the charter.

    Tests/Benchmarks/scale/logs.py [--logs 200] [--replicas 120] [--entries 1000] [--idle 60] [--json FILE]
    Tests/Benchmarks/scale/logs.py --short      40 logs of 50 entries: under a minute

Two members' nodes are Entente's. All others are made here from the specification: their logs, their keys and the
cosignatures of 63 of them under every head. Each of these offers its log to the first node over a session of its own;
the second node then starts and takes everything from the first. A relay between the two counts their bytes.
"""

import argparse
import concurrent.futures
import json
import pathlib
import re
import struct
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent.parent / "system"))

import alliance as sample  # noqa: E402
import logs as made_of  # noqa: E402
import wire  # noqa: E402
from measures import resident, spread, verification_rate  # noqa: E402
from stranger import Stranger  # noqa: E402

HUB, FRESH = "pk", "sv"


def cpu(node):
    """Seconds of processor time that a node has used."""
    fields = pathlib.Path(f"/proc/{node.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def cosignature_line(name, key, text, moment):
    """C2SP tlog-cosignature: over a header, the time and the checkpoint."""
    signature = key.sign(b"cosignature/v1\ntime %d\n" % moment + text)
    identifier = made_of.key_id(name, made_of.COSIGNATURE, made_of.public_bytes(key))
    return f"\u2014 {name} {made_of.base64text(identifier + struct.pack('>Q', moment) + signature)}\n".encode()


class Author(Stranger):
    """A member with a log of its own making, that others have cosigned."""

    def __init__(self, folder, name, has_replica):
        super().__init__(folder, name)
        self.has_replica = has_replica
        if not has_replica:
            about = json.loads(self.file.read_text())
            about.pop("replica")
            self.file.write_text(json.dumps(about))

    def write(self, definition, entries):
        self.log.add(
            self.officer.definition("vasp-licences", definition["version"], definition["descriptor"]),
            ("@registers", "vasp-licences"),
        )
        for number in range(entries - 4):
            key = f"{self.name}-{number}"
            statement = self.officer.attestation("vasp-licences", key, "authorised", legalName=f"Firm {key}",
                                                 competentAuthority=self.name)
            self.log.add(statement, ("vasp-licences", key))
        self.log.seal()

    def cosigned(self, replicas):
        text = made_of.checkpoint(self.origin, self.log.size, self.log.root())
        own = made_of.signature_line(self.origin, self.log_key, text)
        moment = int(time.time()) - 60
        lines = [
            cosignature_line(f"{one.name}.alliance.example/replica", one.replica, text, moment)
            for one in replicas if one is not self
        ]
        self.head = made_of.note(text, own, *lines[:63])

    def offer_to(self, node):
        with self.session(node) as session:
            session.send(wire.frame(wire.HEAD, wire.text(self.head), wire.integer(0), wire.text(b"")))
            request, start = self.wanted(session)
            status = self.push(node, request, self.log.range(start))
            if status != 204:
                sys.exit(f"{self.name}'s range: {status}")


slowest = {}


def status(node):
    """A node's status; the longest wait for one is noted."""
    start = time.monotonic()
    found = json.loads(node.request("GET", "/v1/status", timeout=120))
    slowest[node.name] = max(slowest.get(node.name, 0), time.monotonic() - start)
    return found


def held(node, authors):
    sizes = {log["member"]: log["entries"] for log in status(node)["logs"]}
    return sum(sizes[author.name] == author.log.size for author in authors), sum(sizes.values())


def wait(node, authors, seconds=600):
    end = time.monotonic() + seconds
    while held(node, authors)[0] < len(authors):
        if time.monotonic() > end:
            sys.exit(f"{node.name} holds {held(node, authors)} of {len(authors)} logs:\n{node.log_tail()}")
        time.sleep(0.05)


def wire_bytes(node):
    """Bytes that the node's process has read and written so far, its database's among them."""
    text = pathlib.Path(f"/proc/{node.process.pid}/io").read_text()
    return {name: int(re.search(rf"{name}: (\d+)", text)[1]) for name in ("rchar", "wchar")}


def idle(nodes, seconds):
    """Processor seconds a minute of each node while nothing happens."""
    before = {node.name: (cpu(node), wire_bytes(node)) for node in nodes}
    time.sleep(seconds)
    result = {}
    for node in nodes:
        used, passed = before[node.name]
        result[node.name] = {
            "processor, s a minute": (cpu(node) - used) * 60 / seconds,
            "bytes read a minute": (wire_bytes(node)["rchar"] - passed["rchar"]) * 60 / seconds,
            "bytes written a minute": (wire_bytes(node)["wchar"] - passed["wchar"]) * 60 / seconds,
        }
    return result


def timed(action, count=20):
    times = []
    for _ in range(count):
        start = time.monotonic()
        action()
        times.append((time.monotonic() - start) * 1000)
    return spread(times)


def make(folder, options):
    (folder / "keys").mkdir(parents=True)
    names = (HUB, FRESH)
    keys = {name: sample.make_keys(folder / "keys" / name, name) for name in names}
    for number in range(options.logs - len(names)):
        sample.ABOUT[f"m{number:03d}"] = (f"Member {number}", "XS", "Etc/UTC", "observer")
    authors = [
        Author(folder, f"m{number:03d}", number < options.replicas - len(names))
        for number in range(options.logs - len(names))
    ]
    replicas = [author for author in authors if author.has_replica]
    quorum = min(63, (options.replicas - 1) * 2 // 3)
    made = sample.Alliance(
        folder / "alliance", keys, names, quorum=quorum, strangers=[author.file for author in authors])
    made[HUB].start(*sample.waiving([FRESH] + [author.name for author in authors]))
    definition = made[HUB].get("/v1/context", register="vasp-licences")["definition"]
    for author in authors:
        author.join(made)
        author.write(definition, options.entries)
        author.cosigned(replicas)
    return made, authors, quorum


def measure(folder, options, result):
    start = time.monotonic()
    made, authors, quorum = make(folder, options)
    hub, fresh = made[HUB], made[FRESH]
    result["alliance"] = {
        "logs": options.logs, "replica keys": options.replicas, "quorum": quorum,
        "charter, bytes": made.charter.stat().st_size, "head, bytes": len(authors[-1].head),
        "all heads, bytes": sum(len(author.head) for author in authors), "made in, s": time.monotonic() - start,
    }
    start, used = time.monotonic(), cpu(hub)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda author: author.offer_to(hub), authors))
    wait(hub, authors)
    elapsed = time.monotonic() - start
    result["from their owners, one session each"] = {
        "s": elapsed, "processor, s": cpu(hub) - used, "memory, MB": resident(hub)[0]}
    start = time.monotonic()
    fresh.launch()
    fresh.answers(120)
    up = time.monotonic()
    wait(fresh, authors)
    elapsed = time.monotonic() - up
    total = held(fresh, authors)[1]
    result["cold sync of all logs from one node"] = {
        "start, s": up - start, "s": elapsed, "entries": total, "entries a second": total / elapsed,
        "processor of the receiver, s": cpu(fresh), "memory, MB (now, most)": resident(fresh),
        "memory of the server, MB (now, most)": resident(hub),
    }
    settled(hub, fresh)
    result["idle"] = idle([hub, fresh], options.idle)
    fresh.end()
    start = time.monotonic()
    fresh.start()
    result["start with all of it"] = {"s": time.monotonic() - start, "memory, MB": resident(fresh)[0]}
    before = cpu(fresh), wire_bytes(fresh)
    settled(hub, fresh)
    result["start with all of it"]["processor until it was told that nothing differs, s"] = cpu(fresh) - before[0]
    result["queries, ms"] = {
        "status": timed(fresh.status),
        "row by key of one member": timed(lambda: fresh.row("vasp-licences", "m007-3", "m007"), 100),
        "row by key of all members": timed(lambda: fresh.get("/v1/rows", register="vasp-licences", key="m007-3"), 50),
    }
    result["longest wait for a status, s"] = slowest
    result["rejections"] = {node.name: node.rejections() for node in (hub, fresh)}


def settled(left, right, seconds=60):
    """Waits until two nodes have the same heads and cosignatures."""
    def view(node):
        return {log["member"]: (log["root"], sorted(one["member"] for one in log["heldBy"]))
                for log in status(node)["logs"]}

    end = time.monotonic() + seconds
    while view(left) != view(right):
        if time.monotonic() > end:
            differ = [name for name, seen in view(left).items() if view(right)[name] != seen]
            sys.exit(f"after {seconds} s {len(differ)} logs differ: {differ[:5]}")
        time.sleep(0.2)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--logs", type=int, default=200)
    parser.add_argument("--replicas", type=int, default=120)
    parser.add_argument("--entries", type=int, default=1_000)
    parser.add_argument("--idle", type=int, default=60)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    if options.short:
        options.logs, options.replicas, options.entries, options.idle = 40, 30, 50, 5
    one, cores = verification_rate()
    result = {"verifications a second, OpenSSL": {"one core": one, "all cores": cores}}
    with tempfile.TemporaryDirectory(prefix="entente-scale-") as name:
        try:
            measure(pathlib.Path(name), options, result)
        finally:
            sample.Node.kill_all()
            print(json.dumps(result, indent=2))
    if options.json:
        options.json.write_text(json.dumps(result))


if __name__ == "__main__":
    main()
