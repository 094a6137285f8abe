"""What people see: charts, boards in notebooks, the files for leadership, the command line."""
