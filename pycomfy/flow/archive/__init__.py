"""The archive and bundles: which store paths a lock needs, and how they are written down."""
