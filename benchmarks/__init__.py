"""What the README claims, one command each."""
