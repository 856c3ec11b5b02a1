"""The queue between the network and the writer: bounded, in order, batches that end when they should."""

from __future__ import annotations

import threading
import time

from ingest.inbox import MOST_BATCH_BYTES, Inbox, Receipt
from services.domain import Message


def put(inbox: Inbox, number: int, size: int = 10) -> None:
    message = Message(topic=str(number), payload=bytes(size), received_us=number)
    inbox.put([message], Receipt(generation=1, mids=[number + 1]))


def test_messages_and_receipts_come_out_together_in_order() -> None:
    inbox = Inbox(most_messages=100, most_bytes=10_000)
    for number in range(7):
        put(inbox, number)
    first = inbox.take(most=5, age_s=1, patience_s=1)
    second = inbox.take(most=5, age_s=1, patience_s=1)
    assert [message.received_us for message in (*first[0], *second[0])] == list(range(7))
    assert [mid for receipt in (*first[1], *second[1]) for mid in receipt.mids] == list(range(1, 8))
    assert inbox.received == 7


def test_a_batch_may_end_within_what_arrived_together() -> None:
    inbox = Inbox(most_messages=100, most_bytes=10_000)
    messages = [Message(topic="a", payload=bytes(10), received_us=number) for number in range(7)]
    inbox.put(messages, Receipt(generation=3, mids=list(range(1, 8))))
    batches = [inbox.take(most=3, age_s=1, patience_s=1) for _ in range(3)]
    assert [[message.received_us for message in taken] for taken, _ in batches] == [[0, 1, 2], [3, 4, 5], [6]]
    assert [receipt.mids for _, receipts in batches for receipt in receipts] == [[1, 2, 3], [4, 5, 6], [7]]
    assert {receipt.generation for _, receipts in batches for receipt in receipts} == {3}
    assert inbox.take(most=3, age_s=1, patience_s=0.01) == ([], [])


def test_it_is_full_by_messages_or_by_bytes_until_some_are_taken() -> None:
    by_messages = Inbox(most_messages=2, most_bytes=10_000)
    by_bytes = Inbox(most_messages=100, most_bytes=1_000)
    put(by_messages, 0)
    put(by_bytes, 0, 600)
    assert not by_messages.is_full()
    assert not by_bytes.is_full()
    put(by_messages, 1)
    put(by_bytes, 1, 600)
    assert by_messages.is_full()
    assert by_bytes.is_full()
    by_messages.take(most=5, age_s=10, patience_s=1)
    by_bytes.take(most=5, age_s=10, patience_s=1)
    assert not by_messages.is_full()
    assert not by_bytes.is_full()


def test_an_empty_inbox_gives_an_empty_batch_after_the_patience() -> None:
    assert Inbox(most_messages=1, most_bytes=1).take(most=1, age_s=1, patience_s=0.01) == ([], [])


def test_a_pause_of_the_stream_ends_a_batch_long_before_its_age() -> None:
    inbox = Inbox(most_messages=100, most_bytes=10_000)
    put(inbox, 0)
    begun = time.monotonic()
    inbox.take(most=50, age_s=30, patience_s=1)
    assert time.monotonic() - begun < 5


def test_a_stream_without_a_pause_is_cut_by_age() -> None:
    inbox = Inbox(most_messages=100_000, most_bytes=100_000_000)
    stop = threading.Event()

    def stream() -> None:
        while not stop.wait(0.001):
            put(inbox, 0)

    thread = threading.Thread(target=stream)
    thread.start()
    begun = time.monotonic()
    taken, _ = inbox.take(most=100_000, age_s=0.2, patience_s=1)
    lasted = time.monotonic() - begun
    stop.set()
    thread.join()
    assert taken
    assert lasted < 5


def test_a_batch_of_large_messages_ends_at_its_bytes() -> None:
    inbox = Inbox(most_messages=1_000, most_bytes=100 * MOST_BATCH_BYTES)
    for number in range(20):
        put(inbox, number, MOST_BATCH_BYTES // 4)
    batches = [inbox.take(most=1_000, age_s=10, patience_s=1)[0] for _ in range(5)]
    assert [message.received_us for batch in batches for message in batch] == list(range(20))
    assert {len(batch) for batch in batches} == {4}


def test_long_topics_fill_it_too() -> None:
    inbox = Inbox(most_messages=1_000, most_bytes=100_000)
    inbox.put([Message(topic="x" * 60_000, payload=b"", received_us=0)] * 2, Receipt(generation=1, mids=[1, 2]))
    assert inbox.is_full()
