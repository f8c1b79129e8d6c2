//! Entries on their way: counted, written, lost, within bounds.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use std::time::Duration;

use futures::future::BoxFuture;

use super::*;
use crate::host::Host;

/// A sink that can be full.
#[derive(Debug, Default)]
struct Disk {
    full: AtomicBool,
    asked: AtomicUsize,
    kept: Mutex<Vec<AuditEntry>>,
}

impl Disk {
    fn kept(&self) -> Vec<AuditEntry> {
        self.kept.lock().unwrap().clone()
    }
}

impl Sink for Disk {
    fn keep<'a>(&'a self, entries: &'a [AuditEntry]) -> BoxFuture<'a, anyhow::Result<()>> {
        Box::pin(async move {
            self.asked.fetch_add(1, Ordering::Relaxed);
            anyhow::ensure!(!self.full.load(Ordering::Relaxed), "no space is left");
            self.kept.lock().unwrap().extend_from_slice(entries);
            Ok(())
        })
    }
}

fn host() -> Host {
    Host::local(Clock::system(), Ids::seeded(7)).unwrap()
}

/// One without tasks, and the entries that a sink would get.
fn silent(host: &Host, service: &'static str) -> (Audit, mpsc::Receiver<AuditEntry>) {
    Audit::new(host.clock.clone(), host.ids.clone(), service, Counts::new(&host.telemetry.meter(), service))
}

fn refusal(principal: &str, action: &str) -> AuditEntry {
    let mut entry = occurrence(DateTime::UNIX_EPOCH, action, AuditDecision::Refused, "PERMISSION_DENIED".to_owned());
    entry.principal = principal.to_owned();
    entry
}

fn counted(host: &Host, outcome: &str) -> u64 {
    let text = host.telemetry.prometheus().unwrap();
    let line = text.lines().find(|line| line.starts_with("waymark_audit_entries") && line.contains(outcome)).unwrap();
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

async fn until(mut holds: impl FnMut() -> bool) {
    let waited = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waited).await.expect("it comes");
}

#[tokio::test]
async fn a_flood_of_one_refusal_is_one_entry_and_others_are_others() {
    let (host, disk) = (host(), Arc::new(Disk::default()));
    let audit = Audit::start(&host, "test", Arc::clone(&disk) as Arc<dyn Sink>);
    let (here, there) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
    for _ in 0..10_000 {
        audit.refuse(refusal("users/a", "S/Get"), Some(here));
    }
    audit.refuse(refusal("users/a", "S/Get"), Some(there));
    audit.refuse(refusal("users/b", "S/Get"), Some(here));
    audit.refuse(refusal("users/a", "S/List"), Some(here));
    assert_eq!(disk.kept().len(), 0, "the time in which they are counted is not over");
    until(|| disk.kept().len() == 4).await;
    assert_eq!(disk.kept().iter().map(|entry| entry.count).collect::<Vec<_>>(), [10_000, 1, 1, 1]);
    audit.refuse(refusal("users/a", "S/Get"), Some(here));
    host.stop(Vec::new()).await;
    assert_eq!(disk.kept().len(), 5, "the next is told anew, and none is forgotten at the end");
    let ids: std::collections::BTreeSet<_> = disk.kept().into_iter().map(|entry| entry.id).collect();
    assert_eq!(ids.len(), 5);
}

#[tokio::test]
async fn a_full_disk_holds_up_nobody_and_what_finds_no_room_is_counted() {
    let (host, disk) = (host(), Arc::new(Disk::default()));
    let audit = Audit::start(&host, "test", Arc::clone(&disk) as Arc<dyn Sink>);
    audit.happened("first", AuditDecision::Done, "");
    until(|| disk.kept().len() == 1).await;
    disk.full.store(true, Ordering::Relaxed);
    let before = Instant::now();
    for _ in 0..2 * WAITING {
        audit.happened("more", AuditDecision::Done, "");
    }
    assert!(before.elapsed() < Duration::from_secs(5), "it waited");
    until(|| disk.asked.load(Ordering::Relaxed) > 2).await;
    let lost = counted(&host, "lost");
    assert!(lost >= (WAITING - 256) as u64 && lost <= WAITING as u64, "{lost}");
    assert_eq!(disk.kept().len(), 1);
    disk.full.store(false, Ordering::Relaxed);
    let all = 1 + 2 * WAITING as u64 - lost;
    until(|| counted(&host, "written") == all).await;
    assert_eq!(disk.kept().len() as u64, all, "what waited is written once there is room again");
    disk.full.store(true, Ordering::Relaxed);
    for _ in 0..1_000 {
        audit.happened("last", AuditDecision::Done, "");
    }
    host.stop(Vec::new()).await;
    assert_eq!(counted(&host, "lost"), lost + 1_000, "a process that ends counts what it could not write");
}

#[test]
fn different_refusals_take_no_more_memory_than_there_is_for_them() {
    let (audit, mut entries) = silent(&host(), "test");
    let all = repeats::MOST + WAITING + 500;
    for i in 0..all {
        audit.refuse(refusal(&format!("users/{i}"), "S/Get"), None);
    }
    assert_eq!(audit.repeats().len(), repeats::MOST);
    audit.close(Some(Instant::now()));
    assert_eq!(audit.repeats().len(), 0);
    let mut came = Vec::new();
    while let Ok(entry) = entries.try_recv() {
        came.push(entry);
    }
    assert_eq!(came.len(), WAITING);
    assert_eq!((came[0].principal.as_str(), came[1].principal.as_str()), ("users/0", "users/1"), "the oldest first");
}

#[test]
fn what_the_process_does_is_told_to_each_of_its_services() {
    let host = host();
    let (one, mut of_one) = silent(&host, "one");
    let (other, mut of_other) = silent(&host, "other");
    host.audits.join(&one);
    host.audits.join(&other);
    host.audits.read(&Reload { of: Reloaded::Keys, what: "corp".to_owned(), done: false });
    let (one, other) = (of_one.try_recv().unwrap(), of_other.try_recv().unwrap());
    assert_eq!(
        (one.action.as_str(), one.reason.as_str(), one.decision()),
        ("keys.reload", "corp", AuditDecision::Failed)
    );
    assert_eq!((one.workspace.as_str(), one.count), ("workspaces/installation", 1));
    assert_ne!(one.id, other.id);
}
