"""Recordings in other formats, read into a store: one file a format, and `importing`, which all share.

A package adds a format with a function of a path and of the store to create, and an entry point. `armillary import NAME` takes
its arguments, calls it and prints the summary that it returns:

    [project.entry-points."armillary.formats"]
    lines = "my_package.lines:import_lines"
"""

GROUP = "armillary.formats"
