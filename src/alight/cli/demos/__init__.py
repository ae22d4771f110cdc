"""The examples that `alight demo` can show, one file each; `stage.py` is what they stand on."""
