"""The nemesis: devices publish while everything between them and the table is killed, frozen, cut and filled."""
