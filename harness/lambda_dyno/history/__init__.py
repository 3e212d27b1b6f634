"""What runs found, kept over time: a store of Parquet files, and what can be read from it."""
