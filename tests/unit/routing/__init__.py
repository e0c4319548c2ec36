"""Tests of `controlplane.routing`."""
