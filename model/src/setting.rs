//! Settings from the environment.

use std::str::FromStr;

/// The value of the variable `name`, or `default` if it is not set.
///
/// # Panics
/// If it is set to something else than a `T`: a check with other bounds than asked for would be misleading.
pub fn setting<T: FromStr>(name: &str, default: T) -> T {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} is {text:?}, which makes no sense")),
        Err(_) => default,
    }
}
