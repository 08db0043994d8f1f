"""What somebody has tried, or all together, and what the server's own metrics say of it."""

import json
import sys
import urllib.request
from collections import Counter
from pathlib import Path

from prometheus_client.openmetrics.parser import text_string_to_metric_families

url, token, kept, who, least, least_operations = sys.argv[1:]


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

# What is answered with refusals alone says nothing of the answers that people get.
counts = Counter()
for sample in requests:
    counts[" ".join(sample.labels[name] for name in ("method", "route", "status"))] += int(sample.value)
before = Counter(json.loads(Path(kept).read_text())) if who != "all" and Path(kept).exists() else Counter()
Path(kept).write_text(json.dumps(counts))
tried = counts - before
well = {what: count for what, count in tried.items() if what.split()[-1].startswith("2")}
operations = {what.rsplit(" ", 1)[0] for what in well}
print(f"{who}: {tried.total()} requests, {sum(well.values())} of them granted, of {len(operations)} operations")
assert tried.total() >= int(least), f"only {tried.total()} requests"
assert len(operations) >= int(least_operations), f"only these were ever granted: {sorted(operations)}"

if who == "all":
    paths = json.loads(get("/api/v1/openapi.json")[1])["paths"]
    routes = {sample.labels["route"] for sample in requests}
    unknown = routes - set(paths) - {"other"}
    assert not unknown, unknown
    missing = set(paths) - routes
    assert not missing, f"not tried: {missing}"
    print(f"{len(routes)} routes; {len(text)} bytes of metrics")
