"""Tests of `controlplane.alerts`."""
