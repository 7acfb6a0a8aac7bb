"""Extractors: frozen networks whose features losses and evaluators share."""
