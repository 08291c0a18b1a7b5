"""Fetch public recordings, when asked to: plans what to fetch, then fetches it whole, checked and resumable."""
