"""Prefect flows: thin steps that call one library function each and hold the retries."""
