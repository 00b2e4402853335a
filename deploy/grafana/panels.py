"""Grafana's JSON for panels, variables and dashboards, as far as ours use it. Grafana 9 and later read it."""

SOURCE = {"type": "prometheus", "uid": "${datasource}"}
WIDTH = 24  # of Grafana's grid


def stat(title, description, unit, query):
    """One figure, with its course behind it."""
    return {
        "type": "stat",
        "title": title,
        "description": description,
        "size": (6, 4),
        "queries": [(query, "")],
        "fieldConfig": {"defaults": {"unit": unit, "color": {"mode": "fixed", "fixedColor": "blue"}}, "overrides": []},
        "options": {"reduceOptions": {"calcs": ["lastNotNull"]}, "graphMode": "area", "colorMode": "value"},
    }


def curves(title, description, unit, *queries, stacked=False):
    """Time series; a query is (expression, legend)."""
    custom = {"drawStyle": "line", "lineWidth": 1, "fillOpacity": 30 if stacked else 5, "showPoints": "never"}
    custom["stacking"] = {"mode": "normal" if stacked else "none", "group": "A"}
    return {
        "type": "timeseries",
        "title": title,
        "description": description,
        "size": (12, 8),
        "queries": queries,
        "fieldConfig": {"defaults": {"unit": unit, "min": 0, "custom": custom}, "overrides": []},
        "options": {
            "legend": {"displayMode": "list", "placement": "bottom"},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
    }


def heat_map(title, description, unit, query):
    """The buckets of a histogram over time."""
    return {
        "type": "heatmap",
        "title": title,
        "description": description,
        "size": (12, 8),
        "queries": [(query, "{{le}}")],
        "format": "heatmap",
        "fieldConfig": {"defaults": {"unit": "short"}, "overrides": []},
        "options": {
            "calculate": False,
            "yAxis": {"unit": unit},
            "color": {"mode": "scheme", "scheme": "Oranges", "steps": 64},
            "cellGap": 1,
            "tooltip": {"show": True},
        },
    }


def label_variable(name, label, metric, help_text):
    """A variable with the values that a label has; "All" also takes series without the label."""
    query = f"label_values({metric}, {label})"
    return {
        "type": "query",
        "name": name,
        "description": help_text,
        "datasource": SOURCE,
        "query": {"query": query, "refId": name},
        "definition": query,
        "includeAll": True,
        "allValue": ".*",
        "multi": True,
        "refresh": 2,
        "sort": 1,
        "current": {"text": "All", "value": "$__all"},
    }


def text_variable(name, value, help_text):
    current = {"text": value, "value": value}
    return {"type": "textbox", "name": name, "description": help_text, "query": value, "current": current}


def source_variable():
    return {"type": "datasource", "name": "datasource", "query": "prometheus", "description": "Where the metrics are"}


def _placed(panels):
    """Ids and places, from left to right and row by row."""
    x = y = height = 0
    for number, panel in enumerate(panels, start=1):
        width, panel_height = panel.pop("size")
        if x + width > WIDTH:
            x, y, height = 0, y + height, 0
        queries, form = panel.pop("queries"), panel.pop("format", "time_series")
        targets = [
            {"refId": chr(ord("A") + i), "datasource": SOURCE, "expr": query, "legendFormat": legend, "format": form}
            for i, (query, legend) in enumerate(queries)
        ]
        place = {"x": x, "y": y, "w": width, "h": panel_height}
        yield {"id": number, "datasource": SOURCE, "gridPos": place, **panel, "targets": targets}
        x, height = x + width, max(height, panel_height)


def dashboard(uid, title, description, variables, panels):
    return {
        "uid": uid,
        "title": title,
        "description": description,
        "tags": ["windowkv"],
        "schemaVersion": 37,
        "version": 1,
        "timezone": "browser",
        "time": {"from": "now-6h", "to": "now"},
        "refresh": "30s",
        "templating": {"list": [source_variable(), *variables]},
        "panels": list(_placed(panels)),
    }
