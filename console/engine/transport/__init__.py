"""The seam to HTTP and its adapters."""
