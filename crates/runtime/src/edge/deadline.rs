//! How long a call may be worked on: the caller's `grpc-timeout`, at most the server's own limit.

use std::time::Duration;

use http::HeaderMap;
use tokio::time::Instant;
use tonic::{Code, Status};

use waymark_rpc::status::Reason;

use super::answer::refuse;

/// When the call's answer is due.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline(Instant);

impl Deadline {
    pub(super) fn after(timeout: Duration) -> Self {
        Self(Instant::now() + timeout)
    }

    /// Runs `work` until the deadline, then drops it: a write that was done by then may still be committed with those
    /// it shares a transaction with.
    pub(super) async fn bound<T>(self, work: impl Future<Output = Result<T, Status>>) -> Result<T, Status> {
        tokio::time::timeout_at(self.0, work).await.unwrap_or_else(|_| Err(passed()))
    }

    pub(super) async fn wait(self) -> Status {
        tokio::time::sleep_until(self.0).await;
        passed()
    }
}

fn passed() -> Status {
    refuse(
        Code::DeadlineExceeded,
        Reason::DeadlineExceeded,
        "the deadline passed before the answer was ready; a write may have happened: repeat it with the same request_id",
    )
}

/// The time the caller gives, from the header `grpc-timeout`: at most eight digits and a unit.
pub(super) fn asked(headers: &HeaderMap) -> Result<Option<Duration>, Status> {
    let Some(value) = headers.get("grpc-timeout") else { return Ok(None) };
    value.to_str().ok().and_then(parse).map(Some).ok_or_else(|| {
        refuse(
            Code::InvalidArgument,
            Reason::InvalidField,
            "grpc-timeout must be 1 to 8 digits and one of H, M, S, m, u, n, such as 250m",
        )
    })
}

fn parse(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let number: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(number * 3_600)),
        "M" => Some(Duration::from_secs(number * 60)),
        "S" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_millis(number)),
        "u" => Some(Duration::from_micros(number)),
        "n" => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grpc_timeouts() {
        assert_eq!(parse("250m"), Some(Duration::from_millis(250)));
        assert_eq!(parse("99999999H"), Some(Duration::from_hours(99_999_999)));
        for wrong in ["", "m", "250", "250x", "-1S", "123456789S", "1é", "é"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
