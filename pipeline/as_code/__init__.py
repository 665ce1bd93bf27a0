"""As code: alarms, targets, groups, filters and matchers in YAML files, applied and exported.

    files     YAML files → items, each knowing its file, line and column
    planning  items and what there is → what is to be made, changed and deleted, or all problems
    wanted    one item → the alarm or entry that it describes
    diff      what changes, for people: unified, without secrets
    exported  what there is → a YAML document that applies to the same

A file may hold the lists `alarms`, `targets`, `groups`, `filters` and `matchers`. Called by
`tocsin apply` and `tocsin export`, and by the imports (`pipeline.switching`), which bring items
of their own.
"""

from pipeline.as_code.exported import exported
from pipeline.as_code.files import read
from pipeline.as_code.items import Item
from pipeline.as_code.planning import Plan, plan

__all__ = ["Item", "Plan", "exported", "plan", "read"]
