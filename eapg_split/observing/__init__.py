"""Who watches a daemon: metrics for Prometheus, traces as lines of JSON or by OpenTelemetry, and logs.

The runtime calls `runtime.instruments`, and what is here listens; nothing of it is loaded that was not asked for.
"""

from eapg_split.observing.opening import open_observing

__all__ = ["open_observing"]
