"""Reading rows over one connection from several threads and processes."""

import os
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from featurestore.storage.rows import Rows


@pytest.fixture
def filled(redis_url: str) -> str:
    with redis.Redis.from_url(redis_url) as store:
        store.mset({b"k%d" % number: b"row %d" % number for number in range(250)})
    return redis_url


def test_a_process_that_was_forked_gets_its_own_rows(filled: str) -> None:
    rows = Rows(filled)
    assert rows.fetch([b"k0"]) == [b"row 0"]
    children = []
    for first in (0, 120):
        child = os.fork()
        if child == 0:
            names = [b"%d" % (first + n % 120) for n in range(500)]
            wrong = [name for name in names if rows.fetch([b"k" + name]) != [b"row " + name]]
            os._exit(min(len(wrong), 100))
        children.append(child)
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0, 0]
    assert rows.fetch([b"k1"]) == [b"row 1"], "and the one they come from keeps its connection"
    rows.close()


def test_threads_of_a_process_that_was_forked_get_their_own_rows(filled: str) -> None:
    rows, codes = Rows(filled), []

    def right(first: int) -> bool:
        ready.wait()
        return all(rows.fetch([b"k%d" % n]) == [b"row %d" % n] for n in range(first, first + 5))

    for _ in range(40):
        assert rows.fetch([b"k9"]) == [b"row 9"]
        child = os.fork()
        if child == 0:
            signal.alarm(20)
            sys.setswitchinterval(1e-6)  # the first calls of all meet
            ready = threading.Barrier(4)
            with ThreadPoolExecutor(4) as threads:
                found = [threads.submit(right, first) for first in (0, 50, 100, 150)]
            os._exit(sum(one.exception() is not None or not one.result() for one in found))
        codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    assert set(codes) == {0}
    rows.close()


def test_threads_that_share_a_connection_get_their_own_rows(filled: str) -> None:
    rows = Rows(filled)

    def wrong(first: int) -> list[int]:
        asked = [(first + n) % 250 for n in range(500)]
        return [n for n in asked if rows.fetch([b"k%d" % n]) != [b"row %d" % n]]

    with ThreadPoolExecutor(4) as threads:
        assert [*threads.map(wrong, range(0, 200, 50))] == [[]] * 4
    rows.close()
