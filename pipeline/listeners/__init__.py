"""EVENTS COME IN: each listener takes messages from one kind of source, in batches."""
