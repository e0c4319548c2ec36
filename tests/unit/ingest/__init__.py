"""Tests of what others push."""
