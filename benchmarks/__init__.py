"""Speed, as ratios to what stands beside it in the same run. `make bench` runs all of it."""
