"""What any program needs: files that are whole or not there, messages of one line, the number of threads.

| module | its one idea |
|---|---|
| `atomic_files` | files and directories that are whole or not there |
| `locks` | locks that end with the process that holds them |
| `owners` | which process made a directory, and whether it still runs |
| `checkpoints` | states on disk that are verified when they are read |
| `bounded_json` | JSON of others, of which there is not too much |
| `hdf5` | what an HDF5 file claims to hold |
| `cache` | where what was made or fetched once is kept |
| `notes` | how far long work has come, noted on disk |
| `pieces` | pieces of a text or of bytes, joined |
| `recent` | what was asked for most recently is kept |
| `rooms` | sizes of which there are few |
| `wording` | how tokens, names and numbers are put into messages |
| `threads` | how many TensorFlow computes with |
"""
