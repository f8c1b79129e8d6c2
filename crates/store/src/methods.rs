//! The standard methods that the contract has for a table, each from the bytes of a request to those of its answer. How
//! the bytes come and go is not this crate's affair.

use std::marker::PhantomData;

use prost::Message;
use prost::bytes::Bytes;
use waymark_domain::Violations;
use waymark_proto::standard::{
    Answer, Batch, Create, List, Named, Names, Order, Page, Question, Rows, Rpc, Update, Visitor,
};
use waymark_proto::{ResourceMessage, Sight, check};
use waymark_request::{Call, Origin, Readable, Written, page};

use crate::rules::BoxFuture;
use crate::{Error, ListQuery, Ruled, Store, Table, Write};

/// Pages that are looked at for one, where not everything may be read.
const PAGES: usize = 50;
/// Resources after which such a page ends, be it empty: each is decided on.
const PASSED_OVER: usize = 1_000;

/// A standard method of a resource.
pub struct StandardMethod {
    /// Its name.
    pub rpc: Rpc,
    /// Bytes of its request at most, where they are more than usual.
    pub request_bytes: Option<usize>,
    serve: fn(Store, Asked) -> Served,
}

/// A request as it came.
pub struct Asked {
    /// From whom.
    pub origin: Origin,
    /// Its message, encoded.
    pub message: Bytes,
}

type Served = BoxFuture<'static, Result<Written<Vec<u8>>, Error>>;

impl StandardMethod {
    /// Answers a request; what reads makes no revision.
    pub fn serve(&self, store: &Store, asked: Asked) -> Served {
        (self.serve)(store.clone(), asked)
    }
}

/// The standard methods of a table.
pub(crate) fn methods<T: Ruled>() -> Vec<StandardMethod> {
    let mut methods = Methods::<T> { found: Vec::new(), table: PhantomData };
    T::Message::methods(&mut methods);
    methods.found
}

struct Methods<T> {
    found: Vec<StandardMethod>,
    table: PhantomData<T>,
}

impl<T: Ruled> Methods<T> {
    fn add(&mut self, rpc: Rpc, serve: fn(Store, Asked) -> Served) {
        self.found.push(StandardMethod { rpc, request_bytes: T::REQUEST_BYTES, serve });
    }
}

impl<T: Ruled> Visitor<T::Message> for Methods<T> {
    fn get<Q: Question + Into<Named>>(&mut self, rpc: Rpc) {
        self.add(rpc, |store, asked| {
            Box::pin(async move {
                let sight = asked.origin.sight.clone();
                let mut found = store.get::<T>(&asked.read::<Q, Named>()?.name).await?;
                must_be_shown(sight.as_deref(), &found)?;
                (T::RULES.shown)(&mut found, store.now());
                Ok(read(&found))
            })
        });
    }

    fn list<Q: Question + Into<List>, A: Answer + From<Page<T::Message>>>(&mut self, rpc: Rpc) {
        self.add(rpc, |store, asked| {
            Box::pin(async move {
                let (sight, readable) = (asked.origin.sight.clone(), asked.origin.readable.clone());
                let List { parent, page_size, page_token, filter, order_by, show_deleted } =
                    &asked.read::<Q, List>()?;
                let (page_size, show_deleted) = (*page_size, *show_deleted);
                let sight = sight.as_deref();
                let query = ListQuery { parent, page_size, page_token, filter, order_by, show_deleted, sight };
                let mut page = match &readable {
                    Some(readable) => readable_of::<T>(&store, query, readable).await?,
                    None => store.list::<T>(query).await?,
                };
                for item in &mut page.items {
                    (T::RULES.shown)(item, store.now());
                    (T::RULES.listed)(item);
                }
                Ok(read(&A::from(page)))
            })
        });
    }

    fn batch_get<Q: Question + Into<Names>, A: Answer + From<Vec<T::Message>>>(&mut self, rpc: Rpc) {
        self.add(rpc, |store, asked| {
            Box::pin(async move {
                let sight = asked.origin.sight.clone();
                let Names { parent, names } = asked.read::<Q, Names>()?;
                let mut found = store.batch_get::<T>(&parent, &names, sight.as_deref()).await?;
                for item in &mut found {
                    (T::RULES.shown)(item, store.now());
                }
                Ok(read(&A::from(found)))
            })
        });
    }

    fn create<Q: Order + Into<Create<T::Message>>>(&mut self, rpc: Rpc) {
        self.add(rpc, |store, asked| {
            Box::pin(async move {
                let (call, create) = asked.open::<Q, Create<_>>()?;
                Ok(written(&store.create::<T>(&call, create).await?))
            })
        });
    }

    fn batch_create<Q, A>(&mut self, rpc: Rpc)
    where
        Q: Order + Into<Rows<Create<T::Message>>>,
        A: Answer + From<Batch<T::Message>>,
    {
        self.add(rpc, |store, asked| {
            Box::pin(async move {
                let (call, rows) = asked.open::<Q, Rows<_>>()?;
                Ok(written(&store.batch_create_by_rule::<T, A>(&call, rows).await?))
            })
        });
    }

    fn update<Q: Order + Into<Update<T::Message>>>(&mut self, rpc: Rpc) {
        self.add(rpc, |store, asked| {
            Box::pin(async move {
                let (call, Update { resource, update_mask }) = asked.open::<Q, Update<_>>()?;
                Ok(written(&store.update_by_rule::<T>(&call, resource, update_mask).await?))
            })
        });
    }

    fn batch_update<Q, A>(&mut self, rpc: Rpc)
    where
        Q: Order + Into<Rows<Update<T::Message>>>,
        A: Answer + From<Batch<T::Message>>,
    {
        self.add(rpc, |store, asked| {
            Box::pin(async move {
                let (call, rows) = asked.open::<Q, Rows<_>>()?;
                Ok(written(&store.batch_update::<T, A>(&call, rows).await?))
            })
        });
    }

    fn delete<Q: Order + Into<Named>>(&mut self, rpc: Rpc) {
        self.add(rpc, |store, asked| {
            Box::pin(async move {
                let (call, Named { name, etag }) = asked.open::<Q, Named>()?;
                let delete = async |write: &mut Write, old| T::RULES.delete.decide(write, old).await;
                Ok(written(&store.delete::<T, _>(&call, &name, &etag, delete).await?))
            })
        });
    }

    fn batch_delete<Q, A>(&mut self, rpc: Rpc)
    where
        Q: Order + Into<Rows<Named>>,
        A: Answer + From<Batch<T::Message>>,
    {
        self.add(rpc, |store, asked| {
            Box::pin(async move {
                let (call, rows) = asked.open::<Q, Rows<_>>()?;
                Ok(written(&store.batch_delete::<T, A>(&call, rows).await?))
            })
        });
    }

    fn undelete<Q: Order + Into<Named>>(&mut self, rpc: Rpc) {
        self.add(rpc, |store, asked| {
            Box::pin(async move {
                let (call, Named { name, etag }) = asked.open::<Q, Named>()?;
                let back = async |write: &mut Write, old| T::RULES.undelete.decide(write, old).await;
                Ok(written(&store.undelete::<T, _>(&call, &name, &etag, back).await?))
            })
        });
    }
}

impl Asked {
    /// What a request that reads asks.
    fn read<Q: Question + Into<A>, A>(self) -> Result<A, Error> {
        let question = decode::<Q>(self.message)?;
        check(&question).into_result()?;
        Ok(question.into())
    }

    /// What a request that writes asks, and the call it makes.
    fn open<Q: Order + Into<A>, A>(self) -> Result<(Call, A), Error> {
        let order = decode::<Q>(self.message)?;
        let call = Call::open(self.origin, &order).map_err(Error::rule)?;
        Ok((call, order.into()))
    }
}

/// A page of the workspaces that the caller may read. Of those that it may not, a bounded number is passed over.
async fn readable_of<T: Table>(
    store: &Store,
    query: ListQuery<'_>,
    readable: &Readable,
) -> Result<Page<T::Message>, Error> {
    let (wanted, mut token) = (page::size(query.page_size)?, query.page_token.to_owned());
    let (mut items, mut looked) = (Vec::new(), 0);
    for _ in 0..PAGES {
        // No more than is lacking, as the token is of the last that was looked at.
        let page_size = i32::try_from(wanted - items.len()).unwrap_or(i32::MAX);
        let page = store.list::<T>(ListQuery { page_size, page_token: &token, ..query }).await?;
        looked += page.items.len();
        items.extend(page.items.into_iter().filter(|item| readable.has(&item.standard().name)));
        token = page.next_page_token;
        if items.len() == wanted || token.is_empty() || looked >= PASSED_OVER {
            break;
        }
    }
    Ok(Page { items, next_page_token: token })
}

/// Refuses what an audience is not shown as if there was none.
pub(crate) fn must_be_shown<M: ResourceMessage>(sight: Option<&Sight>, found: &M) -> Result<(), Error> {
    match sight {
        Some(sight) if sight.of(found).is_none() => Err(Error::NotFound(found.standard().name)),
        _ => Ok(()),
    }
}

fn decode<Q: Question>(message: Bytes) -> Result<Q, Error> {
    let malformed = |e| Violations::one("message", format!("is not a valid message of this method: {e}"));
    Ok(Q::decode(message).map_err(malformed)?)
}

fn read(message: &impl Message) -> Written<Vec<u8>> {
    Written::unchanged(message.encode_to_vec(), None)
}

fn written<M: Message>(written: &Written<M>) -> Written<Vec<u8>> {
    let Written { message, revision, changed, unverified } = written;
    Written { message: message.encode_to_vec(), revision: *revision, changed: *changed, unverified: unverified.clone() }
}
