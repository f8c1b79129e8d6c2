//! PostgreSQL over TLS: by certificates, by a password that changes, and a server that has none.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use waymark_testkit::{Postgres, host, sample, wait_until};
use waymark_tls::testing::Authority;

use super::*;

fn args(url: String, files: ClientFiles) -> DatabaseArgs {
    DatabaseArgs {
        database_url: Some(url),
        database_ca: files.ca,
        database_certificate: files.certificate,
        database_key: files.key,
        ..DatabaseArgs::default()
    }
}

/// One attempt to use a database as it is configured.
async fn reached(args: &DatabaseArgs) -> Result<(), Error> {
    let options = StoreOptions { files: files(args).unwrap(), ..StoreOptions::new(args.url("sample")) };
    attempt(&host(1).0, &sample::SCHEMA, &options, None, &mut Vec::new()).await.map(|_| ())
}

#[tokio::test]
async fn certificates_prove_both_sides_to_each_other() {
    let authority = Authority::new("databases");
    let (_server, port) = Postgres::start_encrypted(&authority).unwrap();
    let url = format!("postgres://waymark@127.0.0.1:{port}/postgres");
    let folder = tempfile::tempdir().unwrap();
    let shown = authority.issue(&["waymark"]);
    let client = authority.client(folder.path(), Some(&shown));
    reached(&args(url.clone(), client.clone())).await.unwrap();
    reached(&args(format!("{url}?sslmode=require"), client.clone())).await.unwrap();
    assert!(reached(&args(format!("{url}?sslmode=disable"), client.clone())).await.is_err(), "the server wants TLS");

    let nameless = authority.client(folder.path(), None);
    let refused = reached(&args(url.clone(), nameless)).await.unwrap_err();
    assert!(format!("{:#}", anyhow::Error::new(refused)).contains("certificate"), "it wants one");
    let folder = tempfile::tempdir().unwrap();
    let strange = Authority::new("others").client(folder.path(), Some(&shown));
    assert!(reached(&args(url.clone(), strange.clone())).await.unwrap_err().is_of_tls(), "it proves nothing");
    // Said at once, instead of waited for as what is not there yet.
    let refused = open(&host(1).0, "sample", &sample::SCHEMA, &args(url, strange)).await.err().unwrap();
    assert!(refused.to_string().contains("--database-ca"), "{refused}");
}

#[tokio::test]
async fn a_server_without_tls_is_told_of_with_what_to_do() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("postgres://waymark@{}/postgres", listener.local_addr().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let client = Authority::new("databases").client(folder.path(), None);
    let (args, (host, _)) = (args(url, client), host(1));
    let refusing = async {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            // It asks for TLS, and is told that there is none.
            stream.read_exact(&mut [0; 8]).await.unwrap();
            stream.write_all(b"N").await.unwrap();
        }
    };
    tokio::select! {
        opened = open(&host, "sample", &sample::SCHEMA, &args) => {
            let refused = opened.err().unwrap().to_string();
            assert!(refused.contains("sslmode=disable"), "{refused}");
        }
        () = refusing => {}
    }
}

#[tokio::test]
async fn a_password_that_changes_in_its_file_is_used_for_what_is_connected_from_then_on() {
    let authority = Authority::new("databases");
    let (server, port) = Postgres::start_encrypted(&authority).unwrap();
    for statement in ["CREATE ROLE app LOGIN PASSWORD 'planted-secret-first'", "CREATE DATABASE app OWNER app"] {
        server.run(statement).await.unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let client = authority.client(folder.path(), None);
    let file = folder.path().join("password");
    std::fs::write(&file, "planted-secret-first\n").unwrap();
    let url = format!("postgres://app:planted-secret-stale@127.0.0.1:{port}/app");
    let args = DatabaseArgs { database_password_file: Some(file.clone()), ..args(url, client) };
    let (host, _) = host(1);
    let (store, applied) = open(&host, "sample", &sample::SCHEMA, &args).await.unwrap();
    assert_eq!(applied.len(), 1);
    store.ping().await.unwrap();

    server.run("ALTER ROLE app PASSWORD 'planted-secret-second'").await.unwrap();
    std::fs::write(&file, "planted-secret-second\n").unwrap();
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'";
    wait_until("the new password's use", Duration::from_secs(30), async || {
        server.run(end).await.unwrap();
        store.ping().await.is_ok()
    })
    .await;
    std::fs::remove_file(&file).unwrap();
    let refused = open(&host, "sample", &sample::SCHEMA, &args).await.err().unwrap();
    assert!(format!("{refused:#}").contains("--database-password-file"), "{refused:#}");
}
