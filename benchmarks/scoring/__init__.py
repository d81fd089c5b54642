"""Scores the memory and speed model (`deployer.sizing`, `deployer.throughput`) against measurements."""
