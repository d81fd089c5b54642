"""The words and tools that everything else is made of. Imports nothing of ours outside this package."""
