"""The one way out for personal data: release plans, mechanisms and the ledger."""
