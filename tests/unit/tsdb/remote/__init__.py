"""Remote write and the query API of an existing engine."""
