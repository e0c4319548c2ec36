"""Tests of `controlplane.notify`."""
