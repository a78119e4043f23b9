"""What OpenLineage is told of a task, where Airflow has its provider and a transport for it.

Holds no DAG. Without them nothing of it is imported, and nothing is noted.
"""

from __future__ import annotations

from functools import cache, partial

IN_FACET = {
    "model": "model",
    "run_key": "runKey",
    "business_date": "businessDate",
    "knowledge": "knowledge",
    "cutoff": "cutoff",
    "snapshot_id": "snapshotId",
    "generation_id": "generationId",
    "version": "version",
}
"""What the address of a run says, and how the facet ``daybreak_run`` names it."""


def watch(context):
    """Note what the calling task reads and writes, if anybody is told. Called before each task."""
    try:
        from airflow.providers.openlineage.conf import is_disabled
    except ImportError:
        return
    if is_disabled():
        return
    from daybreak.jobs import lineage

    # OpenLineage asks an operator by this name once it has ended, whether well or not.
    task = context["task"]
    task.get_openlineage_facets_on_complete = partial(facets, lineage.watch())


def facets(trace, ti):
    """Data sets and facet of a task that has ended."""
    from airflow.providers.openlineage.extractors import OperatorLineage
    from openlineage.client.event_v2 import Dataset

    def table(name):
        return Dataset(f"postgres://{trace.server}", f"{trace.database}.{name}")

    address = address_of(ti.task)
    return OperatorLineage(
        inputs=[Dataset(*file_name(file)) for file in sorted(trace.files)]
        + [table(name) for name in sorted(trace.read)],
        outputs=[table(name) for name in sorted(trace.written)],
        run_facets={"daybreak_run": facet_class()(**address)} if address else {},
    )


def address_of(task):
    """The address that a task was given (``daybreak.jobs.addresses``), as the facet names it."""
    given = [*getattr(task, "op_args", ()), *getattr(task, "op_kwargs", {}).values()]
    for one in given:
        if isinstance(one, dict) and "business_date" in one and "model" in one:
            return {name: one[field] for field, name in IN_FACET.items() if field in one}
    return {}


def file_name(address):
    """Namespace and name of a file, as OpenLineage's conventions have it."""
    scheme, found, rest = address.partition("://")
    if found:
        host, _, path = rest.partition("/")
        return f"{scheme}://{host}", path
    if address.startswith(("generator:", "query:")):  # what makes its rows, or asks for them
        scheme, _, rest = address.partition(":")
        return scheme, rest
    return "file", address


@cache
def facet_class():
    """The class of the facet: which run of which model, as of when, and what came of it."""
    from attrs import field, make_class
    from openlineage.client.facet_v2 import RunFacet

    said = {name: field(default=None) for name in IN_FACET.values()}
    return make_class("DaybreakRunFacet", said, bases=(RunFacet,), kw_only=True)
