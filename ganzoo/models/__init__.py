"""The model folder: what a trained generator is on disk, and how it is used."""
