"""Checkpoint files: what is written is what is read, whole or not at all, whatever stands in the file."""

import errno
import hashlib
import io
import os
import pathlib
import zipfile

import numpy as np
import pytest
from effort import examples
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from memory_support import forget_peak, peak

from tfgen.errors import InputError
from tfgen.support import checkpoints
from tfgen.support.checkpoints import Checkpoints

kinds = st.sampled_from([np.float32, np.float64, np.int32, np.int64, np.uint8, np.uint32, np.bool_])
leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(st.characters(exclude_categories=["Cs"])),
    arrays.arrays(kinds, arrays.array_shapes(min_dims=0, max_dims=3, min_side=0)),
    st.builds(np.float32, st.floats(width=32)),
    st.builds(np.float64, st.floats()),
)
states = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.text("abcdict number", max_size=5), inner, max_size=3),
    ),
    max_leaves=8,
)


def same(one, other):
    """Equal to the last bit, with the same types."""
    assert type(one) is type(other)
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        assert all(same(one[name], other[name]) for name in one)
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(other)
        assert all(map(same, one, other))
    elif isinstance(one, (np.ndarray, np.generic)):
        assert (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())
    else:
        assert repr(one) == repr(other)
    return True


def no_warning(message):
    raise AssertionError(message)


@given(states)
@examples(60)
def test_a_state_is_read_as_it_was_written(tmp_path_factory, state):
    kept = Checkpoints(tmp_path_factory.mktemp("run"))
    path = kept.save(state)
    found = kept.latest(no_warning)
    assert found.path == path
    same(found.state, state)


@pytest.mark.parametrize("wrong", [object(), b"bytes", {1: 2}, np.array([object()]), np.array(["text"]), {1, 2}])
def test_what_is_not_plain_is_refused_and_leaves_nothing(tmp_path, wrong):
    with pytest.raises(TypeError, match="plain values"):
        Checkpoints(tmp_path).save({"state": wrong})
    assert list(tmp_path.iterdir()) == []


def test_the_last_two_are_kept_in_order(tmp_path):
    kept = Checkpoints(tmp_path / "a" / "run")
    assert kept.latest(no_warning) is None
    paths = [kept.save(number) for number in range(12)]
    assert sorted(kept.directory.iterdir()) == paths[-2:]
    assert kept.latest(no_warning).state == 11


@pytest.mark.parametrize("step", ["write", "fsync", "replace"])
def test_a_write_that_fails_at_any_step_harms_nothing(tmp_path, monkeypatch, step):
    kept = Checkpoints(tmp_path)
    before = [kept.save(1), kept.save(2)]

    def fail(*args):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        if step == "write":
            real = pathlib.Path.open
            broken.setattr(pathlib.Path, "open", lambda path, *args: Full(real(path, *args)))
        else:
            broken.setattr(*{"fsync": (os, "fsync", fail), "replace": (pathlib.Path, "replace", fail)}[step])
        with pytest.raises(OSError, match="No space"):
            kept.save(3)
    assert sorted(tmp_path.iterdir()) == before
    assert kept.latest(no_warning).state == 2
    kept.save(4)
    assert kept.latest(no_warning).state == 4


class Full:
    """A file on a disk that takes half of what it is given."""

    def __init__(self, file):
        self._file = file

    def __enter__(self):
        self._file.__enter__()
        return self

    def __exit__(self, *args):
        return self._file.__exit__(*args)

    def write(self, content):
        self._file.write(content[: len(content) // 2])
        raise OSError(28, "No space left on device")


def test_what_a_killed_process_left_half_written_is_never_read_and_goes_away(tmp_path):
    kept = Checkpoints(tmp_path)
    path = kept.save(1)
    (tmp_path / path.name.replace("00000001", "00000002")).with_suffix(".unfinished").write_bytes(b"half")
    assert kept.latest(no_warning).state == 1
    kept.save(2)
    assert all(each.suffix == ".npz" for each in tmp_path.iterdir())


@given(st.data())
@examples(60)
def test_a_damaged_one_is_passed_over_with_a_warning(tmp_path_factory, data):
    kept = Checkpoints(tmp_path_factory.mktemp("run"))
    kept.save({"good": np.arange(5)})
    path = kept.save({"bad": np.arange(7)})
    content = path.read_bytes()
    place = data.draw(st.integers(0, len(content) - 1))
    flipped = content[:place] + bytes([content[place] ^ data.draw(st.integers(1, 255))]) + content[place + 1 :]
    path.write_bytes(data.draw(st.sampled_from([flipped, content[:place], b"", content + b"more"])))
    messages = []
    assert list(kept.latest(messages.append).state) == ["good"]
    (message,) = messages
    assert str(path) in message
    assert "The one before it is used instead" in message


def test_a_damaged_one_does_not_count_to_the_two_that_are_kept(tmp_path):
    kept = Checkpoints(tmp_path)
    good, bad = kept.save(1), kept.save(2)
    bad.write_bytes(b"damaged")
    again = Checkpoints(tmp_path)
    assert again.latest(str).path == good
    new = again.save(3)
    assert sorted(tmp_path.iterdir()) == [good, new]


@pytest.mark.parametrize("keep", [0, -1, True, 1.5])
def test_some_checkpoints_are_kept(tmp_path, keep):
    with pytest.raises(InputError, match="keep must be a whole number of at least 1"):
        Checkpoints(tmp_path, keep)


def test_a_sparse_file_of_gigabytes_is_refused_unread(tmp_path):
    path = Checkpoints(tmp_path).save(1)
    os.truncate(path, 30 << 30)
    before = forget_peak()
    with pytest.raises(InputError, match="damaged"):
        checkpoints.read(path)
    assert peak() - before < 100 << 20


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_a_checkpoint_is_a_file(tmp_path, kind):
    path = Checkpoints(tmp_path).save(1)
    path.unlink()
    path.symlink_to("/dev/zero") if kind == "device" else os.mkfifo(path)
    with pytest.raises(InputError, match="is a pipe, a socket or a device, and must be a file"):
        checkpoints.read(path)


def forged(folder, content):
    """A file whose checksum is right, whoever wrote it."""
    path = folder / f"checkpoint-00000001-{hashlib.sha256(content).hexdigest()}.npz"
    path.write_bytes(content)
    return path


def archive(compression=zipfile.ZIP_STORED, **entries):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", compression) as file:
        for name, data in entries.items():
            file.writestr(f"{name}.npy", data)
    return content.getvalue()


def array(value):
    content = io.BytesIO()
    np.lib.format.write_array(content, value, version=(1, 0))
    return content.getvalue()


def tree(text):
    return array(np.frombuffer(text.encode(), np.uint8))


HUGE = array(np.zeros(1)).replace(b"(1,)", b"(9,)").replace(b"'shape': (9,), }    ", b"'shape': (99999,),}")
FORGED = {
    "nothing": b"",
    "no archive": b"x" * 100,
    "an empty archive": archive(),
    "no JSON": archive(tree=tree("{")),
    "nested too deep": archive(tree=tree('{"list":[' * 50_000)),
    "an unknown kind": archive(tree=tree('{"class": "os.system"}')),
    "an array that is not there": archive(tree=tree('{"array": 3}')),
    "two kinds": archive(tree=tree('{"array": 0, "list": []}'), **{"0": array(np.zeros(2))}),
    "an array of objects": archive(tree=tree('{"array": 0}'), **{"0": array(np.zeros(2)).replace(b"<f8", b"|O ")}),
    "an array that claims more than it has": archive(tree=tree('{"array": 0}'), **{"0": HUGE}),
    "a bomb": archive(zipfile.ZIP_DEFLATED, tree=tree('{"array": 0}'), **{"0": array(np.zeros(10**6))}),
}


@pytest.mark.parametrize("what", FORGED)
def test_a_forged_file_is_an_error_of_ours(tmp_path, what):
    with pytest.raises(InputError, match="damaged"):
        checkpoints.read(forged(tmp_path, FORGED[what]))


@given(st.binary(max_size=300))
@examples(100)
def test_random_bytes_are_an_error_of_ours(tmp_path_factory, content):
    with pytest.raises(InputError, match="damaged"):
        checkpoints.read(forged(tmp_path_factory.mktemp("run"), content))


def test_a_directory_is_of_one_process(tmp_path):
    pytest.importorskip("fcntl")
    kept = Checkpoints(tmp_path / "run")
    path = kept.save(1)
    with kept.locked():
        for attempt in (Checkpoints(tmp_path / "run").locked().__enter__, Checkpoints(tmp_path / "run").clear):
            with pytest.raises(InputError, match="another process"):
                attempt()
        with pytest.raises(InputError, match="another process"):
            kept.check_free()
    assert path.exists()
    kept.check_free()
    kept.clear()
    assert list(tmp_path.iterdir()) == []
    kept.clear()


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EOPNOTSUPP, errno.EBADF])
def test_where_there_are_no_locks_nothing_is_refused(tmp_path, monkeypatch, code):
    fcntl = pytest.importorskip("fcntl")

    def refuse(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", refuse)
    kept = Checkpoints(tmp_path / "run")
    with kept.locked(), kept.locked():
        kept.check_free()
    kept.clear()
    assert list(tmp_path.iterdir()) == []


def test_a_look_at_a_lock_is_one_that_a_network_file_system_grants(tmp_path, monkeypatch):
    fcntl = pytest.importorskip("fcntl")
    kept, local = Checkpoints(tmp_path / "run"), fcntl.flock

    def remote(lock, operation):
        reads = fcntl.fcntl(lock, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY
        if operation & fcntl.LOCK_EX and reads:  # as for the locks of POSIX
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        local(lock, operation)

    monkeypatch.setattr(fcntl, "flock", remote)
    with kept.locked(), pytest.raises(InputError, match="another process"):
        kept.check_free()


def test_what_is_not_ours_is_left_alone(tmp_path):
    folder = tmp_path / "run"
    kept = Checkpoints(folder)
    name = kept.save(1).name.replace("00000001", "00000000")
    for mine in ("notes.txt", "checkpoint-notes.unfinished", "checkpoint-00000001-notes.npz"):
        (folder / mine).write_text("mine")
    (folder / name).mkdir()
    for state in (2, 3):
        kept.save(state)
    kept.clear()
    assert {path.name for path in folder.iterdir()} == {
        "notes.txt",
        "checkpoint-notes.unfinished",
        "checkpoint-00000001-notes.npz",
        name,
    }


def test_a_link_of_a_checkpoints_name_is_removed_itself_and_not_followed(tmp_path):
    folder, precious = tmp_path / "run", tmp_path / "precious"
    precious.write_text("mine")
    kept = Checkpoints(folder)
    name = kept.save(1).name
    next_ = Checkpoints(tmp_path / "twin")
    next_.save(1)
    (folder / next_.save(2).with_suffix(".unfinished").name).symlink_to(precious)
    (folder / name.replace("00000001", "00000000")).symlink_to(precious)
    kept.save(2)
    kept.clear()
    assert precious.read_text() == "mine"
    assert not folder.exists()
