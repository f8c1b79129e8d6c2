//! What is particular about the standard methods of a resource. A table that says nothing keeps what it is given and
//! announces that it was `Created`, `Updated`, `Deleted` or `Undeleted`.

use std::pin::Pin;

use chrono::{DateTime, Utc};
use waymark_domain::{Change, Resource};

use crate::{Error, Own, Table, Write};

/// A table whose resource has standard methods, hence of the service's own.
pub trait Ruled: Table + Sized {
    /// What is particular about them.
    const RULES: Rules<Self> = Rules::PLAIN;
    /// Bytes of a request at most, where they are more than usual.
    const REQUEST_BYTES: Option<usize> = None;
}

impl<T: Ruled> Own for T {}

/// What is waited for.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The rules of a table.
pub struct Rules<T: Table> {
    /// Decides on a resource that is new.
    pub create: Rule<T::Resource, T::Resource>,
    /// Decides on a resource, as it was and as it is to be.
    pub update: Rule<(T::Resource, T::Resource), T::Resource>,
    /// Decides on a resource that is deleted.
    pub delete: Rule<T::Resource, T::Resource>,
    /// Decides on a resource that is no longer deleted.
    pub undelete: Rule<T::Resource, T::Resource>,
    /// What is written besides, on account of all that the standard method did.
    pub after: Option<After<T::Resource>>,
    /// Completes what is shown with what depends on the time.
    pub shown: fn(&mut T::Message, DateTime<Utc>),
    /// Leaves out of a list what is too long for it.
    pub listed: fn(&mut T::Message),
}

/// A decision of a standard method.
pub enum Rule<In, R: Resource> {
    /// On nothing but the resource. Creating locks nothing then, unless something is to be written besides.
    Alone(fn(In) -> Result<Change<R>, Error>),
    /// With what is read in the write.
    Reading(for<'a> fn(&'a mut Write, In) -> Decision<'a, R>),
}

/// A decision that is being made.
pub type Decision<'a, R> = BoxFuture<'a, Result<Change<R>, Error>>;

/// What is done after a standard method: in its write, with the steps it took, of which a batch has many.
pub type After<R> = for<'a> fn(&'a mut Write, &'a [Step<R>]) -> BoxFuture<'a, Result<(), Error>>;

/// What a standard method did to a resource, which is given as it was decided.
#[derive(Debug, Clone, PartialEq)]
pub enum Step<R> {
    /// It is new.
    Created(R),
    /// It has changed.
    Updated {
        /// As it was.
        old: R,
        /// As it is.
        new: R,
    },
    /// It is deleted.
    Deleted(R),
    /// It is no longer deleted.
    Undeleted(R),
}

impl<T: Table> Rules<T> {
    /// Keeps what it is given.
    pub const PLAIN: Self = Self {
        create: Rule::Alone(|new| announced(new, "Created")),
        update: Rule::Alone(|(_, new)| announced(new, "Updated")),
        delete: Rule::Alone(|old| announced(old, "Deleted")),
        undelete: Rule::Alone(|back| announced(back, "Undeleted")),
        after: None,
        shown: |_, _| {},
        listed: |_| {},
    };
}

impl<In, R: Resource> Rule<In, R> {
    pub(crate) async fn decide(&self, write: &mut Write, input: In) -> Result<Change<R>, Error> {
        match self {
            Self::Alone(decide) => decide(input),
            Self::Reading(decide) => decide(write, input).await,
        }
    }
}

impl<R: Resource> Step<R> {
    /// The step as a hook needs it; none where the table has none.
    pub(crate) fn noted<T: Ruled<Resource = R>>(&self) -> Option<Self> {
        T::RULES.after.is_some().then(|| self.clone())
    }

    /// The step once it is decided, to this state.
    pub(crate) fn decided(self, state: &R) -> Self {
        let state = state.clone();
        match self {
            Self::Created(_) => Self::Created(state),
            Self::Updated { old, .. } => Self::Updated { old, new: state },
            Self::Deleted(_) => Self::Deleted(state),
            Self::Undeleted(_) => Self::Undeleted(state),
        }
    }

    /// The resource as it is.
    pub fn state(&self) -> &R {
        match self {
            Self::Created(state) | Self::Updated { new: state, .. } | Self::Deleted(state) | Self::Undeleted(state) => {
                state
            }
        }
    }

    pub(crate) fn into_state(self) -> R {
        match self {
            Self::Created(state) | Self::Updated { new: state, .. } | Self::Deleted(state) | Self::Undeleted(state) => {
                state
            }
        }
    }

    /// Decides by the rules of its table.
    pub(crate) async fn decide<T: Ruled<Resource = R>>(self, write: &mut Write) -> Result<Change<R>, Error> {
        match self {
            Self::Created(new) => T::RULES.create.decide(write, new).await,
            Self::Updated { old, new } => T::RULES.update.decide(write, (old, new)).await,
            Self::Deleted(old) => T::RULES.delete.decide(write, old).await,
            Self::Undeleted(back) => T::RULES.undelete.decide(write, back).await,
        }
    }
}

impl Write {
    /// Writes what follows from steps that were taken.
    pub(crate) async fn follow<T: Ruled>(&mut self, taken: &[Step<T::Resource>]) -> Result<(), Error> {
        match T::RULES.after {
            Some(after) if !taken.is_empty() => after(self, taken).await,
            _ => Ok(()),
        }
    }
}

fn announced<R: Resource>(resource: R, verb: &str) -> Result<Change<R>, Error> {
    let event = verb.parse().map_err(|_| Error::bug(format!("a {} has no event {verb}", R::KIND)))?;
    Ok(Change::new(resource, event))
}
