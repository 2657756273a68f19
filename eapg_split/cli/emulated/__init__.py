"""What `eapg-split emulate` runs, shows and keeps."""
