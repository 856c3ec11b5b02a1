"""The fairness audit: whether forecasts err, and privacy withholds, more in some districts or income groups than in others."""
