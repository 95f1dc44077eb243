"""Asks a Prometheus API with the client library that others use, and prints what it understood.

    ask_prometheus.py URL SERVICE

`tests/doors/clients/mod.rs` starts it and knows what should come out.
"""

import json
import sys
from datetime import datetime, timedelta

from prometheus_api_client import PrometheusConnect

url, service = sys.argv[1:]
client = PrometheusConnect(url=url)
# The client rounds to whole seconds, and what was sent in this one is asked for too.
end = datetime.now() + timedelta(seconds=2)
start = end - timedelta(minutes=5)
selector = f'shop_orders_total{{job="{service}"}}'
by_page = {m["metric"]["page"]: m["value"][1] for m in client.custom_query(selector)}
window = {"start_time": start, "end_time": end}
ranged = client.custom_query_range(f"sum({selector})", step="5", **window)
raw = client.get_metric_range_data("shop_queue", label_config={"job": service}, **window)
current = client.get_current_metric_value("shop_heat_celsius", {"job": service})
print(
    json.dumps(
        {
            "connected": client.check_prometheus_connection(),
            "metrics": client.all_metrics(),
            "labels": client.get_label_names(),
            "jobs": client.get_label_values("job"),
            "by_page": by_page,
            "ranged": ranged[0]["values"][-1][1],
            "raw": raw[0]["values"][-1][1],
            "current": current[0]["value"][1],
            "series": client.get_series(start, end, params={"match[]": selector}),
            "targets": client.get_targets(),
            "metadata": client.get_metric_metadata("shop_orders_total"),
        }
    )
)
