"""Sizes of which there are few: what is compiled for a size is compiled for its room, and used by all that fit in."""


def power_of_two(size: int) -> int:
    """Give the least power of two that is at least a size of 1 or more.

    >>> [power_of_two(size) for size in (1, 2, 3, 64, 65)]
    [1, 2, 4, 64, 128]
    """
    return 1 << (size - 1).bit_length()


def room_for(size: int) -> int:
    """Give the least of 1 to 8, or of 5, 6, 7 or 8 times a power of two, that is at least a size: little is unused.

    >>> [room_for(size) for size in (1, 7, 8, 9, 10, 11, 33, 1000)]
    [1, 7, 8, 10, 10, 12, 40, 1024]
    """
    unit = max(1, power_of_two(size) // 8)
    return -(-size // unit) * unit
