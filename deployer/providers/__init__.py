"""What a provider is (`api`) and how providers are found (`registry`)."""
