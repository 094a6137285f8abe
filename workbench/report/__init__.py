"""What leadership receives: files made from a frozen plan or a run notebook, checked before writing."""
