"""A Python program to watch: argv[1] says what it keeps in each iteration."""

import ctypes
import os
import sys

what = sys.argv[1] if len(sys.argv) > 1 else "clean"
mark = int(os.environ.get("PLIMSOLL_MARK_FD", "-1"))
kept = []
for i in range(400):
    buffer = ctypes.create_string_buffer(4096)
    if what == "buffers":
        kept.append(buffer)
    if what == "list":
        kept.extend([i] * 1000)
    del buffer
    if mark >= 0:
        os.write(mark, b".")
