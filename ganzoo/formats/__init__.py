"""Text into values: typed JSON, YAML with places, digests and durations."""
