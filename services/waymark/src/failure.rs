//! How failures are shown, and the exit status that tells scripts of which kind they are.

use std::process::ExitCode;

use tonic::Code;
use waymark_client::Error;

/// The exit statuses, for `--help`.
pub const EXIT_STATUSES: &str = "Exit status:
  0  done
  1  failed for another reason
  2  wrong usage, or the service found the request invalid
  3  not found
  4  refused: the state or a rule does not allow it, the etag is stale, or the id is taken
  5  not allowed to the caller
  6  the service does not answer, is overloaded, or was too slow
  7  done in part: some rows were rejected and reported";

/// The command line was wrong in a way that only shows when it is carried out.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

/// Shows an error on standard error and says how to exit.
pub fn report(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {error:#}");
    ExitCode::from(status(error))
}

fn status(error: &anyhow::Error) -> u8 {
    for cause in error.chain() {
        if cause.is::<Usage>() || cause.is::<waymark_client::AddressError>() {
            return 2;
        }
        if let Some(error) = cause.downcast_ref::<Error>() {
            return match error.code() {
                Code::InvalidArgument | Code::OutOfRange => 2,
                Code::NotFound => 3,
                Code::FailedPrecondition | Code::Aborted | Code::AlreadyExists => 4,
                Code::PermissionDenied | Code::Unauthenticated => 5,
                Code::Unavailable | Code::DeadlineExceeded | Code::ResourceExhausted => 6,
                Code::Ok | Code::Cancelled | Code::Unknown | Code::Internal | Code::Unimplemented | Code::DataLoss => 1,
            };
        }
    }
    1
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic::Status;

    #[test]
    fn statuses_tell_the_kind() {
        let of = |code| status(&anyhow::Error::new(Error::from(Status::new(code, ""))).context("while doing"));
        assert_eq!(of(Code::InvalidArgument), 2);
        assert_eq!(of(Code::NotFound), 3);
        assert_eq!(of(Code::Aborted), 4);
        assert_eq!(of(Code::PermissionDenied), 5);
        assert_eq!(of(Code::Unavailable), 6);
        assert_eq!(of(Code::Internal), 1);
        assert_eq!(status(&Usage("no workspace".into()).into()), 2);
        assert_eq!(status(&anyhow::anyhow!("disk")), 1);
    }
}
