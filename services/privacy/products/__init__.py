"""The products of the release job, one file each: public domain, bounded exact vectors, and how noisy ones are stored."""
