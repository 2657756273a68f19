"""The only place that knows gRPC."""

import os

# Before grpc is imported, as it looks only once: its log repeats, in words for its developers, what our errors say.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
