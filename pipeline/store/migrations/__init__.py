"""The history of the tables, oldest first. Run by `pipeline.store.migrate` alone."""
