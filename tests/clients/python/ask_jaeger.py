"""Asks a Jaeger query API with a client that others wrote, and prints what it understood.

    ask_jaeger.py URL SERVICE TRACE

`tests/doors/clients/mod.rs` starts it and knows what should come out.
"""

import json
import sys
from dataclasses import asdict

from jaeger_mcp import JaegerClient
from jaeger_mcp.client import JaegerHTTPClient

url, service, trace = sys.argv[1:]
client = JaegerClient(JaegerHTTPClient(url=url))
print(
    json.dumps(
        {
            "services": client.list_services(),
            "found": [asdict(found) for found in client.search_traces(service, tags={"vip": "true"})],
            "other": [asdict(found) for found in client.search_traces(service, tags={"vip": "false"})],
            "trace": asdict(client.get_trace(trace)),
            "dependencies": [asdict(edge) for edge in client.get_dependencies()],
            "critical": client.critical_path(trace),
        },
        default=str,
    )
)
