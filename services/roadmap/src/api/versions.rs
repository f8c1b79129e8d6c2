//! What a resource was, change by change, the last first: read from the log.

use waymark_domain::Name;
use waymark_request::PageToken;
use waymark_request::page::{self, PageError};
use waymark_store::{Error, LogRow, Table};

use super::Api;

/// Which versions are asked for.
pub(super) struct Asked<'a> {
    /// What tells the question from others, for tokens.
    pub(super) parts: &'a [&'a str],
    pub(super) page_size: i32,
    pub(super) page_token: &'a str,
}

impl Api {
    /// A page of what events of a resource say, without those that say the same as the one before them, and the token of
    /// the next page. NOT_FOUND when there is no such resource.
    pub(super) async fn versions<T: Table, V>(
        &self,
        name: &Name<T::Resource>,
        Asked { parts, page_size, page_token }: Asked<'_>,
        told: impl Fn(&LogRow) -> Result<V, Error>,
        says_the_same: impl Fn(&V, &V) -> bool,
    ) -> Result<(Vec<V>, String), Error> {
        let size = page::size(page_size)?;
        let before = PageToken::decode(page_token, parts, 2)?.as_ref().map(place).transpose()?;
        // That it exists, as what has no event may be no resource or one whose log is trimmed.
        self.store.get::<T>(&name.to_string()).await?;
        // With the one before them, which tells what the last of them changed.
        let (rows, more) = self.store.events_of::<T>(name, before, size + 1).await?;
        let shown = if more || rows.len() > size { rows.len() - 1 } else { rows.len() };
        let token = |last: &LogRow| {
            let key = [last.revision, last.ordinal.into()].map(|number| Some(number.to_string()));
            PageToken::after(parts, key.into()).encode()
        };
        let next = rows.get(shown.wrapping_sub(1)).filter(|_| shown < rows.len()).map(token);
        let told: Vec<V> = rows.iter().map(told).collect::<Result<_, _>>()?;
        let is_change: Vec<bool> = (0..shown)
            .map(|index| told.get(index + 1).is_none_or(|older| !says_the_same(older, &told[index])))
            .collect();
        let versions = told.into_iter().zip(is_change).filter(|(_, is_change)| *is_change).map(|(version, _)| version);
        Ok((versions.collect(), next.unwrap_or_default()))
    }
}

/// The event that a page begins before.
fn place(token: &PageToken) -> Result<(i64, i32), PageError> {
    match token.key.as_slice() {
        [Some(revision), Some(ordinal)] => {
            let (revision, ordinal) = (revision.parse().ok(), ordinal.parse().ok());
            revision.zip(ordinal).ok_or(PageError::Damaged)
        }
        _ => Err(PageError::Damaged),
    }
}
