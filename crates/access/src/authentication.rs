//! Authentication: who sends a token or shows a certificate. Answers from memory; files and keys are read by
//! [`Authentication::run`].

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::stream::{FuturesUnordered, StreamExt as _};
use tokio::sync::Notify;
use waymark_clock::Clock;

use crate::certificate::{Mapping, Name};
use crate::counters::{Counted, Counters};
use crate::fetch::{self, Fetcher};
use crate::identity::Identity;
use crate::issuer::Issuer;
use crate::keyring::{Keyring, Outcome};
use crate::refusal::{MOST_TOKEN_BYTES, Refusal};
use crate::reload::{Reload, Reloaded};
use crate::remembered::{Digest, Remembered, Verified};
use crate::role::{Role, Roles};
use crate::settings::{Settings, SettingsError};
use crate::settling::{Seen, Settling};
use crate::token::Token;

/// How often it is looked at whether something is to be read.
const LOOK: Duration = Duration::from_secs(2);

/// Who calls, according to an authentication file.
#[derive(Debug)]
pub struct Authentication {
    path: PathBuf,
    clock: Clock,
    believed: RwLock<Arc<Believed>>,
    /// Counts states of issuers and keys: what was verified under another is verified again.
    epoch: AtomicU64,
    remembered: Remembered,
    counters: Counters,
    file: Mutex<Settling<Vec<u8>>>,
    asked: Notify,
    ready: AtomicBool,
}

/// What a good authentication file says, with the keys it leads to.
#[derive(Debug)]
struct Believed {
    /// By URL.
    issuers: HashMap<String, Arc<Issuer>>,
    certificates: Vec<Mapping>,
    roles: Roles,
}

/// What is known of the keys of an issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeysKnown {
    /// The name of the issuer.
    pub issuer: String,
    /// The ids of its keys.
    pub ids: Vec<String>,
    /// When they were read last; never, where there are none.
    pub read: Option<DateTime<Utc>>,
}

impl Authentication {
    /// Reads the file at `path`. Keys are not read yet: [`Authentication::run`] does that.
    ///
    /// # Errors
    /// [`SettingsError`] where the file cannot be read, or says something that cannot be done.
    pub async fn open(path: &Path, clock: Clock) -> Result<Self, SettingsError> {
        let unreadable =
            |error: std::io::Error| SettingsError::Unreadable { path: path.to_owned(), why: error.to_string() };
        let content = fetch::read(path).await.map_err(unreadable)?;
        let believed = Believed::new(Settings::parse(path, &content)?, None);
        Ok(Self {
            path: path.to_owned(),
            clock,
            believed: RwLock::new(Arc::new(believed)),
            epoch: AtomicU64::new(0),
            remembered: Remembered::default(),
            counters: Counters::default(),
            file: Mutex::new(Settling::new(content)),
            asked: Notify::new(),
            ready: AtomicBool::new(false),
        })
    }

    /// Who sends a bearer token. Never waits: keys that are not known are asked for, and the token is refused.
    ///
    /// # Errors
    /// [`Refusal`], which may be told to the caller.
    pub fn authenticate(&self, token: &str, now: DateTime<Utc>) -> Result<Arc<Identity>, Refusal> {
        let result = self.find(token, now);
        if let Err(refusal) = &result {
            self.counters.refuse(*refusal);
        }
        result
    }

    /// Who sends a bearer token, if that is known from before: it costs a hash, whatever is sent.
    pub fn remembered(&self, token: &str, now: DateTime<Utc>) -> Option<Arc<Identity>> {
        let known = token.len() <= MOST_TOKEN_BYTES;
        known.then(|| self.get(Digest::of(token), self.epoch.load(Ordering::Acquire), now)).flatten()
    }

    fn get(&self, digest: Digest, epoch: u64, now: DateTime<Utc>) -> Option<Arc<Identity>> {
        self.remembered.get(digest, epoch, now).inspect(|_| self.counters.remembered.add())
    }

    fn find(&self, token: &str, now: DateTime<Utc>) -> Result<Arc<Identity>, Refusal> {
        if token.len() > MOST_TOKEN_BYTES {
            return Err(Refusal::TooLong);
        }
        let digest = Digest::of(token);
        // Read before what it counts: what changes meanwhile leaves behind an entry of an epoch that is over.
        let epoch = self.epoch.load(Ordering::Acquire);
        if let Some(identity) = self.get(digest, epoch, now) {
            return Ok(identity);
        }
        let token = Token::parse(token)?;
        let believed = self.believed();
        let issuer = believed.issuers.get(token.claims.text("iss")?).ok_or(Refusal::UnknownIssuer)?;
        let verified = issuer.verify(&token, now);
        if matches!(verified, Err(Refusal::UnknownKey)) && issuer.keyring.ask() {
            self.asked.notify_one();
        }
        let (identity, valid) = verified?;
        let identity = Arc::new(identity);
        self.remembered.keep(digest, Verified { identity: Arc::clone(&identity), valid, epoch });
        self.counters.verified.add();
        Ok(identity)
    }

    /// Who shows a client certificate with these names, if anybody that is known. The first mapping of the file that
    /// fits counts.
    pub fn certificate(&self, names: &[Name<'_>]) -> Option<Identity> {
        let principal = self.believed().certificates.iter().find_map(|mapping| mapping.of(names))?;
        Some(Identity { principal, issuer: None, groups: Vec::new(), token_id: None, expires: None })
    }

    /// The role that somebody has, alone or by a group; none who is not named.
    pub fn role(&self, identity: &Identity) -> Option<Role> {
        self.believed().roles.of(identity)
    }

    /// Whether the first keys of all issuers that are required have been read. Once it is so it stays so, as one that
    /// is away later takes nothing from anybody.
    pub fn ready(&self) -> bool {
        if self.ready.load(Ordering::Relaxed) {
            return true;
        }
        let believed = self.believed();
        let ready =
            believed.issuers.values().all(|issuer| !issuer.settings.required || issuer.keyring.read().is_some());
        if ready {
            self.ready.store(true, Ordering::Relaxed);
        }
        ready
    }

    /// What is known of the keys of each issuer, by name.
    pub fn keys(&self) -> Vec<KeysKnown> {
        let believed = self.believed();
        let mut known: Vec<KeysKnown> = believed.issuers.values().map(|issuer| issuer.keys_known()).collect();
        known.sort_by(|one, other| one.issuer.cmp(&other.issuer));
        known
    }

    /// What was counted since the start.
    pub fn counted(&self) -> Counted {
        self.counters.counted()
    }

    /// Reads files and keys when they are due, until `stop`. An issuer that does not answer keeps none of the others
    /// waiting. It tells of what is read.
    pub async fn run(&self, stop: impl Future<Output = ()>, tell: impl Fn(Reload)) {
        let mut stop = pin!(stop);
        let mut reading = FuturesUnordered::new();
        loop {
            if let Some(reload) = self.look().await {
                tell(reload);
            }
            for issuer in self.due() {
                reading.push(self.read_keys(issuer));
            }
            tokio::select! {
                () = &mut stop => return,
                () = tokio::time::sleep(LOOK) => {}
                () = self.asked.notified() => {}
                Some(read) = reading.next() => {
                    if let Some(reload) = read {
                        tell(reload);
                    }
                }
            }
        }
    }

    /// One round of [`Authentication::run`]: reads what is due now, and returns when all of it is read or known to be
    /// away.
    pub async fn refresh(&self) {
        self.look().await;
        let reading: FuturesUnordered<_> = self.due().into_iter().map(|issuer| self.read_keys(issuer)).collect();
        reading.collect::<Vec<_>>().await;
    }

    fn due(&self) -> Vec<Arc<Issuer>> {
        let now = self.clock.now();
        self.believed().issuers.values().filter(|issuer| issuer.keyring.begin(now)).cloned().collect()
    }

    async fn read_keys(&self, issuer: Arc<Issuer>) -> Option<Reload> {
        let result = issuer.fetcher.fetch(&issuer.keyring.source).await.map_err(|error| error.to_string());
        let (name, why) = (issuer.settings.name.as_str(), result.as_ref().err().cloned());
        self.counters.keys_read.add();
        match issuer.keyring.finish(result, self.clock.now()) {
            Outcome::Changed => {
                self.epoch.fetch_add(1, Ordering::AcqRel);
                tracing::info!(issuer = name, keys = ?issuer.keys_known().ids, "keys of an issuer changed");
                Some(Reloaded::Keys.done(name))
            }
            Outcome::Same => None,
            Outcome::StillAway => {
                self.counters.keys_failed.add();
                None
            }
            Outcome::Away => {
                self.counters.keys_failed.add();
                let kept = issuer.keyring.read().is_some();
                tracing::warn!(issuer = name, error = why, kept, "keys of an issuer could not be read");
                Some(Reloaded::Keys.failed(name))
            }
        }
    }

    /// Takes over what the authentication file says now, if that is something else and can be done.
    async fn look(&self) -> Option<Reload> {
        let read = fetch::read(&self.path).await.map_err(|error| error.to_string());
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.path.display();
        match file.look(read, self.clock.now()) {
            Seen::Same => None,
            Seen::Unreadable(error) => {
                self.counters.reloads_failed.add();
                tracing::error!(file = %path, error, "the authentication file cannot be read; the last good one counts");
                Some(Reloaded::Authentication.failed(&path))
            }
            Seen::Changed(content) => match Settings::parse(&self.path, content) {
                Ok(settings) => {
                    let believed = Arc::new(Believed::new(settings, Some(&self.believed())));
                    *self.believed.write().unwrap_or_else(PoisonError::into_inner) = believed;
                    self.epoch.fetch_add(1, Ordering::AcqRel);
                    self.counters.reloads.add();
                    tracing::info!(file = %path, "the authentication file was read again");
                    Some(Reloaded::Authentication.done(&path))
                }
                Err(error) => {
                    self.counters.reloads_failed.add();
                    tracing::error!(%error, "the authentication file is wrong; the last good one counts");
                    Some(Reloaded::Authentication.failed(&path))
                }
            },
        }
    }

    fn believed(&self) -> Arc<Believed> {
        Arc::clone(&self.believed.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Believed {
    /// Keys of `before` are kept where they come from the same place.
    fn new(settings: Settings, before: Option<&Self>) -> Self {
        let issuers = settings.issuers.into_iter().map(|settings| {
            let kept = before.and_then(|before| before.issuers.get(&settings.url));
            let kept = kept.filter(|kept| kept.keyring.source == settings.source);
            let (keyring, fetcher) = match kept {
                Some(kept) => (Arc::clone(&kept.keyring), Arc::clone(&kept.fetcher)),
                None => (Arc::new(Keyring::new(settings.source.clone())), Arc::new(Fetcher::default())),
            };
            (settings.url.clone(), Arc::new(Issuer::new(settings, keyring, fetcher)))
        });
        Self { issuers: issuers.collect(), certificates: settings.certificates, roles: settings.roles }
    }
}

impl Issuer {
    fn keys_known(&self) -> KeysKnown {
        let ids =
            self.keyring.keys().map(|keys| keys.ids().into_iter().map(str::to_owned).collect()).unwrap_or_default();
        KeysKnown { issuer: self.settings.name.clone(), ids, read: self.keyring.read() }
    }
}
