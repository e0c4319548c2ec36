"""Tests of scraping."""
