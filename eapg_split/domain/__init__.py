"""Frozen values and the session's lifecycle: no clocks, no sockets, no frameworks."""
