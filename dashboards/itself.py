"""Control plane itself: is it in time, does it keep what it takes in, what does it cost."""

from dashboards.frame import SELECTED, Sheet, job_and_instance, of_series, to_dashboard
from dashboards.panels import (
    BLUE,
    GREEN,
    NONE_IS_WELL,
    ORANGE,
    RED,
    Column,
    Panel,
    Query,
    Row,
    graph,
    listing,
    number,
    states,
)
from dashboards.uids import ITSELF, RULES

_NAME = "{{instance}}"
_ANSWERED = "controlplane_http_request_duration_seconds"
_UP = {"1": ("runs", GREEN), "0": ("waits", RED)}
_TO_RULES = to_dashboard("The rules", RULES, instance=of_series("instance"))


def itself() -> Sheet:
    """Return the dashboard."""
    return Sheet(
        uid=ITSELF,
        title="Control plane itself",
        description="Lateness, missed evaluations, ingest, store, queues, event loop, memory.",
        folder="control-plane",
        variables=job_and_instance("controlplane_build_info"),
        marks='alertname=~"Controlplane.+"',
        top=_numbers(),
        rows=(
            Row("In time?", _lateness()),
            Row("Samples", _samples()),
            Row("The log and the disk", _disk()),
            Row("Queues", _queues()),
            Row("The process", _process()),
            Row("Requests and queries", _requests(), folded=True),
            Row("Background tasks and jobs", _tasks(), folded=True),
        ),
    )


def _rate(metric: str, by: str = "instance") -> str:
    return f"sum by ({by}) (rate({metric}{{{SELECTED}}}[$__rate_interval]))"


def _quantile(part: float, metric: str, by: str = "instance") -> str:
    return f"histogram_quantile({part}, {_rate(f'{metric}_bucket', f'le, {by}')})"


def _numbers() -> tuple[Panel, ...]:
    missed = "controlplane_probe_ticks_missed_total"
    slots = "controlplane_rule_group_iterations_missed_total"
    return (
        number(
            "Replicas",
            "Processes that tell of themselves.",
            "short",
            Query(f"count(controlplane_build_info{{{SELECTED}}})", now=True),
            base=BLUE,
        ),
        number(
            "Tasks that wait",
            "Background tasks that ended by themselves and wait to be started anew.",
            "short",
            Query(f"count(controlplane_task_up{{{SELECTED}}} == 0) or vector(0)", now=True),
            steps=NONE_IS_WELL,
        ),
        number(
            "Missed probes",
            "Ticks of the time shown at which no probe was started.",
            "short",
            Query(f"round(sum(increase({missed}{{{SELECTED}}}[$__range])) or vector(0))", now=True),
            steps=NONE_IS_WELL,
        ),
        number(
            "Missed rule slots",
            "Slots of the time shown that passed while an earlier evaluation still ran.",
            "short",
            Query(f"round(sum(increase({slots}{{{SELECTED}}}[$__range])) or vector(0))", now=True),
            steps=NONE_IS_WELL,
        ),
        number(
            "Series",
            "Series alive in the sample store.",
            "short",
            Query(f"sum(controlplane_tsdb_series{{{SELECTED}}})"),
            base=BLUE,
        ),
        number(
            "Configuration",
            "Whether the file on disk is what is in force.",
            "short",
            Query(f"min(controlplane_config_last_reload_successful{{{SELECTED}}})", now=True),
            base=RED,
            steps=((1, GREEN),),
            words={"1": ("in force", GREEN), "0": ("refused", RED)},
        ),
    )


def _lateness() -> tuple[Panel, ...]:
    return (
        graph(
            "Lateness of probes, 99 %",
            "How long after its tick a probe was started. Above the line: too many targets for "
            "this core, or other work on the machine.",
            "s",
            Query(_quantile(0.99, "controlplane_probe_lateness_seconds"), _NAME),
            width=8,
            steps=((0.25, RED),),
        ),
        graph(
            "Lateness of scrapes, 99 %",
            "How long after its tick a scrape began.",
            "s",
            Query(_quantile(0.99, "controlplane_scrape_lateness_seconds"), _NAME),
            width=8,
            steps=((0.25, RED),),
        ),
        graph(
            "Event loop lag, 99 %",
            "How much later than asked the event loop woke a sleeper.",
            "s",
            Query(_quantile(0.99, "controlplane_event_loop_lag_seconds"), _NAME),
            width=8,
            steps=((0.1, RED),),
        ),
        graph(
            "Time of rules, 99 %",
            "How long the evaluation of one rule takes.",
            "s",
            Query(_quantile(0.99, "controlplane_rule_evaluation_duration_seconds"), _NAME),
            width=8,
            steps=((1, RED),),
            links=(_TO_RULES,),
        ),
        graph(
            "Missed rule evaluations",
            "Slots a second that passed while an earlier evaluation still ran.",
            "ops",
            Query(_rate("controlplane_rule_group_iterations_missed_total"), _NAME),
            width=8,
            links=(_TO_RULES,),
        ),
        graph(
            "Probe and scrape ticks missed",
            "Ticks a second that were left out, by cause.",
            "ops",
            Query(
                _rate("controlplane_probe_ticks_missed_total", "instance, cause"),
                "{{instance}} probe {{cause}}",
            ),
            Query(_rate("controlplane_scrape_missed_ticks_total"), "{{instance}} scrape"),
            width=8,
        ),
    )


def _samples() -> tuple[Panel, ...]:
    return (
        graph(
            "Samples taken in",
            "Samples a second, of probes, scrapes, rules and senders.",
            "cps",
            Query(_rate("controlplane_tsdb_samples_appended_total"), _NAME),
            width=8,
        ),
        graph(
            "Samples refused",
            "Samples a second that the store refused, by reason, and those refused to senders.",
            "cps",
            Query(
                _rate("controlplane_tsdb_samples_rejected_total", "instance, reason"),
                "{{instance}} {{reason}}",
            ),
            Query(
                _rate("controlplane_ingest_rejected_total", "instance, protocol, reason"),
                "{{instance}} {{protocol}} {{reason}}",
            ),
            width=8,
        ),
        graph(
            "Series over time",
            "Series alive, and series begun a second. Steadily new ones: a label with ever new "
            "values.",
            "short",
            Query(f"sum by (instance) (controlplane_tsdb_series{{{SELECTED}}})", _NAME),
            Query(_rate("controlplane_tsdb_series_created_total"), "{{instance}} new a second"),
            width=8,
        ),
        graph(
            "Pushed samples",
            "Samples a second that senders pushed, by protocol.",
            "cps",
            Query(_rate("controlplane_ingest_samples_total", "protocol"), "{{protocol}}"),
            stacked=True,
        ),
        graph(
            "Probes and scrapes",
            "Probes and scrapes a second, by how they ended.",
            "ops",
            Query(_rate("controlplane_probes_total", "result"), "probe {{result}}"),
            Query(_rate("controlplane_scrapes_total", "outcome"), "scrape {{outcome}}"),
        ),
    )


def _disk() -> tuple[Panel, ...]:
    return (
        graph(
            "Write-ahead log",
            "Bytes written a second.",
            "Bps",
            Query(_rate("controlplane_tsdb_wal_written_bytes_total"), _NAME),
            width=8,
        ),
        graph(
            "Group commit, 99 %",
            "Time of one commit: check, log, publish. Above the line: a slow disk.",
            "s",
            Query(_quantile(0.99, "controlplane_tsdb_commit_seconds"), _NAME),
            width=8,
            steps=((0.1, RED),),
        ),
        graph(
            "Bytes on disk",
            "Bytes of all blocks.",
            "bytes",
            Query(f"sum by (instance) (controlplane_tsdb_block_bytes{{{SELECTED}}})", _NAME),
            width=8,
        ),
        graph(
            "Failures of the disk",
            "Log records that could not be written, failed fsyncs and failed work on blocks, a "
            "second.",
            "ops",
            Query(_rate("controlplane_tsdb_wal_write_failures_total"), "{{instance}} write"),
            Query(_rate("controlplane_tsdb_wal_fsync_failures_total"), "{{instance}} fsync"),
            Query(_rate("controlplane_tsdb_block_failures_total"), "{{instance}} block"),
        ),
        graph(
            "Samples that a restart would lose",
            "Samples kept in memory only, because the log could not be written.",
            "short",
            Query(
                "sum by (instance) (increase("
                f"controlplane_tsdb_wal_unlogged_samples_total{{{SELECTED}}}[$__rate_interval]))",
                _NAME,
            ),
        ),
    )


def _queues() -> tuple[Panel, ...]:
    def gauge(metric: str) -> str:
        return f"sum by (instance) ({metric}{{{SELECTED}}})"

    return (
        graph(
            "Samples waiting for the store",
            "Samples that wait for the writer.",
            "short",
            Query(gauge("controlplane_tsdb_queue_samples"), _NAME),
            width=8,
        ),
        graph(
            "Messages and decisions waiting",
            "Messages in the outbox, and decisions that wait to be written.",
            "short",
            Query(
                f"sum by (instance, state) (controlplane_outbox_messages{{{SELECTED}}})",
                "{{instance}} {{state}}",
            ),
            Query(gauge("controlplane_ledger_waiting"), "{{instance}} decisions"),
            width=8,
        ),
        graph(
            "Transfers",
            "HTTP transfers under way, and those that wait for room: the limit of open files.",
            "short",
            Query(gauge("controlplane_transfers_in_flight"), "{{instance}} in flight"),
            Query(gauge("controlplane_transfers_waiting"), "{{instance}} waiting"),
            width=8,
        ),
        graph(
            "Remote write behind",
            "Samples read from the log and not yet accepted, by receiver.",
            "short",
            Query(
                f"sum by (remote) (controlplane_remote_write_samples_pending{{{SELECTED}}})",
                "{{remote}}",
            ),
            width=24,
            height=6,
        ),
    )


def _process() -> tuple[Panel, ...]:
    return (
        graph(
            "Memory",
            "Resident memory.",
            "bytes",
            Query(f"process_resident_memory_bytes{{{SELECTED}}}", _NAME),
            width=8,
        ),
        graph(
            "Cores",
            "Cores in use.",
            "short",
            Query(_rate("process_cpu_seconds_total"), _NAME),
            width=8,
        ),
        graph(
            "Open files",
            "The part of the file descriptors that is open.",
            "percentunit",
            Query(
                f"process_open_fds{{{SELECTED}}} / process_max_fds{{{SELECTED}}}",
                _NAME,
            ),
            width=8,
            steps=((0.8, RED),),
        ),
    )


def _requests() -> tuple[Panel, ...]:
    return (
        graph(
            "Requests to us",
            "Requests a second by status.",
            "reqps",
            Query(_rate("controlplane_http_requests_total", "code"), "{{code}}"),
            width=8,
            stacked=True,
            colours={"2..": GREEN, "3..": BLUE, "4..": ORANGE, "5..": RED},
        ),
        graph(
            "Slowest routes, 95 %",
            "Time to answer: the 10 slowest routes. Points are exemplars: a click leads to the "
            "trace.",
            "s",
            Query(
                f"topk(10, {_quantile(0.95, _ANSWERED, 'route')})",
                "{{route}}",
                exemplars=True,
            ),
            width=8,
        ),
        graph(
            "Queries, 95 %",
            "Time it took to evaluate an expression.",
            "s",
            Query(_quantile(0.95, "controlplane_query_seconds", "kind"), "{{kind}}"),
            width=8,
        ),
    )


def _tasks() -> tuple[Panel, ...]:
    return (
        states(
            "Tasks",
            "Red while a background task waits to be started anew.",
            Query(f"controlplane_task_up{{{SELECTED}}}", "{{instance}} {{task}}"),
            _UP,
            width=8,
        ),
        graph(
            "Restarts of tasks",
            "Background tasks a second that ended by themselves and were started anew.",
            "ops",
            Query(_rate("controlplane_task_restarts_total", "instance, task"), "{{task}}"),
            width=8,
        ),
        listing(
            "Jobs",
            "How long ago each scheduled job last ended well.",
            (
                Column("instance", "Replica"),
                # A scheduled job's own label: the series' `job` is ours.
                Column("exported_job", "Job"),
                Column("Value", "Ago", unit="s"),
            ),
            Query(f"time() - controlplane_job_last_success_timestamp_seconds{{{SELECTED}}}"),
            unit="s",
            width=8,
        ),
    )
