"""What is half written belongs to one process beyond doubt, and is removed when that has ended; nothing else is."""

import contextlib
import errno
import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import time

import pytest
from cli_support import ENVIRONMENT

from tfgen.errors import InputError
from tfgen.prepared.workspace import MARK as PREPARING
from tfgen.support import atomic_files, owners
from tfgen.support.checkpoints import Checkpoints

UNFINISHED, ASIDE = ".unfinished", ".aside"
MARKS = [UNFINISHED, ASIDE, PREPARING]
TWO_DAYS_AGO = time.time() - 2 * 24 * 60 * 60

SAVES = """
import os, pathlib, sys, time
from tfgen.support import atomic_files

def save(name, content, seconds=0):
    with atomic_files.file(pathlib.Path(name)) as new:
        new.write_bytes(content[: len(content) // 2])
        time.sleep(seconds)
        new.write_bytes(content)

def swap(name, content):
    with atomic_files.Directory(pathlib.Path()) as work:
        new = work.path("new")
        new.mkdir()
        (new / "file").write_bytes(content)
        with atomic_files.making_room(pathlib.Path(name).absolute()):
            new.rename(name)

"""
# Two containers of one name, in each of which the process has the same number.
SAME = "import os, socket\nsocket.gethostname = lambda: 'container'\nos.getpid = lambda: 7\n"
NAMESPACE = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def start(program, *arguments, namespace=(), **options):
    command = [*namespace, sys.executable, "-c", SAME + SAVES + program, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, env=ENVIRONMENT, **options)


def kill(process):
    process.kill()
    process.wait()


def entries(folder):
    return sorted(path.name for path in folder.iterdir())


def make(path, when=None):
    """A directory with something in it, which was changed at that time."""
    path.mkdir()
    (path / "half").write_bytes(b"half")
    for each in (path / "half", path):
        os.utime(each, (when, when) if when else None)
    return path


def clear(folder):
    """What the next save does."""
    with atomic_files.Directory(folder):
        pass


def clear_until(folder, number):
    """Clear until so many entries are left."""
    deadline = time.monotonic() + 10
    while len(entries(folder)) > number:
        assert time.monotonic() < deadline
        clear(folder)


# --- two at once ----------------------------------------------------------------------------------------------------


def namespaces(kind):
    if kind == "namespaces":
        if not shutil.which("unshare") or subprocess.run([*NAMESPACE, "true"], capture_output=True).returncode:
            pytest.skip("only root may make namespaces, where the system has any")
        return NAMESPACE
    return []


@pytest.mark.parametrize("kind", ["the same names", "namespaces"])
def test_two_processes_of_one_name_and_number_do_not_touch_each_others_work(folder, kind):
    program = """
print("ready", flush=True)
sys.stdin.readline()
for i in range(20):
    save("both", sys.argv[1].encode() * 9999, 0.002)
    save(sys.argv[1], b"%d" % i)
print("done")
"""
    runs = [start(program, letter, namespace=namespaces(kind), stdin=subprocess.PIPE) for letter in "ab"]
    for run in runs:
        assert run.stdout.readline() == b"ready\n"
    for run in runs:
        run.stdin.write(b"go\n")
        run.stdin.flush()
    assert [run.communicate()[0] for run in runs] == [b"done\n"] * 2
    assert entries(folder) == ["a", "b", "both"]
    assert (folder / "both").read_bytes() in (b"a" * 9999, b"b" * 9999)


@pytest.mark.parametrize("kind", ["the same names", "namespaces"])
def test_what_a_killed_process_left_is_removed_though_another_of_its_name_and_number_runs(folder, kind):
    program = """
import signal
with atomic_files.file(pathlib.Path(sys.argv[1])) as new:
    new.write_bytes(b"half")
    print("begun", flush=True)
    sys.stdin.readline()
"""
    killed, other = (start(program, name, namespace=namespaces(kind), stdin=subprocess.PIPE) for name in "ab")
    for run in (killed, other):
        assert run.stdout.readline() == b"begun\n"
    assert len(entries(folder)) == 2
    kill(killed)
    clear_until(folder, 1)  # in a namespace the process ends a little later
    other.communicate(b"\n")
    assert entries(folder) == ["b"]


def test_whatever_instant_a_process_is_killed_at_the_next_save_leaves_nothing_of_it(folder):
    program = """
os.makedirs("exported", exist_ok=True)
print("begun", flush=True)
for i in range(10**6):
    save("model", b"%d" % (i % 10) * 9999)
    swap("exported", b"%d" % (i % 10) * 9999)
"""
    draw = random.Random(5)
    for _ in range(12):
        with start(program) as run:
            run.stdout.readline()
            time.sleep(draw.uniform(0.005, 0.04))
            kill(run)
        with atomic_files.file(folder / "mine") as new:
            new.write_bytes(b"whole")
        assert entries(folder) == ["exported", "mine", "model"]
        for path in (folder / "model", folder / "exported" / "file"):
            content = path.read_bytes()
            assert content == content[:1] * 9999


def test_a_lock_that_was_not_held_yet_is_nothing_to_bring_back(folder):
    program = """
from tfgen.support import owners
aside = pathlib.Path(owners.new_name(".aside"))
(aside / "exported").mkdir(parents=True)
(aside / ".tfgen.lock.new").touch()
print("begun", flush=True)
"""
    with start(program) as run:
        run.stdout.readline()
    clear(folder)
    assert entries(folder) == ["exported"]


# --- processes that have children -----------------------------------------------------------------------------------


CHILDREN = {
    "a fork": "os.fork() or time.sleep(60)",
    "another program": "import subprocess; subprocess.Popen(['sleep', '60'])",
}


@pytest.mark.parametrize("child", CHILDREN)
def test_a_child_does_not_hold_the_locks_of_a_parent_that_was_killed(folder, child):
    program = f"""
from tfgen.support.checkpoints import Checkpoints
with atomic_files.file(pathlib.Path("model")) as new, Checkpoints("run").locked():
    {CHILDREN[child]}
    print("begun", flush=True)
    time.sleep(60)
"""
    run = start(program, start_new_session=True)
    try:
        run.stdout.readline()
        clear(folder)
        assert len(entries(folder)) == 2
        with pytest.raises(InputError, match="another process"):
            Checkpoints("run").check_free()
        kill(run)
        clear_until(folder, 1)  # a fork needs an instant to close the locks
        assert entries(folder) == ["run"]
        Checkpoints("run").check_free()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(run.pid, signal.SIGKILL)
        run.stdout.close()


def test_a_fork_that_ends_in_the_middle_takes_nothing_from_its_parent(folder):
    program = """
os.getpid = lambda: int(os.readlink("/proc/self"))
with atomic_files.file(pathlib.Path("model")) as new:
    new.write_bytes(b"whole")
    if not os.fork():
        sys.exit(0)
    os.wait()
    with atomic_files.file(pathlib.Path("other")) as other:
        other.write_bytes(b"whole")
"""
    if not os.path.exists("/proc/self"):  # noqa: PTH110
        pytest.skip("this system has no /proc")
    with start(program) as run:
        assert run.wait() == 0
    assert entries(folder) == ["model", "other"]


# --- what is abandoned ----------------------------------------------------------------------------------------------

HERE = owners.this_process()
DEAD = HERE._replace(number=2**22 + 1)  # beyond all numbers that Linux gives
OWNERS = {
    "this process": (HERE, False),
    "one that has ended": (DEAD, True),
    "another of this number": (HERE._replace(began=HERE.began + 1), True),
    "one in another container": (DEAD._replace(host="other", space="00000000"), None),
    "one on another machine": (DEAD._replace(host="other", boot="00000000", space="00000000"), None),
    "one of a system that says nothing": (DEAD._replace(boot="", space=""), None),
}
LINUX = pytest.mark.skipif(not HERE.space, reason="this system does not describe its processes")


def name_of(owner, mark=UNFINISHED):
    return ".".join(["", "tfgen", *map(str, owner), "0a1b2c3d"]) + mark


def abandoned(folder, mark=UNFINISHED):
    return [path.name for path in atomic_files.abandoned(folder, mark)]


@LINUX
@pytest.mark.parametrize("mark", MARKS)
@pytest.mark.parametrize("owner", OWNERS)
@pytest.mark.parametrize("locks", ["no lock", "no locks here"])
def test_without_a_lock_the_number_space_decides_and_in_doubt_a_day(folder, monkeypatch, owner, mark, locks):
    owner, ended = OWNERS[owner]
    path = make(folder / name_of(owner, mark))
    if locks == "no locks here":
        (path / ".tfgen.lock").touch()
        without_locks(monkeypatch)
    assert abandoned(folder, mark) == ([path.name] if ended else [])
    os.utime(path, (TWO_DAYS_AGO, TWO_DAYS_AGO))
    assert abandoned(folder, mark) == ([path.name] if ended else []), "something in it is new"
    for each in path.iterdir():
        os.utime(each, (TWO_DAYS_AGO, TWO_DAYS_AGO))
    assert abandoned(folder, mark) == ([path.name] if ended is not False else [])


def without_locks(monkeypatch):
    fcntl = pytest.importorskip("fcntl")

    def refuse(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)


@LINUX
@pytest.mark.parametrize(
    ("owner", "known"),
    [
        (DEAD, True),
        (HERE, True),  # a thread of this process, say, has failed to remove it
        (HERE._replace(host="other", space="00000000"), True),  # another container of the same system
        (HERE._replace(boot="00000000", space="00000000"), True),  # this machine, before it was started again
        (HERE._replace(host="other", boot="00000000", space="00000000"), False),
    ],
)
def test_a_lock_that_is_free_is_believed_unless_it_may_be_of_another_machine(folder, owner, known):
    path = make(folder / name_of(owner), TWO_DAYS_AGO)
    (path / ".tfgen.lock").touch()
    assert abandoned(folder) == ([path.name] if known else [])
    os.utime(path / ".tfgen.lock", (TWO_DAYS_AGO, TWO_DAYS_AGO))
    os.utime(path, (TWO_DAYS_AGO, TWO_DAYS_AGO))
    assert abandoned(folder) == [path.name]


def test_no_two_processes_take_the_same(folder):
    pytest.importorskip("fcntl")
    path = make(folder / name_of(DEAD))
    (path / ".tfgen.lock").touch()
    for _ in atomic_files.abandoned(folder):
        assert abandoned(folder) == []
    assert abandoned(folder) == [path.name]


@pytest.mark.parametrize("mark", MARKS)
def test_what_an_earlier_version_left_goes_after_a_day(folder, mark):
    host = os.uname().nodename
    new = make(folder / f".{host}.{2**22 + 1}.0a1b2c3d{mark}")
    old = make(folder / f".{host}.{os.getpid()}.0a1b2c3d{mark}", TWO_DAYS_AGO)
    make(folder / f".elsewhere.{2**22 + 1}.0a1b2c3d{mark}", TWO_DAYS_AGO)
    assert abandoned(folder, mark) == [old.name]
    os.utime(new, (TWO_DAYS_AGO, TWO_DAYS_AGO))
    assert abandoned(folder, mark) == [old.name]


def test_where_there_are_no_locks_work_at_once_is_safe_too(folder, monkeypatch):
    """Both have another process in the same number space beside them."""
    without_locks(monkeypatch)
    program = """
import fcntl
def refuse(*_):
    raise OSError(37, "No locks available")
fcntl.flock = refuse
with atomic_files.file(pathlib.Path("model")) as new:
    new.write_bytes(b"half")
    print("begun", flush=True)
    time.sleep(60)
"""
    with start(program) as run:
        try:
            run.stdout.readline()
            with atomic_files.file(folder / "mine") as new:
                new.write_bytes(b"whole")
                clear(folder)
                assert len(entries(folder)) == 2
        finally:
            kill(run)
        clear(folder)
    assert len(entries(folder)) == (1 if HERE.space else 2)


# --- what is never touched ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mark", MARKS)
def test_links_and_files_and_other_names_are_left_alone(folder, mark):
    precious = make(folder / "precious", TWO_DAYS_AGO)
    (folder / name_of(DEAD, mark)).symlink_to(precious)
    (folder / name_of(DEAD._replace(number=2**22 + 2), mark)).write_bytes(b"mine")
    make(folder / f".mine{mark}", TWO_DAYS_AGO)
    make(folder / name_of(DEAD, ".mine"), TWO_DAYS_AGO)
    before = sorted(folder.rglob("*"))
    assert abandoned(folder, mark) == []
    clear(folder)
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize("mark", MARKS)
def test_links_in_what_was_abandoned_are_not_followed(folder, mark):
    """As they can come out of an archive."""
    precious = make(folder / "precious", TWO_DAYS_AGO)
    path = make(folder / name_of(DEAD, mark), TWO_DAYS_AGO)
    (path / "inner").mkdir()
    for where in (path, path / "inner"):
        (where / "directory").symlink_to(precious)
        (where / "file").symlink_to(precious / "half")
    clear(folder)
    atomic_files.discard(path)
    assert (precious / "half").read_bytes() == b"half"


def test_a_link_is_not_replaced_by_what_was_moved_out_of_the_way(folder):
    (folder / "model").symlink_to("nowhere yet")
    path = folder / name_of(DEAD, ASIDE)
    path.mkdir()
    (path / "model").write_bytes(b"old")
    clear(folder)
    assert (folder / "model").is_symlink()


def test_a_directory_of_another_user_is_left_alone(folder):
    path = make(folder / name_of(DEAD), TWO_DAYS_AGO)
    try:
        os.chown(path, 12345, 12345)
    except (AttributeError, PermissionError):
        pytest.skip("only root may give a directory away")
    assert abandoned(folder) == []


@pytest.mark.parametrize("kind", ["link", "pipe", "directory"])
def test_a_lock_that_is_no_file_is_not_opened(folder, kind):
    precious = folder / "precious"
    precious.write_bytes(b"precious")
    path = make(folder / name_of(DEAD), TWO_DAYS_AGO)
    run = folder / "run"
    run.mkdir()
    for lock in (path / ".tfgen.lock", run / ".lock"):
        {"link": lambda: lock.symlink_to(precious), "pipe": lambda: os.mkfifo(lock), "directory": lock.mkdir}[kind]()  # noqa: B023
    clear(folder)
    assert path.exists()
    for attempt in (Checkpoints(run).check_free, Checkpoints(run).locked().__enter__, Checkpoints(run).clear):
        with pytest.raises(InputError, match=r"\.lock' is a link, a directory or a device"):
            attempt()
    assert precious.read_bytes() == b"precious"


def test_a_link_is_not_followed_when_a_lock_is_made(folder):
    run = folder / "run"
    run.mkdir()
    (run / ".lock").symlink_to(folder / "nowhere")
    with pytest.raises(InputError, match=r"\.lock' is a link, a directory or a device"):
        Checkpoints(run).locked().__enter__()
    assert entries(folder) == ["run"]


def test_what_stands_in_a_lock_stays(folder):
    (folder / ".lock").write_bytes(b"mine")
    with Checkpoints(folder).locked():
        assert (folder / ".lock").read_bytes() == b"mine"


# --- modes ----------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_a_file_that_is_replaced_keeps_its_mode_and_a_new_one_has_what_the_umask_says(folder, mask):
    before = os.umask(mask)
    try:
        for mode in (None, 0o600, 0o644, 0o664, 0o400, 0o000):
            path = folder / f"model-{mode}"
            if mode is not None:
                path.touch()
                path.chmod(mode)
            with atomic_files.file(path) as new:
                new.write_bytes(b"secret")
                new.chmod(0o604)  # as a library may write a file
                (work,) = (each for each in folder.iterdir() if each.is_dir())
                assert stat.S_IMODE(work.stat().st_mode) == 0o700
            assert stat.S_IMODE(path.stat().st_mode) == (0o666 & ~mask if mode is None else mode)
    finally:
        os.umask(before)
