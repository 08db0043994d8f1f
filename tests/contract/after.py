"""What was tried, and what the server's own metrics say of it."""

import json
import sys
import urllib.request

from prometheus_client.openmetrics.parser import text_string_to_metric_families

url, token, least = sys.argv[1:]


def get(path):
    request = urllib.request.Request(url + path, headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return answer.headers["content-type"], answer.read().decode()


kind, text = get("/metrics")
assert kind.startswith("application/openmetrics-text"), kind
families = {family.name: family for family in text_string_to_metric_families(text)}
for family in families.values():
    assert family.documentation, f"{family.name} says nothing of itself"

requests = families["graphium_http_requests"].samples
total = sum(sample.value for sample in requests)
seconds = families["graphium_http_request_duration_seconds"].samples
measured = sum(sample.value for sample in seconds if sample.name.endswith("_count"))
assert total == measured, (total, measured)
broken = [sample for sample in requests if sample.labels["status"].startswith("5")]
assert not broken, broken

paths = json.loads(get("/api/v1/openapi.json")[1])["paths"]
routes = {sample.labels["route"] for sample in requests}
unknown = routes - set(paths) - {"other"}
assert not unknown, unknown
missing = set(paths) - routes
assert not missing, f"not tried: {missing}"

print(f"{total:.0f} requests over {len(routes)} routes; {len(text)} bytes of metrics")
assert total >= int(least), f"only {total:.0f} requests"
