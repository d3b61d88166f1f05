"""What an HDF5 file claims to hold, looked at before any of it is read."""

from typing import Any


def arrays(file: Any) -> list[Any]:
    """Give the arrays in an `h5py.File`, as `h5py.Dataset`."""
    import h5py

    found = []

    def look(_: str, node: Any) -> None:
        if isinstance(node, h5py.Dataset):
            found.append(node)

    file.visititems(look)
    return found


def complex_arrays(file: Any) -> list[str]:
    """Name the arrays in an `h5py.File` that hold complex numbers, of which Keras takes the real part in silence."""
    return [array.name for array in arrays(file) if array.dtype.kind == "c"]
