"""The services' methods as paths, and the options of every channel and server."""

from typing import Final

from eapg_split.rpc.wire import MAX_MESSAGE_BYTES

NODE_SERVICE: Final = "eapg_split.rpc.v1.NodeService"
JOB_SERVICE: Final = "eapg_split.rpc.v1.JobService"

DESCRIBE: Final = f"/{NODE_SERVICE}/Describe"
PREPARE: Final = f"/{NODE_SERVICE}/Prepare"
RUN: Final = f"/{NODE_SERVICE}/Run"
PROBE: Final = f"/{NODE_SERVICE}/Probe"
TELEMETRY: Final = f"/{NODE_SERVICE}/Telemetry"
GENERATE: Final = f"/{JOB_SERVICE}/Generate"
SUBMIT: Final = f"/{JOB_SERVICE}/Submit"
ATTACH: Final = f"/{JOB_SERVICE}/Attach"
FORGET: Final = f"/{JOB_SERVICE}/Forget"
CANCEL: Final = f"/{JOB_SERVICE}/Cancel"
LIST: Final = f"/{JOB_SERVICE}/List"
OUTLOOK: Final = f"/{JOB_SERVICE}/Outlook"

# Room for the protobuf around a chunk; a prompt is far smaller.
_MESSAGE_LIMIT = MAX_MESSAGE_BYTES + 4096

# A connection that is dead without having been closed is found by these pings; a node that hangs with a segment is
# found sooner, see `rpc.pulse`. Their answers wait behind what is on its way, so a slow link needs the time.
_COMMON = (
    ("grpc.max_receive_message_length", _MESSAGE_LIMIT),
    ("grpc.max_send_message_length", _MESSAGE_LIMIT),
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.ping_timeout_ms", 20_000),
    ("grpc.http2.max_pings_without_data", 0),
)
CHANNEL_OPTIONS: Final = (
    *_COMMON,
    ("grpc.initial_reconnect_backoff_ms", 100),
    # how long one attempt to connect may take as well: TLS needs three round trips before the first call
    ("grpc.min_reconnect_backoff_ms", 2_000),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.enable_http_proxy", 0),
)
SERVER_OPTIONS: Final = (
    *_COMMON,
    # a step may take minutes without a word; by default gRPC ends a call that is only pinged
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.http2.max_ping_strikes", 0),
    # whoever connects and says nothing keeps a socket and some memory for so long
    ("grpc.server_handshake_timeout_ms", 20_000),
    ("grpc.so_reuseport", 0),  # otherwise two daemons share a port without a word
)
