"""Results of nodes, kept under keys that see the code and the values that they were made of."""
