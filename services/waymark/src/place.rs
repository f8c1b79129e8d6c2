//! Where a command is given: the workspace that short names are of, and the time zone that dates are of.

use chrono_tz::Tz;

/// What names and times are completed by.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The workspace of names that state none; empty where none is named.
    pub workspace: &'a str,
    /// The time zone of times that state no offset from UTC.
    pub zone: Tz,
}
