"""The draws of `tfgen.sampling`, bit for bit: Philox4x32-10 (Salmon et al. 2011) as TensorFlow seeds and reads it."""

import numpy as np
import numpy.typing as npt

BLOCK = 256  # steps that one key gives the draws of

_Words = npt.NDArray[np.uint64]  # of 32 bits each
_LOW, _HALF = np.uint64(0xFFFFFFFF), np.uint64(32)
_MULTIPLIERS, _WEYL = np.array([0xD2511F53, 0xCD9E8D57], np.uint64), np.array([0x9E3779B9, 0xBB67AE85], np.uint64)
_SCRAMBLE = np.array([0x3EC8F720, 0x02461E29], np.uint64)  # the key that turns a seed into a key and a counter


def philox(counters: _Words, keys: _Words) -> _Words:
    """Give four words for each counter (..., 4) under its key (..., 2)."""
    for i in range(10):
        products = counters[..., ::2] * _MULTIPLIERS
        mixed = (products >> _HALF)[..., ::-1] ^ counters[..., 1::2] ^ ((keys + np.uint64(i) * _WEYL) & _LOW)
        counters = np.stack([mixed, (products & _LOW)[..., ::-1]], axis=-1).reshape(counters.shape)
    return counters


def uniforms(seeds: npt.NDArray[np.int64], block: int) -> npt.NDArray[np.float64]:
    """Give the draws (BLOCK, B), in [0, 1), of a block of steps of rows with seeds (B, 2), see `terms.seeds`."""
    words = np.stack([seeds[:, 0], seeds[:, 1] * 2**32 + block], axis=1).astype(np.uint64)
    halves = np.stack([words & _LOW, words >> _HALF], axis=-1).reshape(-1, 4)
    mixed = philox(halves, _SCRAMBLE)[:, np.newaxis]
    counters = np.zeros((len(seeds), BLOCK // 2, 4), np.uint64)
    counters[..., 0], counters[..., 2:] = np.arange(BLOCK // 2), mixed[..., 2:]
    pairs = philox(counters, mixed[..., :2]).reshape(len(seeds), BLOCK, 2)
    mantissas = (pairs[..., 0] & np.uint64(0xFFFFF)) << _HALF | pairs[..., 1]
    return (mantissas.astype(np.float64) * 2.0**-52).T
