"""Tables that other programs read: OData, CSV and Parquet of the runs that are stood behind, and of each run.

`_schema` says what every column is, `_of_run` takes them from a run's folder, `_source` lines the runs up, `_query`
picks rows a page at a time, `expressions` reads conditions, `odata` speaks the protocol.
"""
