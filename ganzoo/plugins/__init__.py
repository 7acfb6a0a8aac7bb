"""Finding plugins, and registering and building their components."""
