"""Storage: verbs over named SQL. The only package, beside the job queue's connector, that speaks to PostgreSQL."""
