"""The only writer under the output root: a final path is absent or whole, always."""
