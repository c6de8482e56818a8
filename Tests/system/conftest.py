"""Fixtures: members' keys, made once; an alliance of three regulators and an observer for the whole session."""

import concurrent.futures
import os
import pathlib
import shutil
import tempfile

import pytest

import alliance as alliances


@pytest.fixture(scope="session")
def workspace():
    """A short path: that of a Unix socket has at most 107 bytes."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="entente-"))
    yield folder
    alliances.Node.kill_all()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def member_keys(workspace):
    """Folders of keys by member, each made by `entente keys new`, with the officers ayesha and omar.

    $ENTENTE_TEST_KEYS names a folder that keeps them between runs, for work on these tests with a debug build, whose
    scrypt takes a second a key.
    """
    folder = pathlib.Path(os.environ.get("ENTENTE_TEST_KEYS", workspace / "keys"))
    missing = [name for name in alliances.MEMBERS if not (folder / name / f"{alliances.OFFICERS[-1]}.key").exists()]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda name: alliances.make_keys(folder / name, name), missing))
    return {name: folder / name for name in alliances.MEMBERS}


@pytest.fixture(scope="session")
def cheap_keys(workspace, member_keys):
    """The same keys, cheap to unlock."""
    return {name: alliances.cheap_keys(member_keys[name], workspace / "cheap" / name) for name in alliances.MEMBERS}


@pytest.fixture(scope="session")
def alliance(workspace, member_keys):
    """Pakistan, El Salvador, United States and the IMF as an observer, all running and connected."""
    made = alliances.Alliance(workspace / "main", member_keys, alliances.MEMBERS)
    made.start()
    made.connected()
    yield made
    made.stop()


@pytest.fixture
def empty(tmp_path):
    """An empty folder, as a partner's machine has it."""
    return tmp_path


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for node in alliances.Node.known:
            tail = node.new_log_lines()
            if tail:
                report.sections.append((f"log of {node.folder.parent.name}/{node.name}", tail))


@pytest.hookimpl
def pytest_runtest_setup(item):
    for node in alliances.Node.known:
        node.mark_log()
