"""Text → cells and renders. Nothing here prints, tells the time or opens a connection."""
