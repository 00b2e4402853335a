"""Every query that this repository puts before a person: of rules, console pages and Grafana dashboards."""

import html
import json
import re

import demo

# What Grafana would put in the place of its variables, for data that are seconds old.
GRAFANA_VARIABLES = {
    "$__rate_interval": "1m",
    "$namespace": ".*",
    "$model": ".*",
    "$instance": ".*",
    "$price_per_gib_hour": "0.01",
}


def of_rules(prometheus_rules):
    """(name, query) of the answer of /api/v1/rules."""
    for group in prometheus_rules["data"]["groups"]:
        for rule in group["rules"]:
            yield f"rule {rule['name']}", rule["query"]


def of_consoles():
    for page in sorted((demo.PROMETHEUS / "consoles").glob("*.html")):
        for expression in re.findall(r'data-expr2?="([^"]+)"', page.read_text()):
            yield f"{page.name}", html.unescape(expression)


def of_dashboards(range_s=60):
    # A name that begins another one comes after it.
    variables = {"$__range_s": str(range_s), "$__range": f"{range_s}s", **GRAFANA_VARIABLES}
    for file in sorted((demo.ROOT / "deploy/grafana").glob("*.json")):
        for panel in json.loads(file.read_text())["panels"]:
            for target in panel.get("targets", []):
                expression = target["expr"]
                for variable, value in variables.items():
                    expression = expression.replace(variable, value)
                yield f"{file.name}: {panel['title']}", expression
