"""Where the packages meet: everything is made here, in the order in which samples travel."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from random import SystemRandom

from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from controlplane.api.application import create_application
from controlplane.api.query_pool import QueryPool
from controlplane.api.surface import Surface
from controlplane.api.throttle import Throttle
from controlplane.app.alerting import build_alerting
from controlplane.app.bounds import (
    database_url,
    engine_options,
    flags,
    limits,
    make_directory,
    store_options,
)
from controlplane.app.bus import build_bus, start_bus
from controlplane.app.caching import build_cache
from controlplane.app.counting import build_counter
from controlplane.app.delivering import Replica
from controlplane.app.inforce import InForce
from controlplane.app.job_runner import JobMetrics, JobRunner
from controlplane.app.mirrored import build_mirrors
from controlplane.app.mirroring import Mirrors
from controlplane.app.notifying import Senders, WrittenRouteLabels
from controlplane.app.outside import build_outside
from controlplane.app.picturing import Pictures, RuleReadings
from controlplane.app.probing import Prober, build_probing
from controlplane.app.readiness import readiness_checks
from controlplane.app.reloader import Reloader
from controlplane.app.remotes import elsewhere, families
from controlplane.app.scaling import Questions, build_scaling
from controlplane.app.scheduling import Jobs
from controlplane.app.sharing import build_sharing, refuse
from controlplane.app.supervisor import Supervisor
from controlplane.app.telling import Telling
from controlplane.app.trying import build_rehearsal
from controlplane.auth.guard import Guard
from controlplane.clock import Clock
from controlplane.config.config import Config
from controlplane.config.render import render, render_alerting
from controlplane.events.ports import Bus
from controlplane.ingest.metrics import IngestMetrics
from controlplane.ingest.options import IngestOptions
from controlplane.ingest.receiver import Receiver
from controlplane.model.duration import HOUR
from controlplane.model.origin import Origin
from controlplane.model.share import Role
from controlplane.plot.metrics import PlotMetrics
from controlplane.plot.plotter import Plotter
from controlplane.promql.engine import Engine
from controlplane.routing.ports import Fresh, always_fresh
from controlplane.rules.manager import Manager
from controlplane.rules.metrics import RuleMetrics
from controlplane.rules.query import EngineQueries
from controlplane.rules.remote_query import EngineAnswers
from controlplane.settings.settings import Settings
from controlplane.storage.database import Database
from controlplane.storage.jobs import SqlJobRuns
from controlplane.storage.migrate import require_current, upgrade
from controlplane.storage.retention import trim
from controlplane.storage.rules import SqlRuleStates
from controlplane.storage.standby import StandbyMetrics
from controlplane.telemetry.metrics import ProcessMetrics
from controlplane.tsdb.remote.metrics import RemoteWriteMetrics
from controlplane.tsdb.remote.remotes import RemoteWrites
from controlplane.tsdb.store import Store
from controlplane.ui.routes import mount
from controlplane.ui.warming import warm


@dataclass(frozen=True, slots=True)
class Service:
    """The whole program, made and running: what answers requests, and what ends it well."""

    application: FastAPI
    reloader: Reloader
    supervisor: Supervisor
    bus: Bus
    # Others serve the same clients.
    shared: bool


async def build(  # noqa: PLR0915 - one straight line, in the order of a sample's way
    settings: Settings,
    config: Config,
    *,
    clock: Clock,
    registry: CollectorRegistry,
    stack: AsyncExitStack,
) -> Service:
    """Make and start everything; leaving `stack` ends it in the opposite order.

    Raises Conflict when another process holds the data directory or has the
    name, Unavailable when the database does not answer or has another schema.
    """
    # Where things are kept.
    make_directory(settings.data_dir)
    database = Database(database_url(settings, config), config.storage, StandbyMetrics(registry))
    stack.push_async_callback(database.close)
    refuse(settings, config, sqlite=database.is_sqlite)  # before a schema is made for nothing
    await (upgrade(database) if database.is_sqlite else require_current(database))
    sharing = await build_sharing(
        settings, config, database, clock=clock, registry=registry, stack=stack
    )
    evaluator, notifier = sharing.share(Role.EVALUATOR), sharing.share(Role.NOTIFIER)
    store = await asyncio.to_thread(
        Store.open, settings.data_dir / "samples", store_options(settings), clock, registry
    )
    stack.push_async_callback(store.close)
    engine = Engine(store, engine_options(settings, config), registry, clock=clock)
    queries = QueryPool(threads=settings.query_concurrency)
    stack.callback(queries.close)

    outside = build_outside(config, clock=clock, registry=registry, stack=stack)
    clients, engines = outside.clients, outside.engines

    # Who looks is told what happens.
    bus = build_bus(
        sharing,
        config.cluster,
        clock=clock,
        registry=registry,
        foreign=lambda _event: mirrors.wake() if mirrors is not None else None,
    )
    telling = Telling(bus, clock)

    # From alerts to pages.
    plotter = Plotter(engine.range, clock, PlotMetrics(registry))
    stack.callback(plotter.close)
    senders = Senders(
        settings.external_url,
        clients,
        picture=Pictures(plotter, settings.external_url),
        readings=RuleReadings(
            lambda: rules.groups(),  # noqa: PLW0108 - they are made below
            lambda: reloader.config.global_.external_labels,
        ),
    )
    alerting = build_alerting(
        config,
        database,
        senders,
        clock=clock,
        registry=registry,
        replica=Replica(
            settings.replica,
            sharing.run,
            settings.roles,
            notifier,
            fresh=lambda: fresh(),  # noqa: PLW0108 - made below
        ),
        last_outcome=lambda target_id: probing.last_outcome(target_id),  # noqa: PLW0108 - made below
    )
    stack.push_async_callback(alerting.channels.close)
    alerts = alerting.alerts
    # What another replica wrote, that one tells.
    alerts.subscribe(telling.alerts, origin=Origin.HERE)
    alerting.ledger.subscribe(telling.decided)
    alerting.silences.subscribe(telling.silences, origin=Origin.HERE)
    alerting.worker.subscribe(telling.attempt)

    # From samples to alerts.
    rules = Manager(
        clock=clock,
        query=EngineQueries(engine),
        store=store,
        sink=alerts,
        states=SqlRuleStates(database),
        metrics=RuleMetrics(registry),
        remote=EngineAnswers(engines),
        lookback=settings.query_lookback,
        record=alerting.deciding.doubted,
        share=evaluator,
        reports=sharing.reports,
    )
    stack.push_async_callback(rules.close)
    store.subscribe(rules.on_commit)

    # From samples to replicas.
    scaling = build_scaling(
        database,
        Questions(engine, queries, engines),
        clients,
        alerts,
        clock=clock,
        registry=registry,
        external_url=settings.external_url,
        share=evaluator,
    )
    stack.push_async_callback(scaling.close)

    # From targets to samples.
    probing = build_probing(
        config,
        database,
        store,
        outside,
        alerting.storms,
        telling,
        clock=clock,
        registry=registry,
        stack=stack,
        prober=Prober(
            settings.replica, sharing.share(Role.PROBER), partial(sharing.gained_since, Role.PROBER)
        ),
        pages=settings.data_dir / "status",
    )
    targets, scrapes, uptimes = probing.targets, probing.scrapes, probing.uptimes
    if probing.outcomes is not None:
        alerting.storms.network.among(sharing, probing.outcomes.get)

    # From those who push samples.
    options = IngestOptions(
        keep=settings.retention, max_series_per_sender=settings.max_series_per_sender
    )
    receiver = Receiver(store, clock, IngestMetrics(registry), options)
    intake = QueryPool(threads=2, waiting=30)
    stack.callback(intake.close)

    # What an existing engine gets of our samples.
    remote_writes = RemoteWrites(
        store,
        settings.data_dir / "remote_write",
        clients,
        partial(families, scrapes, receiver),
        clock=clock,
        metrics=RemoteWriteMetrics(registry),
        chance=SystemRandom(),
    )
    stack.push_async_callback(remote_writes.close)

    # What looks in from above.
    supervisor, job_metrics = Supervisor(clock, registry), JobMetrics(registry)
    runner = JobRunner(SqlJobRuns(database), clock, job_metrics, owner=alerting.replica.owner)
    jobs = Jobs(runner, clock, job_metrics)
    checks = readiness_checks(database, store, supervisor, sharing)
    rehearsal = build_rehearsal(
        alerting,
        database,
        jobs,
        groups=rules.groups,
        checks=checks,
        registry=registry,
    )

    # What other replicas change is known here.
    mirrors: Mirrors | None = None
    fresh: Fresh = always_fresh
    if sharing.connection is not None:
        mirrors = build_mirrors(
            database, probing, alerting, rules, scaling, rehearsal, clock=clock, registry=registry
        )
        fresh = mirrors.fresh

    in_force = InForce(
        clock=clock,
        external_url=settings.external_url,
        replica=settings.replica,
        policy=outside.policy,
        remote_writes=remote_writes,
        engines=engines,
        alerting=alerting,
        rehearsal=rehearsal,
        rules=rules,
        scaling=scaling,
        probing=probing,
        sharing=sharing,
    )
    reloader = Reloader(
        settings.config,
        config,
        in_force.change,
        clock=clock,
        registry=registry,
        told=telling.reloaded,
    )
    surface = Surface(
        clock=clock,
        bus=bus,
        cache=build_cache(
            sharing,
            config.cluster,
            bus,
            lambda: 0 if mirrors is None else mirrors.taken,
            clock=clock,
            registry=registry,
        ),
        registry=registry,
        queries=queries,
        engine=engine,
        store=store,
        deleter=store if settings.admin_api else None,
        targets=targets,
        failures=probing.failures,
        alerts=alerts,
        ledger=alerting.ledger,
        notifications=alerting.notifications,
        rules=rules.groups,
        autoscaler=scaling.autoscaler,
        scaling_policies=scaling.policies,
        scaling_history=scaling.questions.range,
        scrapes=scrapes.statuses,
        dropped=scrapes.dropped,
        receivers_of=alerting.dispatcher.receivers,
        redrive=alerting.redrive,
        silences=alerting.silences,
        slack=alerting.interactions,
        muting=alerting.muting,
        groups=alerting.dispatcher.look,
        groups_size=alerting.dispatcher.size,
        outside_hours=alerting.hours.muting,
        receivers=lambda: [receiver.name for receiver in reloader.config.receivers],
        receiver_labels=lambda: {each.name: each.known_by for each in reloader.config.receivers},
        route_labels=WrittenRouteLabels(senders, lambda: reloader.config),
        alerting_configuration=lambda: render_alerting(reloader.config),
        started=clock.now(),
        reload=reloader.reload,
        standing=reloader.standing,
        jobs=jobs,
        tools=outside.tools,
        modules=lambda: reloader.config.modules,
        checks=checks,
        trying=rehearsal.parts,
        receiver=receiver,
        metadata=scrapes.metadata,
        external_labels=lambda: reloader.config.global_.external_labels,
        configuration=lambda: render(reloader.config),
        flags=flags(settings),
        intake=intake,
        elsewhere=partial(elsewhere, engines, reloader),
        uptime=uptimes.reader,
        incidents=uptimes.incidents,
        maintenance=uptimes.plans,
        status_pages=uptimes.pages,
        grafana_url=settings.grafana_url,
        fresh=fresh,
        replicas=sharing.members,
        roles=settings.roles,
    )

    # Everything is made; from here on it moves. What is started last ends first.
    if mirrors is not None:
        await mirrors.begin()
    await in_force.begin(config)
    await sharing.joined()
    targets.subscribe(telling.target, origin=Origin.HERE)
    stack.push_async_callback(supervisor.stop)
    start_bus(bus, supervisor)
    grace = settings.shutdown_grace / 1000
    supervisor.start(
        "remote write",
        remote_writes.run,
        drain=lambda: remote_writes.drain(settings.shutdown_grace),
    )
    alerting.start(supervisor, grace)
    rehearsal.start(supervisor)
    supervisor.start("rules", rules.run, drain=rules.drain)
    scaling.start(supervisor)
    probing.start(supervisor)
    process = ProcessMetrics(
        registry, clock, replica=settings.replica, external_url=settings.external_url
    )
    supervisor.start("process", process.run)
    jobs.every(
        HOUR,
        "retention",
        lambda: trim(database, reloader.config.storage.retention, clock.now()),
    )
    jobs.start()
    stack.callback(jobs.stop)
    supervisor.start("jobs", jobs.run, drain=jobs.drain)
    if mirrors is not None:
        supervisor.start("mirrors", mirrors.run, drain=mirrors.drain)
    sharing.when_quiet(Role.EVALUATOR, rules.quiet)
    sharing.when_quiet(Role.PROBER, probing.quiet)
    sharing.start(supervisor)
    guard = Guard(settings.api_token)
    throttle = Throttle(
        lambda: reloader.config.limits,
        build_counter(sharing, config.cluster, clock=clock, registry=registry),
        registry,
    )
    application = create_application(surface, guard, limits(settings), throttle)
    mount(application, guard)
    await warm(surface)
    return Service(application, reloader, supervisor, bus, shared=sharing.connection is not None)
