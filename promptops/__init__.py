"""promptops."""
