"""The embedded corpus: any number of synthetic speakers, made offline from a seed."""
