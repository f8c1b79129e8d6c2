//! Resources that were found and are read meanwhile, off the threads that serve.

use tokio::task::{JoinHandle, spawn_blocking};
use waymark_proto::ResourceMessage;

use crate::Error;

/// Resources that were found: their names, and what is read of them meanwhile, so that what goes by names alone need not wait.
pub struct Found<M> {
    /// In the order in which they are read.
    pub names: Vec<String>,
    pub(crate) parts: Vec<Coming<M>>,
}

impl<M> Default for Found<M> {
    fn default() -> Self {
        Self { names: Vec::new(), parts: Vec::new() }
    }
}

impl<M: ResourceMessage> Found<M> {
    /// What was read at once.
    pub(crate) fn read(messages: Vec<M>) -> Self {
        let names = messages.iter().map(|message| message.standard().name).collect();
        Self { names, parts: vec![Coming(Reading::Done(Ok(messages)))] }
    }

    /// All of them, once they are read.
    pub async fn all(self) -> Result<Vec<M>, Error> {
        let mut all = Vec::with_capacity(self.names.len());
        for part in self.parts {
            all.extend(part.all().await?);
        }
        Ok(all)
    }
}

/// What is read meanwhile.
pub struct Coming<V>(Reading<V>);

enum Reading<V> {
    /// It was so little that it was read at once.
    Done(Result<Vec<V>, Error>),
    /// It is read on another thread.
    Elsewhere(JoinHandle<Result<Vec<V>, Error>>),
}

impl<V: Send + 'static> Coming<V> {
    pub(crate) fn of(few: bool, work: impl FnOnce() -> Result<Vec<V>, Error> + Send + 'static) -> Self {
        Self(if few { Reading::Done(work()) } else { Reading::Elsewhere(spawn_blocking(work)) })
    }

    /// All of it, once it is read.
    pub async fn all(self) -> Result<Vec<V>, Error> {
        match self.0 {
            Reading::Done(read) => read,
            Reading::Elsewhere(reading) => reading.await.map_err(Error::bug)?,
        }
    }
}
