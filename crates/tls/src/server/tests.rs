//! Files as they come about on disk: whole, torn, of another pair, too old, too early, and back again.

use std::path::Path;

use tempfile::TempDir;

use super::*;
use crate::testing::Authority;

const NOW: DateTime<Utc> = match DateTime::from_timestamp(1_800_000_000, 0) {
    Some(now) => now,
    None => panic!("a constant in range"),
};

/// A certificate and its key, valid for a day around `at`.
fn pair(at: DateTime<Utc>) -> (String, String) {
    let half = chrono::Duration::hours(12);
    let issued = Authority::new("test").issue_within(&["waymark.example.com"], at - half, at + half);
    (issued.certificate, issued.key)
}

struct Fixture {
    folder: TempDir,
    files: ServerFiles,
    tls: ServerTls,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let clients = ClientCertificates::Required(at("ca.crt"));
        let files = ServerFiles { certificate: at("tls.crt"), key: at("tls.key"), clients };
        let (certificate, key) = pair(NOW);
        put(&files.certificate, &certificate);
        put(&files.key, &key);
        put(&at("ca.crt"), &pair(NOW).0);
        let tls = ServerTls::open(&files, &[crate::H2], NOW).unwrap();
        Self { folder, files, tls }
    }

    fn put(&self, (certificate, key): &(String, String)) {
        put(&self.files.certificate, certificate);
        put(&self.files.key, key);
    }

    /// What is served now, as new connections get it.
    fn served(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.tls.config.read().unwrap())
    }

    /// Looks until what is found has settled; what was served must go on being served.
    fn refused(&mut self) -> Error {
        let before = self.served();
        assert_eq!(self.tls.look(NOW), Look::Unsettled, "it may be being written");
        let Look::Refused(error) = self.tls.look(NOW) else { panic!("not refused") };
        assert_eq!(self.tls.look(NOW), Look::Refused(error.clone()), "as long as it lies there");
        assert!(Arc::ptr_eq(&before, &self.served()));
        assert_eq!(ServerTls::open(&self.files, &[crate::H2], NOW).err(), Some(error.clone()), "nor may it start");
        error
    }
}

fn put(path: &Path, content: &str) {
    std::fs::write(path, content).unwrap();
}

#[test]
fn what_can_be_used_is_taken_over_once() {
    let mut fixture = Fixture::new();
    assert_eq!(fixture.tls.look(NOW), Look::Same);
    let before = fixture.served();
    fixture.put(&pair(NOW + chrono::Duration::hours(2)));
    assert_eq!(fixture.tls.look(NOW), Look::Taken);
    assert!(!Arc::ptr_eq(&before, &fixture.served()));
    assert_eq!(fixture.tls.until(), NOW + chrono::Duration::hours(14));
    assert_eq!(fixture.tls.look(NOW), Look::Same);
    put(&fixture.folder.path().join("ca.crt"), &pair(NOW).0);
    assert_eq!(fixture.tls.look(NOW), Look::Taken, "other authorities");
}

/// What is wrong, certificate and key, and whether an error says so.
type Case = (&'static str, (String, String), fn(&Error) -> bool);

#[test]
fn what_cannot_be_used_is_refused_and_the_last_good_one_goes_on() {
    let mut fixture = Fixture::new();
    let good = (
        std::fs::read_to_string(&fixture.files.certificate).unwrap(),
        std::fs::read_to_string(&fixture.files.key).unwrap(),
    );
    let other = pair(NOW);
    let half = |text: &str| text[..text.len() / 2].to_owned();
    let cases: [Case; 9] = [
        ("of another pair", (good.0.clone(), other.1.clone()), |e| matches!(e, Error::Mismatch { .. })),
        ("half a certificate", (half(&other.0), other.1.clone()), |e| matches!(e, Error::Pem { .. })),
        ("half a key", (other.0.clone(), half(&other.1)), |e| matches!(e, Error::Pem { .. })),
        ("no certificate", (String::new(), other.1.clone()), |e| matches!(e, Error::NoCertificate(_))),
        ("no key", (other.0.clone(), String::new()), |e| matches!(e, Error::NoKey(_))),
        ("a key only", (other.1.clone(), other.1.clone()), |e| matches!(e, Error::NoCertificate(_))),
        ("noise", ("\0\u{feff}-----BEGIN".to_owned(), other.1.clone()), |e| {
            matches!(e, Error::NoCertificate(_) | Error::Pem { .. })
        }),
        ("expired", pair(NOW - chrono::Duration::hours(13)), |e| matches!(e, Error::Expired { .. })),
        ("of tomorrow", pair(NOW + chrono::Duration::hours(13)), |e| matches!(e, Error::NotYetValid { .. })),
    ];
    for (what, files, expected) in cases {
        fixture.put(&files);
        let error = fixture.refused();
        assert!(expected(&error), "{what}: {error}");
        fixture.put(&good);
        assert_eq!(fixture.tls.look(NOW), Look::Taken, "{what}: back again");
        assert_eq!(fixture.tls.look(NOW), Look::Same);
    }
}

#[test]
fn what_is_no_file_is_refused() {
    let mut fixture = Fixture::new();
    let key = fixture.files.key.clone();
    std::fs::remove_file(&key).unwrap();
    assert!(matches!(fixture.refused(), Error::Unreadable { path, .. } if path == key));
    std::fs::create_dir(&key).unwrap();
    assert_eq!(fixture.refused(), Error::Unreadable { path: key, reason: "it is not a file".to_owned() });
    let authorities = fixture.folder.path().join("ca.crt");
    put(&authorities, &pair(NOW).1);
    // Whatever else is wrong is said first.
    std::fs::remove_dir(&fixture.files.key).unwrap();
    fixture.put(&pair(NOW));
    assert_eq!(fixture.refused(), Error::NoCertificate(authorities));
}

#[test]
fn a_certificate_of_tomorrow_is_taken_over_tomorrow() {
    let mut fixture = Fixture::new();
    let tomorrow = NOW + chrono::Duration::hours(13);
    fixture.put(&pair(tomorrow));
    let error = fixture.refused();
    assert!(error.to_string().contains("is valid from"), "{error}");
    assert_eq!(fixture.tls.look(tomorrow), Look::Taken);
}

#[test]
fn files_are_found_behind_a_link_that_is_swapped() {
    let folder = tempfile::tempdir().unwrap();
    let version = |name: &str| {
        let at = folder.path().join(name);
        std::fs::create_dir(&at).unwrap();
        let (certificate, key) = pair(NOW);
        put(&at.join("tls.crt"), &certificate);
        put(&at.join("tls.key"), &key);
        at
    };
    let link = folder.path().join("..data");
    std::os::unix::fs::symlink(version("..1"), &link).unwrap();
    let (certificate, key) = (link.join("tls.crt"), link.join("tls.key"));
    let files = ServerFiles { certificate, key, clients: ClientCertificates::None };
    let mut tls = ServerTls::open(&files, &[crate::H2], NOW).unwrap();
    assert_eq!(tls.look(NOW), Look::Same);
    std::os::unix::fs::symlink(version("..2"), folder.path().join("..new")).unwrap();
    std::fs::rename(folder.path().join("..new"), &link).unwrap();
    assert_eq!(tls.look(NOW), Look::Taken);
}

#[test]
fn errors_show_nothing_of_what_is_in_a_key() {
    let mut fixture = Fixture::new();
    let (certificate, key) = pair(NOW);
    let secret = "c2VjcmV0";
    fixture.put(&(certificate, key.replacen('\n', &format!("\n{secret}!\n"), 1)));
    let error = fixture.refused();
    assert!(!format!("{error} {error:?}").contains(secret), "{error:?}");
}
