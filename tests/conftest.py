from hypothesis import settings

# shared machines are slow now and then; what hangs is caught by the timeout of pytest
settings.register_profile("eapg_split", deadline=None)
settings.load_profile("eapg_split")
