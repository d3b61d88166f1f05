"""Text at once: a model file read and run by NumPy and h5py alone, the same text as TensorFlow writes.

`reading` reads the file, `network` steps its layers, `chain` shapes a distribution and draws, `writer` writes.
"""
