"""How long a publication at one node takes until another shows it, one sample after the other."""

import http.client
import json
import os
import pathlib
import statistics
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "system"))

import alliance as sample  # noqa: E402

REGISTER = "vasp-licences"
SAMPLE_SECONDS = 60


# Linux shares its processors among sessions first: with one each, a node would have to share with the others' work in
# bulk, whatever its priority, though each brings its own machine. In one session, priorities count between all of them.
sample.Node.has_session = False


def lower(process):
    """Lets a process have only what the others leave: a spammer brings its own machine."""
    try:
        os.setpriority(os.PRIO_PROCESS, process, 19)
        for thread in os.listdir(f"/proc/{process}/task"):
            os.setpriority(os.PRIO_PROCESS, int(thread), 19)
    except OSError:
        pass


class Pair:
    """A member that publishes one statement at a time, and another member's node that is to show it."""

    def __init__(self, publisher, reader):
        self.publisher, self.reader = publisher, reader
        self.officer = publisher.officer()
        self.size = publisher.log_of(publisher.name)["entries"]
        self.number = 0
        self._asking = None

    def _ask(self, index, seen, asking):
        """One question, which the reader answers once it holds the entry."""
        if self._asking is None:
            self._asking = sample.SocketConnection(self.reader.socket, SAMPLE_SECONDS + 10)
        target = f"/v1/entry?member={self.publisher.name}&index={index}&timeout={SAMPLE_SECONDS}"
        try:
            self._asking.request("GET", target)
            asking.set()
            response = self._asking.getresponse()
            response.read()
            if response.status == 200:
                seen.append(time.monotonic())
        except (OSError, http.client.HTTPException):
            pass
        finally:
            asking.set()
            if not seen:
                self._asking = None

    def once(self, pause):
        """Milliseconds until acknowledged, and until shown; None for the latter where that takes too long."""
        self.number += 1
        statement = self.officer.attestation(
            REGISTER, f"Q-{self.number:06d}", "authorised", legalName="Sample Firm", competentAuthority="Test"
        )
        body = f'{{"statements":["{statement}"]}}'.encode()
        seen, asking = [], threading.Event()
        watcher = threading.Thread(target=self._ask, args=(self.size, seen, asking))
        watcher.start()
        asking.wait()
        # Until the question has arrived.
        time.sleep(pause)
        begun = time.monotonic()
        answer = self.publisher.request("POST", "/v1/submit", body=body, timeout=SAMPLE_SECONDS)
        acknowledged = time.monotonic() - begun
        watcher.join()
        self.size = json.loads(answer)["size"]
        return acknowledged * 1_000, (seen[0] - begun) * 1_000 if seen else None


def samples(pairs, count, pause, until=lambda: False):
    """So many samples of each pair, the pairs at once; fewer where `until` says that what is measured has ended."""
    results = []

    def run(pair):
        found = []
        while len(found) < count and not until():
            found.append(pair.once(pause))
        results.append(found)

    threads = [threading.Thread(target=run, args=(pair,)) for pair in pairs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [one for found in results for one in found]


def quantile(values, part):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


def summary(found):
    """Median, p99 and most of the milliseconds until acknowledged and until shown."""
    if not found:
        return None
    shown = [SAMPLE_SECONDS * 1_000 if one is None else one for _, one in found]
    acknowledged = [one for one, _ in found]
    return {
        "samples": len(found), "median": statistics.median(shown), "p99": quantile(shown, 0.99), "most": max(shown),
        "acknowledged median": statistics.median(acknowledged), "acknowledged p99": quantile(acknowledged, 0.99),
    }
