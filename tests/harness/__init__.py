"""Servers and processes for tests, chaos runs and benchmarks; each ends only what it started."""
