"""Makes specs that nobody should write, and says what `deployer plan` may answer."""
