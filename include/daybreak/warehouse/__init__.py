"""Tables, engine, bulk COPY, generations and report views of the warehouse (PostgreSQL)."""
