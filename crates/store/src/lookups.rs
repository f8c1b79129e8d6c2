//! Rows that are looked up by their ids, as Get does. A statement costs a driver and a database many times what a row costs them,
//! so those that ask while enough statements for the same table and workspace are under way wait for one of these to end, and are
//! then answered by one statement together. Who asks where few do waits for nobody.

use std::collections::BTreeMap;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// Statements for one table and workspace that are under way at once: while the answers of one are worked on, the database works
/// on the other.
const UNDER_WAY: usize = 2;
/// Rows that one statement looks up at most.
const TOGETHER: usize = 100;

/// A table and a workspace.
pub(crate) type Place = (&'static str, String);
/// What was found, by id.
pub(crate) type Found = BTreeMap<String, Arc<str>>;

/// Those that ask, by where.
#[derive(Clone, Default)]
pub(crate) struct Lookups(Arc<Mutex<BTreeMap<Place, Queue>>>);

/// Those that ask at one place.
#[derive(Default)]
struct Queue {
    under_way: usize,
    waiting: Vec<Asked>,
}

/// Somebody who waits for a row.
struct Asked {
    id: String,
    told: oneshot::Sender<Told>,
}

enum Told {
    /// What was found.
    Row(Option<Arc<str>>),
    /// That it is up to who is told to look, for others, too.
    Turn(Turn),
}

/// The right to send a statement, which goes to those that wait when it is dropped, whatever became of the statement.
struct Turn {
    lookups: Lookups,
    place: Place,
    /// The others that are to be answered.
    others: Vec<Asked>,
}

impl Lookups {
    /// The row with an id. `look` is called once, for this id and maybe others.
    pub(crate) async fn find<E, F>(
        &self,
        place: Place,
        id: &str,
        look: impl FnOnce(Vec<String>) -> F,
    ) -> Result<Option<Arc<str>>, E>
    where
        F: Future<Output = Result<Found, E>>,
    {
        let turn = match self.join(place, id) {
            Joined::Turn(turn) => Some(turn),
            Joined::Waits(told) => match told.await {
                Ok(Told::Row(row)) => return Ok(row),
                Ok(Told::Turn(turn)) => Some(turn),
                // Who was to tell has failed or does not wait any more. It may be due to what it asked for, so each asks alone.
                Err(_) => None,
            },
        };
        let Some(mut turn) = turn else { return Ok(look(vec![id.to_owned()]).await?.remove(id)) };
        let ids = std::iter::once(id.to_owned()).chain(turn.others.iter().map(|asked| asked.id.clone())).collect();
        let found = look(ids).await?;
        let others = mem::take(&mut turn.others);
        drop(turn);
        for Asked { id, told } in others {
            // It may not wait any more.
            drop(told.send(Told::Row(found.get(&id).cloned())));
        }
        Ok(found.get(id).cloned())
    }

    fn join(&self, place: Place, id: &str) -> Joined {
        let mut queues = self.lock();
        let queue = queues.entry(place.clone()).or_default();
        if queue.under_way < UNDER_WAY {
            queue.under_way += 1;
            return Joined::Turn(Turn { lookups: self.clone(), place, others: Vec::new() });
        }
        let (told, telling) = oneshot::channel();
        queue.waiting.push(Asked { id: id.to_owned(), told });
        Joined::Waits(telling)
    }

    /// Those that are next; when nobody waits a statement less is under way.
    fn next(&self, place: &Place) -> Option<Vec<Asked>> {
        let mut queues = self.lock();
        let queue = queues.get_mut(place)?;
        if queue.waiting.is_empty() {
            queue.under_way -= 1;
            if queue.under_way == 0 {
                queues.remove(place);
            }
            return None;
        }
        let later = queue.waiting.split_off(TOGETHER.min(queue.waiting.len()));
        Some(mem::replace(&mut queue.waiting, later))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Place, Queue>> {
        // Nothing panics while it is locked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Joined {
    Turn(Turn),
    Waits(oneshot::Receiver<Told>),
}

impl Drop for Turn {
    fn drop(&mut self) {
        let Some(mut next) = self.lookups.next(&self.place) else { return };
        let Some(Asked { told, .. }) = next.pop() else { return };
        let turn = Self { lookups: self.lookups.clone(), place: self.place.clone(), others: next };
        // One that does not wait any more gives it on as it is dropped, and those that it was to answer ask alone.
        drop(told.send(Told::Turn(turn)));
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::future::join_all;
    use tokio::sync::Semaphore;

    use super::*;

    fn place() -> Place {
        ("table", "acme".to_owned())
    }

    /// Rows that are their ids, but for `none`.
    fn rows(ids: Vec<String>) -> Found {
        ids.into_iter().filter(|id| id != "none").map(|id| (id.clone(), Arc::from(id))).collect()
    }

    #[tokio::test]
    async fn those_that_ask_meanwhile_are_answered_by_one_statement() {
        let (lookups, statements, gate) = (Lookups::default(), AtomicUsize::new(0), Semaphore::new(0));
        let ask = async |id: String| {
            let look = async |ids: Vec<String>| {
                statements.fetch_add(1, Ordering::Relaxed);
                gate.acquire().await.unwrap().forget();
                Ok::<_, ()>(rows(ids))
            };
            lookups.find(place(), &id, look).await.unwrap()
        };
        let ids = || (0..50).map(|number| if number == 49 { "none".to_owned() } else { format!("i{}", number % 40) });
        let all = join_all(ids().map(ask));
        let open = async {
            tokio::task::yield_now().await;
            assert_eq!(statements.load(Ordering::Relaxed), UNDER_WAY);
            gate.add_permits(UNDER_WAY + 1);
        };
        let (found, ()) = tokio::join!(all, open);
        let expected: Vec<_> = ids().map(|id| (id != "none").then(|| Arc::from(id))).collect();
        assert_eq!(found, expected, "each its own, and the same one more than once");
        assert_eq!(statements.load(Ordering::Relaxed), UNDER_WAY + 1);
        assert!(lookups.lock().is_empty(), "nothing is kept of what is over");
    }

    #[tokio::test]
    async fn no_statement_looks_for_more_than_its_share() {
        let (lookups, most) = (Lookups::default(), AtomicUsize::new(0));
        let ask = async |number: usize| {
            let look = async |ids: Vec<String>| {
                most.fetch_max(ids.len(), Ordering::Relaxed);
                tokio::task::yield_now().await;
                Ok::<_, ()>(rows(ids))
            };
            lookups.find(place(), &format!("i{number}"), look).await.unwrap()
        };
        let found = join_all((0..1_000).map(ask)).await;
        assert!(found.iter().all(Option::is_some));
        assert_eq!(most.load(Ordering::Relaxed), TOGETHER);
    }

    #[tokio::test]
    async fn who_fails_or_leaves_takes_nobody_along() {
        let lookups = Lookups::default();
        let good = async |id: &str| lookups.find(place(), id, async |ids| Ok::<_, ()>(rows(ids))).await;
        let hangs = || lookups.find(place(), "a", async |_| pending::<Result<Found, ()>>().await);
        let mut under_way: Vec<_> = (0..UNDER_WAY).map(|_| Box::pin(hangs())).collect();
        for first in &mut under_way {
            assert!(futures::poll!(first).is_pending());
        }
        // The last that asks gets the turn. It is told so, but leaves; so does one that would have been answered.
        let mut waits = Box::pin(good("b"));
        let mut leaves = Box::pin(good("c"));
        let mut told = Box::pin(good("d"));
        assert!(futures::poll!(&mut waits).is_pending());
        assert!(futures::poll!(&mut leaves).is_pending());
        assert!(futures::poll!(&mut told).is_pending());
        drop(leaves);
        drop(under_way.pop());
        drop(told);
        assert_eq!(waits.await, Ok(Some(Arc::from("b"))), "alone");
        drop(under_way);
        assert!(lookups.lock().is_empty());

        let fails = async || {
            lookups
                .find(place(), "a", async |_| {
                    tokio::task::yield_now().await;
                    Err::<Found, _>("broken")
                })
                .await
        };
        let works = async |id: &str| lookups.find(place(), id, async |ids| Ok::<_, &str>(rows(ids))).await;
        // The last one gets the turn: one that works answers what would have failed, one that fails leaves others to themselves.
        let (.., answered, found) = tokio::join!(fails(), fails(), fails(), works("e"));
        assert_eq!((answered, found), (Ok(Some(Arc::from("a"))), Ok(Some(Arc::from("e")))));
        let (.., alone, failed) = tokio::join!(fails(), fails(), works("f"), fails());
        assert_eq!((alone, failed), (Ok(Some(Arc::from("f"))), Err("broken")));
        assert!(lookups.lock().is_empty());
    }
}
