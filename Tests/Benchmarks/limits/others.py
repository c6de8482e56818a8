#!/usr/bin/env python3
"""Measures what one member that misbehaves costs the others: the time from a publication at one honest node until
another shows it, beside the same without it, right before, in the same run. Docs/benchmarks.md says what each line means.

    Tests/Benchmarks/limits/others.py                   every part, about 5 minutes
    Tests/Benchmarks/limits/others.py --only import     one part; may be repeated: import, singles, documents,
                                                        flood, withhold, poison
    Tests/Benchmarks/limits/others.py --json FILE       the figures as JSON as well

Needs the release build of entente and the packages of Tests/system/requirements.txt. All nodes run on this machine;
whoever misbehaves gets only what the others leave of the processors, as it would bring its own.
"""

import argparse
import json
import pathlib
import shutil
import sys
import tempfile
import time

import measure
import spammers
from measure import Pair, lower, quantile, sample, samples, summary

from program import eventually  # noqa: E402
from stranger import Stranger  # noqa: E402

HONEST = ("pk", "sv", "us")
PARTS = ("import", "singles", "documents", "flood", "withhold", "poison")
REAL = {"import": "s1", "singles": "s2", "documents": "s3"}
PLAYED = {"flood": "m1", "withhold": "m2", "poison": "m3"}
for name in REAL.values():
    sample.ABOUT[name] = (f"Spammer {name}", "XS", "Etc/UTC", "observer")


class Part:
    """Three honest members and one that misbehaves: an alliance of its own, so that a quorum is always there."""

    def __init__(self, folder, keys, options, part):
        self.part, self.options = part, options
        names = HONEST + ((REAL[part],) if part in REAL else ())
        self.stranger = Stranger(folder, PLAYED[part]) if part in PLAYED else None
        self.alliance = sample.Alliance(
            folder / "alliance", {name: keys(name) for name in names}, names, quorum=2,
            strangers=[self.stranger.file] if self.stranger else [])
        if self.stranger:
            self.stranger.join(self.alliance)

    def prepare(self):
        """What is published before the others are there: a spammer does not wait to be asked."""
        if self.part in ("import", "documents"):
            node = self.alliance[REAL[self.part]]
            # Nobody is there yet who could record that it has started.
            self.alliance.start(node.name, without=HONEST)
            if self.part == "import":
                spammers.backlog(node, self.options.entries)
            else:
                spammers.documents(node, self.options.documents, self.options.document_size << 20)
            node.end()
        self.alliance.start(*HONEST)
        self.alliance.connected(*HONEST)
        self.pairs = [Pair(self.alliance["pk"], self.alliance["sv"]), Pair(self.alliance["us"], self.alliance["pk"])]
        for pair in self.pairs:
            pair.publisher.submit(pair.publisher.definition(measure.REGISTER))
            pair.size = pair.publisher.log_of(pair.publisher.name)["entries"]
        samples(self.pairs, 20, self.options.pause)

    def measure(self, until=lambda: False):
        return summary(samples(self.pairs, self.options.samples, self.options.pause, until))

    def record(self, normal, found, **more):
        part = self.part
        again = self.measure()
        if not found:
            print(f"{part}: over before anything was measured", flush=True)
            return None
        # The worse of before and after: the machine is shared.
        base = max(normal["p99"], again["p99"])
        print(
            f"{part:10} normal {normal['median']:6.1f} p99 {normal['p99']:7.1f} | with {found['median']:6.1f} "
            f"p99 {found['p99']:7.1f} of {found['samples']} | after {again['median']:6.1f} p99 {again['p99']:7.1f} | "
            f"p99 ratio {found['p99'] / base:5.2f} | acknowledged p99 {normal['acknowledged p99']:.1f} -> "
            f"{found['acknowledged p99']:.1f} ms  {more or ''}", flush=True)
        return {"normal": normal, "again": again, "with": found, "ratio": found["p99"] / base} | more

    def spamming(self):
        """A node of ours that publishes."""
        part = self.part
        node = self.alliance[REAL[part]]
        normal = self.measure()
        node.launch()
        lower(node.process.pid)
        node.answers()
        reader = self.alliance["sv"]

        def taken():
            return reader.log_of(node.name)["entries"]

        if part == "singles":
            with spammers.Singles(node) as singles:
                eventually(lambda: taken() > 100, "the flood arrives", 60)
                begun = (time.monotonic(), taken())
                found = self.measure(lambda: singles.is_over)
                more = {"taken/s": (taken() - begun[1]) / (time.monotonic() - begun[0])}
        else:
            size = node.log_of(node.name)["entries"]
            eventually(lambda: taken() > 0, "the spammer's log arrives", 60)
            begun = (time.monotonic(), taken())

            def is_over():
                if part == "import":
                    return all(self.alliance[name].log_of(node.name)["entries"] >= size for name in ("pk", "sv"))
                status = reader.status()
                return status["documents"]["wanted"] == 0 and taken() >= size

            found = self.measure(is_over)
            more = {"taken/s": (taken() - begun[1]) / (time.monotonic() - begun[0]), "left": size - taken()}
            wanted = reader.status()["documents"]["wanted"]
            if part == "documents":
                more["wanted"] = wanted
        node.end()
        return self.record(normal, found, **more)

    def flooding(self):
        normal = self.measure()
        with spammers.Flooding(self.stranger, [self.alliance["sv"], self.alliance["pk"]]):
            time.sleep(1)
            found = self.measure()
        return self.record(normal, found)

    def catching_up(self, kind):
        """A node that was down fetches what it missed, while one of its sources is no good."""
        part, stranger = self.part, self.stranger
        normal = self.measure()
        behind = self.alliance["sv"]
        times = {"normal": [], "with": []}

        def once(number):
            behind.end()
            for name in ("pk", "us"):
                node = self.alliance[name]
                node.publish(*(f"{part}-{number}-{name}-{key}" for key in range(600)))
            sizes = {name: self.alliance[name].log_of(name)["entries"] for name in ("pk", "us")}
            begun = time.monotonic()
            behind.start()
            eventually(
                lambda: all(behind.log_of(name)["entries"] >= size for name, size in sizes.items()),
                "the node catches up", 240)
            return time.monotonic() - begun

        for number in range(self.options.restarts):
            times["normal"].append(once(number))
        with kind(stranger, [self.alliance[name] for name in HONEST]):
            time.sleep(1)
            for number in range(self.options.restarts):
                times["with"].append(once(1_000 + number))
            for pair in self.pairs:
                pair.size = pair.publisher.log_of(pair.publisher.name)["entries"]
                pair._asking = None
            found = self.measure()
        return self.record(
            normal, found,
            catching_up={name: [round(one, 2) for one in found] for name, found in times.items()})

    def run(self):
        self.prepare()
        if self.part in REAL:
            return self.spamming()
        if self.part == "flood":
            return self.flooding()
        return self.catching_up(spammers.Dripping if self.part == "withhold" else spammers.Poisoning)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=PARTS)
    parser.add_argument("--samples", type=int, default=150, help="of each of two pairs of nodes")
    parser.add_argument("--pause", type=float, default=0.04, help="seconds between two samples")
    parser.add_argument("--entries", type=int, default=100_000, help="that the import has")
    parser.add_argument("--documents", type=int, default=12)
    parser.add_argument("--document-size", type=int, default=32, help="MiB")
    parser.add_argument("--restarts", type=int, default=3)
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="entente-limits-"))
    made = {}

    def keys(name):
        if name not in made:
            made[name] = sample.cheap_keys(sample.make_keys(folder / "made" / name, name), folder / "keys" / name)
        return made[name]

    results = {}
    try:
        for part in options.only or PARTS:
            place = folder / part
            place.mkdir()
            results[part] = Part(place, keys, options, part).run()
            sample.Node.kill_all()
            shutil.rmtree(place)
    finally:
        sample.Node.kill_all()
        shutil.rmtree(folder, ignore_errors=True)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    sys.exit(main())
