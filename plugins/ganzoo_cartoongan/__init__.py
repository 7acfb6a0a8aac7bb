"""CartoonGAN: its networks, its loss, and its authors' weights."""
