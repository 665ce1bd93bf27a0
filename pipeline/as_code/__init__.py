"""As code: alarms, targets, groups, filters and matchers in YAML files, applied and exported.

    files     YAML files → texts → items, each knowing its file, line and column
    planning  items and what there is → what is to be made, changed and deleted, or all problems
    wanted    one item → the alarm or entry that it describes
    diff      what changes, for people: unified, without secrets
    exported  what there is → a YAML document that applies to the same

A file may hold the lists `alarms`, `targets`, `groups`, `filters` and `matchers`. Called by the
desk, for `tocsin apply`, `tocsin export`, and the imports (`pipeline.switching`), which bring
items of their own.
"""

from pipeline.as_code.exported import exported
from pipeline.as_code.files import items_of, texts
from pipeline.as_code.items import Item
from pipeline.as_code.planning import Plan, plan

__all__ = ["Item", "Plan", "exported", "items_of", "plan", "texts"]
