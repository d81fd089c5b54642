"""What `benchmarks/bench` measures against: another load generator, and a server of known timing."""
