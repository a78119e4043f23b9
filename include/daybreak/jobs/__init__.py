"""The functions that a DAG task and a CLI command both call."""
