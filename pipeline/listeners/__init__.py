"""EVENTS COME IN: each listener takes messages from one kind of source, in batches.

base.py        what a listener is, and what it needs of the worker
committer.py   the thread that commits while a listener's own keeps its connection alive
backoff.py     how long to wait before the next try
"""
