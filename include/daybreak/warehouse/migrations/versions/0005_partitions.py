"""Months of snapshots and scores are made and dropped by those who own no table.

Revision ID: 0005
"""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Two functions that run with their owner's rights, for the role of the jobs only.

    Names come from the catalogue or are quoted, and the search path is fixed: nobody can bring a
    table or an operator of their own into it.
    """
    op.execute(
        """
        CREATE FUNCTION ops.partitioned_table(schema_name text, table_name text) RETURNS regclass
        LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
            SELECT relation.oid::regclass
            FROM pg_class AS relation
            JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
            WHERE namespace.nspname = schema_name AND relation.relname = table_name
                AND namespace.nspname IN ('feature', 'score') AND relation.relkind = 'p'
        $$
        """
    )
    op.execute(
        """
        CREATE FUNCTION ops.create_partition(schema_name text, table_name text, first_day date)
        RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
        DECLARE
            parent regclass := ops.partitioned_table(schema_name, table_name);
            month date := date_trunc('month', first_day::timestamp)::date;
            partition text := format('%I.%I', schema_name,
                                     table_name || to_char(month, '_YYYY_MM'));
        BEGIN
            IF parent IS NULL THEN
                RAISE EXCEPTION '%.% is no partitioned table of feature or score',
                    schema_name, table_name USING ERRCODE = 'undefined_table';
            END IF;
            -- Attached rather than created as a partition: that takes a lock which lets readers
            -- and writers of the other months go on.
            EXECUTE format('CREATE TABLE %s (LIKE %s INCLUDING ALL)', partition, parent);
            EXECUTE format('ALTER TABLE %s ATTACH PARTITION %s FOR VALUES FROM (%L) TO (%L)',
                           parent, partition, month, (month + interval '1 month')::date);
        END
        $$
        """
    )
    op.execute(
        """
        CREATE FUNCTION ops.drop_partition(schema_name text, table_name text, first_day date)
        RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
        DECLARE
            parent regclass := ops.partitioned_table(schema_name, table_name);
            month date := date_trunc('month', first_day::timestamp)::date;
            partition regclass;
        BEGIN
            SELECT inhrelid::regclass INTO partition
            FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
            WHERE inhparent = parent AND relname = table_name || to_char(month, '_YYYY_MM');
            IF partition IS NOT NULL THEN
                EXECUTE format('DROP TABLE %s', partition);
            END IF;
        END
        $$
        """
    )
    for function in ("create_partition", "drop_partition"):
        signature = f"ops.{function}(text, text, date)"
        op.execute(f"REVOKE ALL ON FUNCTION {signature} FROM PUBLIC")
        op.execute(f"GRANT EXECUTE ON FUNCTION {signature} TO daybreak_writer")
