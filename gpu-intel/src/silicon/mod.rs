//! Silicon: what executes a guest's batches.
