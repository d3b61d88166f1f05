"""Turns: long texts hold up nobody, what was cancelled costs nothing, and what fails fails alone."""

import random
import time

import pytest

from tfgen import TextGenerator, Vocabulary, sampling
from tfgen.serving.turns import Job, Turns
from tfgen.support import wording

FOREVER = time.monotonic() + 1e6


@pytest.fixture(name="writer", scope="module")
def writer_fixture():
    generator = TextGenerator.build(Vocabulary.from_texts(["abcde"]), cell="rnn", units=6, seed=1)
    generator.network.set_weights([4 * weight for weight in generator.network.get_weights()])
    return generator.writer


class Client:
    """Somebody who waits for texts."""

    def __init__(self, writer, turns, prompt="", deadline=FOREVER, sampler=None, key=None, **call):
        self.writer, self.call = writer, {"seed": 5, **call}
        self.settings = sampler or {"temperature": 0.9}
        rows = writer.rows(prompt, **self.call)
        self.texts, self.reasons, self.errors = [""] * len(rows), [None] * len(rows), []
        self.prompt, self.turns = prompt, turns
        key = wording.shown(self.settings) if key is None else key
        self.job = Job(key, writer.batch(**self.settings), rows, deadline, self.hear)
        turns.submit(self.job)

    def hear(self, events):
        for event in events:
            if isinstance(event, Exception):
                self.errors.append(event)
            else:
                place, piece = event
                assert self.reasons[place] is None
                self.texts[place] += piece.text
                self.reasons[place] = piece.reason

    @property
    def done(self):
        return bool(self.errors) or all(self.reasons)

    def expected(self):
        written = self.writer.generate(self.prompt, echo=False, **self.call, **self.settings)
        return [written] if isinstance(written, str) else [text for group in written for text in group]


def until(turns, clients, most=2000):
    """Take turns until all clients have what they want, and count them."""
    for count in range(most):
        if all(client.done for client in clients):
            return count
        turns.turn()
    raise AssertionError([client.reasons for client in clients])


@pytest.mark.slow
def test_texts_of_many_are_those_that_python_writes(writer):
    rng, done = random.Random(0), []
    turns = Turns(1000, done.append)
    clients = []
    for i in range(24):
        prompts = rng.choice([["a"], ["", "edcba" * 30], ["b", "", "abcabc"]])
        settings = rng.choice([{"temperature": 0.9}, {"temperature": 1.3}])
        clients.append(Client(writer, turns, prompts, sampler=settings, n=2, length=rng.randint(1, 70), seed=i))
        for _ in range(rng.randint(0, 3)):
            turns.turn()
    until(turns, clients)
    for client in clients:
        assert client.texts == client.expected()
    assert max(turn.rows for turn in done) > 2 * 6  # of one client alone there are six at most
    assert sum(turn.tokens for turn in done) == sum(len(text) for client in clients for text in client.texts)
    assert not turns._groups


def test_a_long_text_holds_up_nobody(writer):
    turns = Turns(100)
    long = [Client(writer, turns, "ab" * 2000, length=4000), Client(writer, turns, length=4000)]
    for _ in range(5):
        turns.turn()
    same = Client(writer, turns, length=20, seed=3)
    other = Client(writer, turns, length=20, seed=4, sampler={"temperature": 0.5})
    # Of two groups each has every second turn, and a turn writes four tokens at least.
    assert until(turns, [same, other]) <= 2 * (1 + 5)
    assert not any(client.done for client in long)
    for client in (same, other):
        assert client.texts == client.expected()


def test_who_comes_holds_up_no_prompt_that_is_read(writer):
    turns = Turns(1000)
    long = Client(writer, turns, "abcd" * 50, length=4)
    others = []
    while not long.done:
        others.append(Client(writer, turns, "ab", length=4, seed=len(others)))
        turns.turn()
        assert len(others) <= 2 * (1 + 201 / 4)
    until(turns, others)
    assert long.texts == long.expected()


def test_what_was_cancelled_has_no_part_in_the_next_turn(writer):
    done = []
    turns = Turns(100, done.append)
    stays, goes = Client(writer, turns, length=300), Client(writer, turns, length=4000, n=3)
    reads = Client(writer, turns, "abc" * 1000, length=300)
    turns.turn()
    assert done[-1].rows == 4
    for client in (goes, reads):
        turns.cancel(client.job)
    before = list(goes.texts)
    turns.turn()
    assert done[-1].rows == 1
    until(turns, [stays])
    assert goes.texts == before
    assert stays.texts == stays.expected()
    assert not turns._groups


def test_time_that_is_over_ends_a_text_where_it_is(writer):
    turns = Turns(100)
    client = Client(writer, turns, length=4000, stop="abcdeabcde", deadline=time.monotonic() + 0.05)
    turns.turn()
    time.sleep(0.05)
    turns.turn()
    assert client.reasons == ["time"]
    assert client.texts[0]
    assert writer.generate("", **{**client.call, "length": 200}, temperature=0.9).startswith(client.texts[0])


@pytest.mark.slow
def test_who_can_begin_with_nothing_hears_so_alone(writer):
    turns = Turns(100)
    chain = [sampling.Pattern("a{5}"), sampling.NoRepeatNgram(1)]
    client = Client(writer, turns, "a", sampler={"sampler": chain}, length=9)
    other = Client(writer, turns, length=9)
    until(turns, [client, other])
    assert other.texts == other.expected()
    assert len(client.errors) == 1
    assert "nothing" in str(client.errors[0]) or "leaves no token" in str(client.errors[0])


def test_a_batch_that_fails_fails_alone(writer, caplog):
    turns = Turns(100)
    broken, other = Client(writer, turns, sampler={"temperature": 0.7}), Client(writer, turns, length=9)

    def write(length):
        raise ValueError("".join(["sec", "ret"]))

    broken.job.batch.write = write
    until(turns, [broken, other])
    assert type(broken.errors[0]) is RuntimeError
    assert other.texts == other.expected()
    assert "ValueError" in caplog.text
    assert "secret" not in caplog.text


def test_there_is_room_for_so_many_and_no_more():
    turns = Turns(5)
    assert turns.reserve(3)
    assert not turns.reserve(3)
    assert turns.reserve(2)
    turns.release(3)
    assert turns.reserve(3)
    assert turns.reserved == 5
    turns.close()
    turns.release(5)
    assert not turns.reserve(1)


def test_the_end_of_the_server_is_heard(writer):
    turns = Turns(100)
    client = Client(writer, turns, length=4000)
    turns.turn()
    turns.close()
    turns.run()
    late = Client(writer, turns)
    assert [type(each.errors[0]) for each in (client, late)] == [ConnectionAbortedError] * 2
