"""The write-ahead log: what is visible can be read back after `kill -9`.

In come sifted batches and the label sets of new series; out go segments of
checksummed records, and after a restart the same batches again. Every segment
opens with a checkpoint of the series alive, so it can be read, and old ones
dropped, without any other. Knows nothing of how samples are kept in memory.
"""
