"""Real runs, by their logs: replayed under other policies, and models fitted to them. docs/replay.md describes it."""
