"""The recipe language: from a YAML file to a checked, complete recipe."""
