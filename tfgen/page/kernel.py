"""The product of a matrix and a vector as a module of WebAssembly, assembled by hand.

A matrix lies in memory in blocks of 16 rows, and in a block column by column: 64 bytes hold one column of a block. So a
number of the vector multiplies four registers of four rows each, nothing is added up across a register, and each row is
the sum of its even columns and of its odd columns, one after the other, in float32. `engine.mjs` does the same where
a browser has no such instructions: the bits are equal.
"""

from collections.abc import Sequence

ROWS = 16  # of a block
COLUMNS = 2  # that are read at once

_I32, _V128 = 0x7F, 0x7B
_W, _X, _Y, _SIZE, _END, _AT, _LIMIT = range(7)  # the parameters, and two locals
_SUMS = range(7, 15)  # four registers of the even columns, four of the odd ones
_NUMBER, _ZERO = 15, 16


def kernel() -> bytes:
    """Assemble the module.

    It imports a memory, `m.m`, and exports `p`: `p(w, x, y, size, end)` reads a matrix at `w` and a vector of `size`
    bytes at `x`, and writes the products from `y` up to `end`. All are addresses, multiples of 4; `size` is a multiple
    of 8, `end - y` of 64.

    Returns:
        The bytes of the module.
    """
    code = b"".join(
        [
            *_loop(
                *(_get(_ZERO) + _set(each) for each in _SUMS),
                _get(_X) + _set(_AT),
                _get(_X) + _get(_SIZE) + _ADD + _set(_LIMIT),
                *_loop(
                    *(_multiplied(column) for column in range(COLUMNS)),
                    _advance(_W, 64 * COLUMNS),
                    _advance(_AT, 4 * COLUMNS),
                    _again_if_below(_AT, _LIMIT),
                ),
                *(_stored(i) for i in range(4)),
                _advance(_Y, 64),
                _again_if_below(_Y, _END),
            ),
            b"\x0b",  # end of the function
        ]
    )
    local_types = _vector([_u(2) + bytes([_I32]), _u(10) + bytes([_V128])])
    sections = {
        1: _vector([b"\x60" + _vector([bytes([_I32])] * 5) + _vector([])]),  # one type: five numbers to nothing
        2: _vector([_name("m") + _name("m") + b"\x02\x00\x01"]),  # a memory of at least one page
        3: _vector([_u(0)]),
        7: _vector([_name("p") + b"\x00" + _u(0)]),
        10: _vector([_sized(local_types + code)]),
    }
    return b"\0asm\x01\0\0\0" + b"".join(bytes([number]) + _sized(section) for number, section in sections.items())


def _multiplied(column: int) -> bytes:
    """Add a column of the block, times its number, to four sums."""
    sums = _SUMS[4 * column : 4 * column + 4]
    number = _get(_AT) + _simd(0x09) + _u(2) + _u(4 * column) + _set(_NUMBER)  # v128.load32_splat
    parts = [_get(_W) + _simd(0x00) + _u(2) + _u(64 * column + 16 * i) for i in range(4)]  # v128.load
    return number + b"".join(
        _get(each) + part + _get(_NUMBER) + _MUL4 + _ADD4 + _set(each) for each, part in zip(sums, parts, strict=True)
    )


def _stored(i: int) -> bytes:
    both = _get(_SUMS[i]) + _get(_SUMS[i + 4]) + _ADD4
    return _get(_Y) + both + _simd(0x0B) + _u(2) + _u(16 * i)  # v128.store


def _loop(*body: bytes) -> tuple[bytes, ...]:
    return (b"\x03\x40", *body, b"\x0b")


def _again_if_below(local: int, limit: int) -> bytes:
    return _get(local) + _get(limit) + b"\x49" + b"\x0d\x00"  # i32.lt_u, br_if 0


def _advance(local: int, by: int) -> bytes:
    return _get(local) + b"\x41" + _signed(by) + _ADD + _set(local)


def _get(local: int) -> bytes:
    return b"\x20" + _u(local)


def _set(local: int) -> bytes:
    return b"\x21" + _u(local)


def _simd(operation: int) -> bytes:
    return b"\xfd" + _u(operation)


def _u(number: int) -> bytes:
    """Write an unsigned number in LEB128."""
    head, rest = number & 0x7F, number >> 7
    return bytes([head | 0x80]) + _u(rest) if rest else bytes([head])


def _signed(number: int) -> bytes:
    """Write a number of at least 0 in signed LEB128, in which bit 6 of the last byte is the sign."""
    head, rest = number & 0x7F, number >> 7
    return bytes([head | 0x80]) + _signed(rest) if rest or head & 0x40 else bytes([head])


def _sized(content: bytes) -> bytes:
    return _u(len(content)) + content


def _vector(items: Sequence[bytes]) -> bytes:
    return _u(len(items)) + b"".join(items)


def _name(name: str) -> bytes:
    return _sized(name.encode())


_ADD, _ADD4, _MUL4 = b"\x6a", _simd(0xE4), _simd(0xE6)  # i32.add, f32x4.add, f32x4.mul
