//! What a panic says, for the log lines of handlers, of background tasks and of the process.

use std::any::Any;

/// The words of the panic that was caught as `payload`.
pub(crate) fn message(payload: &(dyn Any + Send)) -> &str {
    let said = payload.downcast_ref::<&str>().copied();
    said.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("a value that is not text")
}
