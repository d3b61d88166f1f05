"""Compressed files: all that is in one is read, and what is none of it is refused."""

import bz2
import gzip
import lzma
import pathlib
import shutil
import struct
import subprocess
import tempfile

import pytest
from corpora_support import refusal_of_bytes
from hypothesis import given
from hypothesis import strategies as st

from tfgen.corpora import compressed
from tfgen.errors import InputError


def zstandard(data: bytes) -> bytes:
    library = pytest.importorskip("zstandard", reason="the extra 'zst' is not installed")
    return library.ZstdCompressor(write_checksum=True).compress(data)


def skippable(size: int) -> bytes:
    """A frame of zstd that every decompressor skips; sixteen numbers mark one."""
    return struct.pack("<II", 0x184D2A50 + size % 16, size) + b"s" * size


COMPRESS = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress, ".zst": zstandard}
ENDINGS = pytest.mark.parametrize("ending", COMPRESS)

# What may stand after a member, by the format: so many bytes of it.
PADDING = {
    ".gz": lambda size: b"\0" * size,
    ".bz2": lambda size: b"\0" * size,
    ".xz": lambda size: b"\0" * (4 * size),
    ".zst": skippable,
}
SIZES = st.one_of(st.integers(0, 20), st.sampled_from([255, 256, 257, 1023, 1024, 1025, 5000]))


def read(data: bytes, ending: str, fed: int = 1 << 10) -> bytes:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(compressed, "_FED", fed)
        path = pathlib.Path(folder, f"a{ending}")
        path.write_bytes(data)
        return b"".join(compressed.read_pieces(path))


@ENDINGS
@given(data=st.data())
def test_all_members_are_read_whatever_padding_stands_between_them_and_however_they_are_fed(ending, data):
    members = data.draw(st.lists(st.tuples(st.binary(max_size=300), st.none() | SIZES), min_size=1, max_size=4))
    file = b"".join(
        COMPRESS[ending](member) + (b"" if size is None else PADDING[ending](size)) for member, size in members
    )
    fed = data.draw(st.integers(1, len(file) + 1) | st.just(1 << 10))
    assert read(file, ending, fed) == b"".join(member for member, _ in members)


@ENDINGS
@given(data=st.data())
def test_what_is_neither_a_member_nor_padding_is_refused_wherever_it_stands(ending, data):
    garbage = data.draw(st.binary(min_size=1, max_size=30).filter(lambda some: some.strip(b"\0") and some[:1] != b"\0"))
    member, padding = COMPRESS[ending](b"text"), PADDING[ending](data.draw(SIZES))
    file = data.draw(st.sampled_from([member + garbage, member + padding + garbage, garbage + member, garbage]))
    with pytest.raises(InputError, match="is damaged or cut short, or no") as caught:
        read(file, ending, data.draw(st.integers(1, 40)))
    assert len(str(caught.value).splitlines()) == 1


@ENDINGS
@given(data=st.data())
def test_a_file_that_is_cut_is_refused_unless_a_member_ends_there(ending, data):
    members = [COMPRESS[ending](data.draw(st.binary(max_size=50))) for _ in range(2)]
    whole = b"".join(members)
    cut = data.draw(st.integers(0, len(whole) - 1).filter(lambda cut: cut != len(members[0])))
    with pytest.raises(InputError, match="ends too early"):
        read(whole[:cut], ending, data.draw(st.integers(1, 40)))


@pytest.mark.parametrize("zeros", [1, 2, 3, 1022, 1023, 1025])
def test_zeros_in_an_xz_file_come_by_fours(zeros):
    """So says its specification, and xz refuses others."""
    stream = lzma.compress(b"text")
    for data in (stream + b"\0" * zeros, stream + b"\0" * zeros + stream):
        assert f"{zeros:,} zeros at byte {len(stream):,}" in refusal_of_bytes(data, "a.xz")


TOOLS = {".gz": "gzip", ".bz2": "bzip2", ".xz": "xz", ".zst": "zstd"}


@ENDINGS
def test_what_the_tool_of_the_format_reads_whole_is_read_and_what_it_refuses_is_refused(ending):
    tool = shutil.which(TOOLS[ending]) or pytest.skip(f"{TOOLS[ending]} is not installed")
    one, two, cut = COMPRESS[ending](b"one"), COMPRESS[ending](b"two"), COMPRESS[ending](b"three")[:-5]
    cases = [
        b"",
        one,
        one + two,
        one + COMPRESS[ending](b"") + two,
        one + cut,
        one + cut[:1],
        b"\0" * 8,
        b"\0" * 8 + one,
    ]
    if ending == ".zst":
        frames = [skippable(size) for size in (0, 9, 2000)]
        cases += [frame + one + frame + two + frame for frame in frames] + frames + [one + frames[1][:-1]]
    cases += [one + b"\0" * zeros for zeros in (3, 4, 512, 1024, 1025)] + [one + b"garbage"]
    cases += [one + b"\0" * zeros + two for zeros in (3, 4, 512, 1024, 1025)] if ending != ".gz" else []
    for data in cases:
        done = subprocess.run([tool, "-dc"], input=data, capture_output=True, check=False)
        if b"trailing garbage" in done.stderr:  # which it drops, with a warning: here, zeros are read over, and no more
            expected = b"onetwo" if data.endswith(two) else None if data.endswith(b"garbage") else b"one"
        else:
            expected = done.stdout if done.returncode == 0 else None
        if expected is None:
            with pytest.raises(InputError):
                read(data, ending)
        else:
            assert read(data, ending) == expected, data
