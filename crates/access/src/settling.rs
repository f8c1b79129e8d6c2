//! Files that are compared by content, as they are looked at every now and then: what they say now counts once it has
//! stayed the same for a moment, since the first half of a file that somebody is writing may lack what restricts the
//! other.

use chrono::{DateTime, TimeDelta, Utc};

/// How long a new content must have been there to count.
const SETTLED: TimeDelta = TimeDelta::seconds(1);

/// A content that was looked at last, and one that may follow.
#[derive(Debug)]
pub(crate) struct Settling<C> {
    content: C,
    /// Another content, and when it was first seen.
    coming: Option<(C, DateTime<Utc>)>,
    /// Why it could not be read, so that this is told once.
    unreadable: Option<String>,
}

/// What a look found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Seen<'a, C> {
    /// Nothing that is to be told: the same, one that has not stayed for long enough, or none as before.
    Same,
    /// It cannot be read any more, or for another reason than before.
    Unreadable(String),
    /// Another content, which is told once whether or not it can be used.
    Changed(&'a C),
}

impl<C: PartialEq> Settling<C> {
    pub(crate) fn new(content: C) -> Self {
        Self { content, coming: None, unreadable: None }
    }

    /// Takes what was read at a look.
    pub(crate) fn look(&mut self, read: Result<C, String>, now: DateTime<Utc>) -> Seen<'_, C> {
        let content = match read {
            Ok(content) => content,
            Err(why) if self.unreadable.as_ref() == Some(&why) => return Seen::Same,
            Err(why) => {
                self.unreadable = Some(why.clone());
                return Seen::Unreadable(why);
            }
        };
        self.unreadable = None;
        if content == self.content {
            self.coming = None;
            return Seen::Same;
        }
        match self.coming.take().filter(|(coming, _)| *coming == content) {
            Some((content, seen)) if (now - seen).abs() >= SETTLED => {
                self.content = content;
                Seen::Changed(&self.content)
            }
            Some(waiting) => {
                self.coming = Some(waiting);
                Seen::Same
            }
            None => {
                self.coming = Some((content, now));
                Seen::Same
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_counts_once_it_has_stayed_and_each_reason_is_told_once() {
        let at = |seconds: i64| DateTime::from_timestamp(1_790_000_000 + seconds, 0).unwrap();
        let mut file = Settling::new("a");
        assert_eq!(file.look(Ok("a"), at(0)), Seen::Same);
        assert_eq!(file.look(Ok("b"), at(2)), Seen::Same, "it may be half of something");
        assert_eq!(file.look(Ok("bc"), at(4)), Seen::Same, "it was");
        assert_eq!(file.look(Ok("bc"), at(4)), Seen::Same, "a moment has not passed");
        assert_eq!(file.look(Ok("bc"), at(5)), Seen::Changed(&"bc"));
        assert_eq!(file.look(Ok("bc"), at(9)), Seen::Same);
        assert_eq!(file.look(Ok("d"), at(10)), Seen::Same);
        assert_eq!(file.look(Ok("bc"), at(11)), Seen::Same);
        assert_eq!(file.look(Ok("d"), at(12)), Seen::Same, "it was taken back meanwhile");
        assert_eq!(file.look(Err("gone".into()), at(13)), Seen::Unreadable("gone".into()));
        assert_eq!(file.look(Err("gone".into()), at(14)), Seen::Same);
        assert_eq!(file.look(Err("locked".into()), at(15)), Seen::Unreadable("locked".into()));
        assert_eq!(file.look(Ok("d"), at(16)), Seen::Changed(&"d"));
    }
}
