"""AlarmIndex: event → alarms, at the cost of what matches and not of how many alarms there are.

An event's way down, and the file that each step is described in:

    AlarmIndex   index.py    by project (and the alarms of all projects)
    globs        globs.py    which of the event type globs match this event type
    branch       branch.py   what is there: a row, a short list, or a table
    rare values  rare.py     most rows, by a value that hardly another alarm asks for
    tables       tables.py   the others, by a trait's value, by event type or glob, by shape
    node         node.py     … of one shape: a list, or split by the most selective condition
    shape        shape.py    a query without its constants: what is run over the rows

An alarm is one **row** throughout: `(alarm_id, shape number, project, event type, *constants)`, a
tuple of atoms, which costs the garbage collector nothing. Splits only have to give a superset:
the shape's function checks every condition on every row that is left.
"""

from pipeline.alarms.index.index import AlarmIndex

__all__ = ["AlarmIndex"]
