"""Tests of the tcp prober, with real sockets and real TLS."""
