"""The documents that officers read and sign, each made anew from the running configuration and the database."""
