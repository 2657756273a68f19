"""What `eapg-split sweep` shows and keeps."""
