"""The text formats that targets serve: Prometheus text 0.0.4 and OpenMetrics 1.0.

In comes a body, and the page read last from the same target; out goes a page:
values in one array, and the shape (which series stand on which lines), which
is the same object as long as only values change. Knows no target and no store.
"""
