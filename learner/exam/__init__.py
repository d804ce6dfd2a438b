"""The exam: may a new adapter serve? Every answer comes from the real engine."""
