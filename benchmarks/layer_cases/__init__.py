"""The cases of layers.py: each file has NAME, LIMIT, `ours()` and `theirs()`; see README.md."""
