//! Inputs that are kept: the seeds of the fuzz target, and every script that ever failed.
