"""What sellers do: appointments, suspects, the bare minimum."""
