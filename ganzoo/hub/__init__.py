"""The Hugging Face Hub: search, pull and push."""
