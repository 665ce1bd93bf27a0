"""`make bench`: every benchmark, one after the other, each with its table."""

from __future__ import annotations

from benchmarks import listening, matching

if __name__ == "__main__":
    matching.main([])
    listening.main([])
