"""Disclosure control by rules, for registers that a regulator wants published so: no noise, and no guarantee but the audit."""
