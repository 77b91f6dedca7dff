//! What a failure prints.
