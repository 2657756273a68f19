"""What `eapg-split simulate` shows and keeps: its table, records as Parquet, and pictures of them."""
