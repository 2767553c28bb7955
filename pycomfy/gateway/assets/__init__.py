"""Files that come in and go out: immutable blobs, the assets over them, and where they come from and go to."""
