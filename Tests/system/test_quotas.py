"""A member that publishes without end: the others' publications go first, and nothing of its own is lost."""

import json

import pytest

from alliance import Alliance
from program import eventually

NAMES = ("pk", "sv", "us")


def spam(node, count):
    """Publishes so many entries in one submission."""
    officer = node.officer()
    node.submit(
        node.definition("vasp-licences")
        + [
            officer.attestation("vasp-licences", f"S-{number}", "authorised", legalName="x", competentAuthority="y")
            for number in range(count)
        ],
        timeout=300,
    )
    return node.log_of(node.name)["entries"]


@pytest.fixture
def backlog(workspace, cheap_keys, request):
    """us has published much while nobody was there; pk and sv know nothing of it yet."""
    made = Alliance(workspace / f"quota-{request.node.name[:12]}", cheap_keys, NAMES)
    made.start("us", without=("pk", "sv"))
    made.size = spam(made["us"], request.param)
    made["us"].end()
    yield made
    made.stop()


@pytest.mark.parametrize("backlog", [12_000], indirect=True)
def test_others_go_first(backlog):
    """By order and not by time: while pk publishes, us's backlog waits beyond its share."""
    pk, sv = backlog["pk"], backlog["sv"]
    backlog.start("pk", "sv", without=("us",))
    backlog.connected("pk", "sv")
    backlog.start("us")
    eventually(lambda: sv.log_of("us")["entries"], "us's backlog begins to arrive")
    for number in range(6):
        answer = pk.publish(f"PK-{number}")
        eventually(lambda: sv.log_of("pk")["entries"] > answer["last"], "sv holds what pk published")
        assert sv.log_of("us")["entries"] < backlog.size, f"the backlog was there before publication {number}"
    # Nobody publishes any more: all of it comes, and is cosigned by everybody.
    sizes = backlog.converged(seconds=120)
    assert sizes["us"] == backlog.size


def concern(node):
    return [one["text"] for one in node.status()["concerns"] if "memberEntriesPerDay" in one["text"]]


@pytest.mark.parametrize("backlog", [6_000], indirect=True)
def test_a_limit_of_growth_delays_and_says_so(backlog):
    sv = backlog["sv"]
    sv.launch("--member-entries-per-day", 1_000)
    backlog.start("pk", "us")
    sv.answers()
    # sv takes one range, which goes beyond the limit, and waits. Without it there is no quorum.
    found = eventually(lambda: concern(sv), "sv says why it waits", 60)
    assert "raise --member-entries-per-day" in found[0]
    held = sv.log_of("us")["entries"]
    assert 0 < held < backlog.size
    shown = sv.cli("status", check=False)
    assert shown.returncode == 1 and "memberEntriesPerDay" in shown.stdout
    records = [json.loads(line) for line in (sv.folder / "audit.jsonl").read_text().splitlines()]
    assert [one["details"]["log"] for one in records if one["kind"] == "quota"] == ["us.alliance.example/log1"]
    # What others publish comes all the same.
    answer = backlog["pk"].publish("PK-0")
    backlog["pk"].receipts("pk", answer["last"], ["sv"])
    assert sv.log_of("us")["entries"] == held
    # With another limit everything comes: nothing was lost.
    sv.end()
    sv.start("--member-entries-per-day", 0)
    assert backlog.converged(seconds=120)["us"] == backlog.size
    assert not concern(sv)
