//! What a steal comes to: crossbeam-deque's type, as far as it is used here.

/// The result of an attempt to steal.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub enum Steal<T> {
    /// There was nothing to steal.
    Empty,
    /// One was stolen.
    Success(T),
    /// Somebody else was faster: try again.
    Retry,
}

impl<T> Steal<T> {
    /// Whether to try again.
    pub fn is_retry(&self) -> bool {
        matches!(self, Self::Retry)
    }

    /// What was stolen.
    pub fn success(self) -> Option<T> {
        match self {
            Self::Success(value) => Some(value),
            Self::Empty | Self::Retry => None,
        }
    }
}
