"""Clusters that run the runs of flows: Dask, Ray, SLURM, and the Executors of users."""
