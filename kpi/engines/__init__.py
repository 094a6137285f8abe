"""Where the tables live and are reckoned: DuckDB (embedded), Spark, or a warehouse over Ibis."""
