"""Tests of `controlplane.model`."""
