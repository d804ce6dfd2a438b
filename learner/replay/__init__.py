"""Replay: a project's history played as a developer typing it, to measure whether anything was learned."""
