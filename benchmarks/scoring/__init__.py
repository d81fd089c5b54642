"""Scores the memory and speed model (`deployer.planning.sizing`, `deployer.planning.throughput`) against measurements."""
