"""The everything-server of the Python SDK, with JSON where it would answer a request with an event stream."""

import sys

from mcp_everything_server.server import event_store, mcp

mcp.run(
    transport="streamable-http",
    port=int(sys.argv[1]),
    event_store=event_store,
    retry_interval=100,
    json_response=True,
)
