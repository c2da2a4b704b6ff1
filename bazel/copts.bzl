"""Compiler options that more than one package needs."""

# Code that runs inside every malloc: no libstdc++ at run time, thread-local storage that
# needs no call, and no names but the interposed ones for other modules to see. Fortified
# headers would define functions that are interposed here; a null pointer is for the next
# definition to judge, whatever its prototype promises. Hidden names need linkstatic.
INSIDE_MALLOC = [
    "-fno-delete-null-pointer-checks",
    "-fno-exceptions",
    "-fno-rtti",
    "-fvisibility=hidden",
    "-ftls-model=initial-exec",
    "-U_FORTIFY_SOURCE",
]
